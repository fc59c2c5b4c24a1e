#include "train/run.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/hash.h"
#include "models/architectures.h"
#include "runtime/session.h"
#include "train/batches.h"
#include "train/checkpoint.h"

namespace bantam {
namespace {

using Clock = std::chrono::steady_clock;

class Run {
 public:
  Run(const Recipe& recipe, const RunEvents& events)
      : recipe_(recipe),
        events_(events),
        teacher_(recipe.teacher.empty()
                     ? nullptr
                     : std::make_shared<const Model>(load_model(recipe.teacher))),
        data_(prepare(recipe, events)),
        batches_(make_batches(data_, config(), recipe.trainer)),
        trainer_(config(), initial_weights(config(), recipe.trainer.seed), recipe.trainer, teacher_,
                 recipe.distill),
        schedule_(recipe.schedule) {
    if (recipe.epochs > 0) {
      schedule_.total_steps =
          std::max<int64_t>(1, std::llround(recipe.epochs * batches_.steps_per_epoch));
    }
    fingerprint_ = fingerprint();
    memory_ = trainer_.memory();
    memory_.results = results_bytes();
  }

  RunResult go() {
    announce();
    resume();
    MetricsLog log(recipe_.output + "/metrics.jsonl", state_.steps);
    started_ = Clock::now();
    while (state_.steps < schedule_.total_steps) {
      take_step(log);
      const bool stop = events_.should_stop && events_.should_stop();
      const bool last = state_.steps == schedule_.total_steps;
      if (stop || last || state_.steps % recipe_.checkpoint_every == 0) checkpoint();
      if (stop && !last) return result(false);
    }
    finish(log);
    return result(true);
  }

 private:
  static PreparedData prepare(const Recipe& recipe, const RunEvents& events) {
    ThreadPool pool(recipe.trainer.threads);
    return prepare_data(recipe, events, pool);
  }

  ModelConfig config() const {
    ModelConfig c = recipe_.model;
    const Tokenizer& tokenizer = *data_.tokenizer;
    c.vocab_size = tokenizer.vocab_size();
    if (c.reads_source() && c.decoder_start_token == 0)
      c.decoder_start_token = tokenizer.pad() >= 0 ? tokenizer.pad() : tokenizer.eos();
    return c;
  }

  std::string checkpoint_path() const { return recipe_.output + "/checkpoint.gguf"; }

  // Changes when anything that the bits of the result depend on does.
  uint64_t fingerprint() const {
    const std::string text = fmt::format(
        "{} {} {} {} {} {}", recipe_.fingerprint, hash(data_.tokenizer->spec()), batches_.tokens,
        schedule_.total_steps, recipe_.teacher.empty() ? 0 : teacher_->parameters(),
        trainer_.config().vocab_size);
    return hash_bytes(text);
  }

  void say(std::string_view line) const {
    if (events_.message) events_.message(line);
  }

