#include "train/trainer.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/error.h"
#include "base/memory.h"
#include "base/random.h"
#include "graph/arena.h"
#include "graph/op.h"
#include "models/architectures.h"
#include "train/training_graph.h"

namespace bantam {
namespace {

bool writes_residual(std::string_view name) {
  for (const std::string_view part :
       {"attn_output", "attn_o", "cross_attn_o", "ffn_down", "ffn_down_exps", "ffn_down_shexp",
        "ssm_out", "shortconv.out_proj"}) {
    if (name.ends_with(fmt::format(".{}.weight", part))) return true;
  }
  return false;
}

// Decay rates and step sizes of a state space start spread over their useful range (Gu & Dao 2023);
// false if the weight is none of its own.
bool initialise_state_space(std::string_view name, const Shape& shape, float* data,
                            Random& random) {
  const int64_t n = shape.elements(), columns = shape[-1];
  if (name.ends_with("ssm_a")) {
    for (int64_t i = 0; i < n; ++i) {
      const auto rate = columns > 1 ? static_cast<float>(i % columns + 1)
                                    : 1 + 15 * static_cast<float>(random.uniform());
      data[i] = -rate;
    }
  } else if (name.ends_with("ssm_dt.bias")) {
    for (int64_t i = 0; i < n; ++i) {
      const double dt = 0.001 * std::pow(100.0, static_cast<double>(random.uniform()));
      data[i] = static_cast<float>(std::log(std::expm1(dt)));  // softplus of it is dt
    }
  } else if (name.ends_with("conv1d.weight") || name.ends_with("shortconv.conv.weight")) {
    const float deviation = 1 / std::sqrt(3 * static_cast<float>(columns));
    for (int64_t i = 0; i < n; ++i) data[i] = deviation * random.normal();
  } else if (name.ends_with("ssm_d") || name.ends_with("ssm_norm.weight")) {
    std::fill(data, data + n, 1.0f);
  } else {
    return false;
  }
  return true;
}

Weights zeros_like(const Weights& weights) {
  Weights z;
  for (const auto& [name, t] : weights) z[name] = Tensor::zeros(DType::f32, t.shape());
  return z;
}

int64_t bytes_of(const Weights& weights) {
  int64_t n = 0;
  for (const auto& [unused, t] : weights) n += t.bytes();
  return n;
}

// The teacher's weights in the types that the graph computes with.
Weights teacher_weights(const Model& teacher, DType compute) {
  Weights w;
  const auto f32 = f32_weights(teacher);
  for (const auto& [name, t] : teacher.weights) {
    const DType type = f32.contains(name) ? DType::f32 : compute;
    w[name] = t.dtype() == type ? t : t.to(type);
  }
  return w;
}

void check_vocabularies(const ModelConfig& student, const Model& teacher) {
  if (teacher.config.vocab_size == student.vocab_size) return;
  fail(ErrorKind::model, "distill",
       "teacher and student must share a vocabulary: the teacher \"{}\" has {} tokens, the student "
       "{}",
       teacher.name, teacher.config.vocab_size, student.vocab_size);
}

int64_t teacher_bytes(const Model* teacher, DType compute) {
  int64_t bytes = 0;
  if (teacher == nullptr) return 0;
  const auto f32 = f32_weights(*teacher);
  for (const auto& [name, t] : teacher->weights) {
    const DType type = f32.contains(name) ? DType::f32 : compute;
    bytes += t.bytes();
    if (t.dtype() != type) bytes += row_bytes(type, t.shape().elements());
  }
  return bytes;
}

int64_t count_targets(const TrainingBatch& batch) {
  return std::count_if(batch.targets.begin(), batch.targets.end(),
                       [](int32_t target) { return target >= 0; });
}

// The four graphs take turns in one arena.
int64_t arena_bytes(const TrainingPlans& p) {
  return std::max({p.gradient->arena_bytes(), p.norm->arena_bytes(), p.update->arena_bytes(),
                   p.evaluate->arena_bytes()});
}

TrainingMemory memory_of(const TrainingPlans& plans, int64_t parameter_bytes,
                         int64_t teacher_bytes) {
  TrainingMemory m;
  m.weights = parameter_bytes;
  m.gradients = parameter_bytes;
  m.moments = 2 * parameter_bytes;
  m.teacher = teacher_bytes;
  m.activations = arena_bytes(plans);
  m.inputs = plans.gradient->leaf_bytes("input");
  m.process = resident_bytes();
  return m;
}

// Weights that are there already are not counted twice.
TrainingMemory memory_beside(const TrainingPlans& plans, const Weights& weights,
                             int64_t teacher_bytes) {
  TrainingMemory m = memory_of(plans, bytes_of(weights), teacher_bytes);
  m.process = std::max<int64_t>(0, m.process - m.weights);
  return m;
}

}  // namespace

Weights initial_weights(const ModelConfig& config, uint64_t seed) {
  Weights weights;
  uint64_t matrices = 0, vectors = uint64_t{1} << 32;  // streams of random numbers
  const auto depth = static_cast<float>(2 * config.block_count);
  for (const WeightShape& w : required_weights(config)) {
    Tensor t = Tensor::zeros(DType::f32, w.shape);
    auto* data = t.as<float>();
    const int64_t n = w.shape.elements();
    const bool bias = w.name.ends_with(".bias"), vector = w.shape.rank() == 1;
    Random random(seed, vector ? ++vectors : ++matrices);
    if (initialise_state_space(w.name, w.shape, data, random)) {
      weights[w.name] = std::move(t);
      continue;
    }
    const float deviation = writes_residual(w.name) ? 0.02f / std::sqrt(depth) : 0.02f;
    for (int64_t i = 0; i < n; ++i) {
      data[i] = bias ? 0.0f : vector ? 1.0f : deviation * random.normal();
    }
    weights[w.name] = std::move(t);
  }
  return weights;
}

struct Trainer::Impl {
  Impl(ModelConfig c, Weights w, const TrainerOptions& o, const Model* teacher,
       const std::optional<DistillOptions>& distill)
      : config(std::move(c)),
        options(o),
        pool(o.threads),
        weights(std::move(w)),
        plans(make_training_plans(config, o, teacher, distill, pool.size())),
        memory(memory_beside(plans, weights, teacher_bytes(teacher, o.compute))),
        m(zeros_like(weights)),
        v(zeros_like(weights)),
        gradients(zeros_like(weights)),
        taught(teacher != nullptr ? teacher_weights(*teacher, o.compute) : Weights{}),
        ids(index(o.rows())),
        targets(index(o.rows())),
        sequences(index(o.rows())),
        positions(index(o.rows())),
        seed(index(1)),
        source_ids(index(o.source_rows())),
        source_sequences(index(o.source_rows())),
        source_positions(index(o.source_rows())),
        source_ends(index(o.source_rows())),
        seen_ends(index(o.rows())),
        hyper(Tensor::zeros(DType::f32, {8})),
        arena(std::make_shared<Arena>(arena_bytes(plans))),
        gradient(plans.gradient, pool, arena),
        norm(plans.norm, pool, arena),
        update(plans.update, pool, arena),
        evaluate(plans.evaluate, pool, arena) {
    for (int64_t i = 0; i < o.rows(); ++i) {
      sequences.as<int32_t>()[i] = static_cast<int32_t>(i / o.length);
      positions.as<int32_t>()[i] = static_cast<int32_t>(i % o.length);
    }
    for (Executor* executor : {&gradient, &norm, &update, &evaluate}) bind(*executor);
  }

  static Tensor index(int64_t n) { return Tensor::zeros(DType::i32, {n}); }

  static const Tensor* find(const Weights& w, std::string_view name) {
    const auto found = w.find(name);
    return found == w.end() ? nullptr : &found->second;
  }

  // The tensor that a leaf of one of the graphs stands for.
  const Tensor* leaf(std::string_view name) const {
    const std::pair<std::string_view, const Tensor*> inputs[] = {
        {"ids", &ids},
        {"targets", &targets},
        {"sequences", &sequences},
        {"positions", &positions},
        {"seed", &seed},
        {"source_ids", &source_ids},
        {"source_sequences", &source_sequences},
        {"source_positions", &source_positions},
        {"source_ends", &source_ends},
        {"seen_ends", &seen_ends},
        {"hyper", &hyper}};
    for (const auto& [input, tensor] : inputs) {
      if (name == input) return tensor;
    }
    const std::pair<std::string_view, const Weights*> groups[] = {
        {"grad.", &gradients}, {"m.", &m}, {"v.", &v}, {"teacher.", &taught}};
    for (const auto& [prefix, group] : groups) {
      if (name.starts_with(prefix)) return find(*group, name.substr(prefix.size()));
    }
    return find(weights, name);
  }

  void bind(Executor& executor) {
    const Graph& g = executor.plan().graph();
    for (int32_t i = 0; i < g.size(); ++i) {
      const Node& n = g.node(i);
      if (!n.op->leaf || n.name.empty()) continue;
      const Tensor* t = leaf(n.name);
      BANTAM_ASSERT(t != nullptr);
      executor.bind(n.name, t->view());
    }
  }