  void announce() const {
    int64_t parameters = 0;
    for (const auto& [unused, t] : trainer_.weights()) parameters += t.shape().elements();
    const TrainingMemory& m = memory_;
    const auto mib = [](int64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
    say(fmt::format("{}: {:.2f} M parameters, {} steps of {} tokens ({:.1f} epochs)", recipe_.name,
                    static_cast<double>(parameters) / 1e6, schedule_.total_steps,
                    recipe_.trainer.tokens_per_step(),
                    static_cast<double>(schedule_.total_steps) / batches_.steps_per_epoch));
    say(
        fmt::format("memory: {:.0f} MiB (weights {:.0f}, gradients {:.0f}, moments {:.0f}, teacher "
                    "{:.0f}, activations {:.0f}, samples {:.0f}, program and text {:.0f})",
                    mib(m.total()), mib(m.weights), mib(m.gradients), mib(m.moments),
                    mib(m.teacher), mib(m.activations + m.inputs), mib(m.results), mib(m.process)));
  }

  void resume() {
    if (!std::filesystem::exists(checkpoint_path())) return;
    state_ = load_checkpoint(checkpoint_path(), trainer_, fingerprint_);
    batches_.train->restore(state_.sampler);
    resumed_seconds_ = state_.seconds;
    say(fmt::format("resuming after step {}", state_.steps));
  }

  void checkpoint() {
    state_.sampler = batches_.train->state();
    state_.seconds = seconds();
    state_.fingerprint = fingerprint_;
    save_checkpoint(checkpoint_path(), trainer_, state_);
  }

  double seconds() const {
    return resumed_seconds_ + std::chrono::duration<double>(Clock::now() - started_).count();
  }

  void take_step(MetricsLog& log) {
    const auto step_started = Clock::now();
    const int64_t n = recipe_.trainer.accumulation;
    buffers_.resize(static_cast<size_t>(n));
    std::vector<TrainingBatch> views;
    for (TokenBatch& b : buffers_) {
      batches_.train->next(b);
      views.push_back(view_of(b));
    }
    const double rate = schedule_.at(state_.steps);
    const StepResult r = trainer_.step(views, rate);
    ++state_.steps;
    const double took = std::chrono::duration<double>(Clock::now() - step_started).count();
    recent_seconds_ = recent_seconds_ == 0 ? took : 0.9 * recent_seconds_ + 0.1 * took;

    const bool last = state_.steps == schedule_.total_steps;
    const bool validate = last || state_.steps % recipe_.eval_every == 0;
    if (state_.steps % recipe_.log_every == 0 || validate) {
      MetricsRow row;
      row.step = state_.steps;
      row.tokens = state_.steps * recipe_.trainer.tokens_per_step();
      row.epoch = batches_.train->epochs();
      row.loss = r.loss;
      row.cross_entropy = r.cross_entropy;
      row.learning_rate = rate;
      row.gradient_norm = r.gradient_norm;
      row.tokens_per_second =
          static_cast<double>(recipe_.trainer.tokens_per_step()) / recent_seconds_;
      if (validate) {
        row.validated = true;
        row.validation = validation_ = this->validate();
      }
      row.seconds = seconds();
      log.add(row);
      if (events_.progress) {
        const auto left = static_cast<double>(schedule_.total_steps - state_.steps);
        events_.progress(row, schedule_.total_steps, left * recent_seconds_);
      }
    }
    if (last || state_.steps % recipe_.sample_every == 0) sample();
  }

  Validation validate() {
    TokenBatch batch;
    double sum = 0;
    int64_t targets = 0;
    for (int64_t i = 0; i < batches_.valid->count(); ++i) {
      batches_.valid->get(i, batch);
      const Trainer::Evaluation e = trainer_.evaluate(view_of(batch));
      sum += e.cross_entropy;
      targets += e.targets;
    }
    const auto per = [&](int64_t n) { return std::exp(sum / static_cast<double>(n)); };
    return {sum / static_cast<double>(targets), per(targets), per(data_.valid_words),
            per(data_.valid_bytes)};
  }

  // A model that shares the trainer's weights.
  Model model() const {
    Model m;
    m.name = recipe_.name;
    m.config = trainer_.config();
    m.weights = trainer_.weights();
    m.tokenizer = data_.tokenizer;
    return m;
  }

  GenerateOptions sample_options() const {
    GenerateOptions o;
    o.max_tokens = std::min<int64_t>(60, recipe_.model.context_length / 2);
    return o;
  }

  EngineOptions sample_engine() const {
    size_t longest = 1;
    for (const std::string& prompt : recipe_.sample_prompts)
      longest = std::max(longest, data_.tokenizer->encode(prompt).size());
    EngineOptions o;
    o.threads = recipe_.trainer.threads;
    o.batch = static_cast<int64_t>(longest);
    const bool reads_source = recipe_.model.reads_source();
    const int64_t before = reads_source ? 1 : o.batch;
    o.context = std::min(recipe_.model.context_length, before + sample_options().max_tokens);
    o.source_context = static_cast<int64_t>(longest);
    return o;
  }

  // Samples while training share the weights; the file at the end is written from converted copies.
  int64_t results_bytes() const {
    int64_t copies = 0;
    const auto f32 = f32_weights(model());
    for (const auto& [name, t] : trainer_.weights()) {
      if (!f32.contains(name)) copies += row_bytes(recipe_.output_type, t.shape().elements());
    }
    if (recipe_.sample_prompts.empty()) return copies;
    const MemoryPlan samples = plan_memory(model(), sample_engine());
    return std::max(copies, samples.cache + samples.activations + samples.buffers);
  }

  void sample() {
    if (recipe_.sample_prompts.empty()) return;
    auto engine = std::make_shared<Engine>(std::make_shared<const Model>(model()), sample_engine());
    samples_.clear();
    for (const std::string& prompt : recipe_.sample_prompts) {
      Session session(engine);
      const std::string between = recipe_.model.reads_source() ? " -> " : "";
      samples_.push_back(prompt + between + session.generate(prompt, sample_options()).text);
      if (events_.sample) events_.sample(state_.steps, samples_.back());
    }
  }

  void finish(const MetricsLog& log) {
    Model m = model();
    const auto f32 = f32_weights(m);
    for (auto& [name, t] : m.weights) {
      if (!f32.contains(name)) t = t.to(recipe_.output_type);
    }
    if (!recipe_.licence.empty()) m.metadata.emplace_back("general.license", recipe_.licence);
    m.metadata.emplace_back("bantam.training.steps", static_cast<uint64_t>(state_.steps));
    m.metadata.emplace_back(
        "bantam.training.tokens",
        static_cast<uint64_t>(state_.steps * recipe_.trainer.tokens_per_step()));
    const bool known = !log.rows().empty() && log.rows().back().validated;
    validation_ = known ? log.rows().back().validation : validate();
    m.metadata.emplace_back("bantam.training.perplexity", validation_.perplexity_token);
    if (teacher_) m.metadata.emplace_back("bantam.training.teacher", teacher_->name);
    save_model(m, model_path());
    write_report(recipe_.output + "/report.html", recipe_.name, facts(),
                 {{recipe_.name, log.rows()}}, samples_);
  }

  std::string model_path() const { return recipe_.output + "/model.gguf"; }

  std::vector<ReportFact> facts() const {
    const ModelConfig& c = trainer_.config();
    std::vector<ReportFact> f = {
        {"Model",
         fmt::format("{} layers, width {}, {} heads ({} key/value), feed-forward {}", c.block_count,
                     c.embedding_length, c.head_count, c.head_count_kv, c.feed_forward_length)},
        {"Vocabulary", fmt::format("{}", c.vocab_size)},
        {"Training text", fmt::format("{} tokens", batches_.tokens)},
        {"Steps", fmt::format("{} of {} tokens", state_.steps, recipe_.trainer.tokens_per_step())},
        {"Time", fmt::format("{:.0f} s", seconds())},
        {"Held-out perplexity",
         fmt::format("{:.3f} per token, {:.2f} per word, {:.4f} per byte",
                     validation_.perplexity_token, validation_.perplexity_word,
                     validation_.perplexity_byte)}};
    if (teacher_) {
      f.push_back({"Teacher", teacher_->name});
      f.push_back({"Distillation", fmt::format("alpha {}, temperature {}", recipe_.distill.alpha,
                                               recipe_.distill.temperature)});
    }
    return f;
  }

  RunResult result(bool finished) const {
    return {finished, finished ? model_path() : "", state_.steps, seconds(), validation_, memory_};
  }

  const Recipe& recipe_;
  const RunEvents& events_;
  std::shared_ptr<const Model> teacher_;
  PreparedData data_;
  RunBatches batches_;
  Trainer trainer_;
  Schedule schedule_;
  RunState state_;
  uint64_t fingerprint_ = 0;
  TrainingMemory memory_;
  Clock::time_point started_ = Clock::now();
  double resumed_seconds_ = 0, recent_seconds_ = 0;
  Validation validation_;
  std::vector<TokenBatch> buffers_;
  std::vector<std::string> samples_;
};

}  // namespace

RunResult run_training(const Recipe& recipe, const RunEvents& events) {
  return Run(recipe, events).go();
}

}  // namespace bantam