  void load(const TrainingBatch& batch) {
    BANTAM_ASSERT(static_cast<int64_t>(batch.ids.size()) == options.rows() &&
                  batch.targets.size() == batch.ids.size());
    std::memcpy(ids.data(), batch.ids.data(), batch.ids.size_bytes());
    std::memcpy(targets.data(), batch.targets.data(), batch.targets.size_bytes());
    if (config.reads_source()) load_sources(batch);
  }

  // What stands after a source's end belongs to no sequence: it sees nothing and is not seen.
  void load_sources(const TrainingBatch& batch) {
    BANTAM_ASSERT(static_cast<int64_t>(batch.source_ids.size()) == options.source_rows() &&
                  static_cast<int64_t>(batch.source_lengths.size()) == options.sequences);
    std::memcpy(source_ids.data(), batch.source_ids.data(), batch.source_ids.size_bytes());
    const int64_t longest = options.source_rows() / options.sequences;
    for (int64_t i = 0; i < options.source_rows(); ++i) {
      const int32_t length = batch.source_lengths[static_cast<size_t>(i / longest)];
      source_sequences.as<int32_t>()[i] =
          i % longest < length ? static_cast<int32_t>(i / longest) : -1;
      source_positions.as<int32_t>()[i] = static_cast<int32_t>(i % longest);
      source_ends.as<int32_t>()[i] = length - 1;
    }
    for (int64_t i = 0; i < options.rows(); ++i) {
      seen_ends.as<int32_t>()[i] =
          batch.source_lengths[static_cast<size_t>(i / options.length)] - 1;
    }
  }

  static float scalar(const Executor& executor, std::string_view name) {
    return *executor.output(name).as<float>();
  }

  // Two numbers into one seed, so that a resumed run masks as the first one would have.
  int32_t mask_seed(int64_t micro_batch) const {
    Random r(options.seed, static_cast<uint64_t>(steps * options.accumulation + micro_batch));
    return static_cast<int32_t>(r.next() & 0x7fffffff);
  }

  ModelConfig config;
  TrainerOptions options;
  ThreadPool pool;
  Weights weights;
  TrainingPlans plans;
  TrainingMemory memory;
  Weights m, v, gradients, taught;
  Tensor ids, targets, sequences, positions, seed;
  Tensor source_ids, source_sequences, source_positions, source_ends, seen_ends, hyper;
  std::shared_ptr<Arena> arena;
  Executor gradient, norm, update, evaluate;
  int64_t steps = 0;
};

Trainer::Trainer(ModelConfig config, Weights weights, const TrainerOptions& options,
                 std::shared_ptr<const Model> teacher, std::optional<DistillOptions> distill) {
  if (teacher) {
    check_vocabularies(config, *teacher);
    if (config.reads_source() != teacher->config.reads_source()) {
      fail(ErrorKind::model, "distill",
           "teacher and student must both be encoder-decoders, or neither: got \"{}\" and \"{}\"",
           teacher->config.architecture, config.architecture);
    }
    if (!distill) distill = DistillOptions{};
  }
  check_config(config, "trainer");
  impl_ = std::make_unique<Impl>(std::move(config), std::move(weights), options, teacher.get(),
                                 distill);
}

Trainer::~Trainer() = default;

StepResult Trainer::step(std::span<const TrainingBatch> batches, double learning_rate) {
  Impl& t = *impl_;
  const TrainerOptions& o = t.options;
  BANTAM_ASSERT(static_cast<int64_t>(batches.size()) == o.accumulation);
  for (auto& [unused, g] : t.gradients) {
    std::memset(g.data(), 0, static_cast<size_t>(g.bytes()));
  }
  StepResult result;
  int64_t targets = 0;
  for (size_t i = 0; i < batches.size(); ++i) {
    t.load(batches[i]);
    targets += count_targets(batches[i]);
    *t.seed.as<int32_t>() = t.mask_seed(static_cast<int64_t>(i));
    t.gradient.run();
    result.loss += Impl::scalar(t.gradient, "loss");
    result.cross_entropy += Impl::scalar(t.gradient, "ce");
  }
  // The graph takes the mean over all rows; those without a target count nothing.
  const double factor =
      static_cast<double>(o.tokens_per_step()) / static_cast<double>(std::max<int64_t>(targets, 1));
  result.loss *= factor;
  result.cross_entropy *= factor;
  t.norm.run();
  result.gradient_norm = std::sqrt(static_cast<double>(Impl::scalar(t.norm, "squares"))) * factor;
  if (!std::isfinite(result.gradient_norm)) {
    fail(ErrorKind::model, "train",
         "step {}: expected finite gradients, got {} (a smaller learning rate may help)", t.steps,
         result.gradient_norm);
  }
  const bool clipped = o.clip > 0 && result.gradient_norm > o.clip;
  ++t.steps;
  const auto n = static_cast<double>(t.steps);
  const double hyper[8] = {learning_rate,
                           o.beta1,
                           o.beta2,
                           o.eps,
                           1 - std::pow(o.beta1, n),
                           1 - std::pow(o.beta2, n),
                           (clipped ? o.clip / result.gradient_norm : 1) * factor,
                           0};
  std::copy(hyper, hyper + 8, t.hyper.as<float>());
  t.update.run();
  return result;
}

Trainer::Evaluation Trainer::evaluate(const TrainingBatch& batch) {
  impl_->load(batch);
  impl_->evaluate.run();
  return {Impl::scalar(impl_->evaluate, "ce"), count_targets(batch)};
}

int64_t Trainer::steps() const {
  return impl_->steps;
}
const ModelConfig& Trainer::config() const {
  return impl_->config;
}
const Weights& Trainer::weights() const {
  return impl_->weights;
}
const Weights& Trainer::first_moments() const {
  return impl_->m;
}
const Weights& Trainer::second_moments() const {
  return impl_->v;
}
const TrainerOptions& Trainer::options() const {
  return impl_->options;
}
const TrainingMemory& Trainer::memory() const {
  return impl_->memory;
}
ThreadPool& Trainer::pool() {
  return impl_->pool;
}

void Trainer::observe(Executor::Observer observer, void* user) {
  impl_->gradient.observe(observer, user);
}

void Trainer::restore(int64_t steps, const Weights& weights, const Weights& m, const Weights& v) {
  const auto copy = [](Weights& to, const Weights& from) {
    for (auto& [name, t] : to) {
      const Tensor& source = from.at(name);
      BANTAM_ASSERT(source.bytes() == t.bytes());
      std::memcpy(t.data(), source.data(), static_cast<size_t>(t.bytes()));
    }
  };
  copy(impl_->weights, weights);
  copy(impl_->m, m);
  copy(impl_->v, v);
  impl_->steps = steps;
}

TrainingMemory plan_training(const ModelConfig& config, const TrainerOptions& options,
                             const Model* teacher) {
  const int threads = options.threads > 0 ? options.threads : ThreadPool::default_size();
  std::optional<DistillOptions> distill;
  if (teacher != nullptr) distill = DistillOptions{};
  const TrainingPlans plans = make_training_plans(config, options, teacher, distill, threads);
  int64_t bytes = 0;
  for (const WeightShape& w : required_weights(config)) bytes += w.shape.elements() * 4;
  return memory_of(plans, bytes, teacher_bytes(teacher, options.compute));
}

}  // namespace bantam
