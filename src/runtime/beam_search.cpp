#include "runtime/beam_search.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "base/error.h"

namespace bantam {
namespace {

constexpr int64_t kMostBeams = 4096;

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// The beginning of a text, in a sequence of the engine.
struct Beam {
  int32_t sequence = 0;
  std::vector<int32_t> tokens;  // after the prompt
  double log_probability = 0;
};

struct Candidate {
  double log_probability;
  size_t beam;
  int32_t token;
  // Ties go to the better beam and the lower id, so that the order depends on nothing else.
  bool operator<(const Candidate& o) const {
    if (log_probability != o.log_probability) return log_probability > o.log_probability;
    return beam != o.beam ? beam < o.beam : token < o.token;
  }
};

double log_sum_exp(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float x : logits) sum += std::exp(x - top);
  return top + std::log(sum);
}

class Search {
 public:
  Search(Engine& engine, const BeamOptions& options) : engine_(engine), options_(options) {
    const Tokenizer* tokenizer = engine.model().tokenizer.get();
    ends_ = options.end_tokens;
    if (tokenizer != nullptr && tokenizer->eos() >= 0) ends_.push_back(tokenizer->eos());
    if (options.ignore_eos) ends_.clear();
  }

  BeamResult run(Session& session, std::span<const int32_t> prompt) {
    BeamResult result;
    for (int32_t i = 0; i < options_.beams; ++i) engine_.truncate(i, 0);  // what others wrote
    result.prompt_tokens = static_cast<int64_t>(prompt.size());
    const Clock::time_point start = Clock::now();
    feed_prompt(session, prompt);
    result.prefill_seconds = seconds_since(start);
    const Clock::time_point first = Clock::now();
    const int64_t room = engine_.context() - prompt_;
    most_ = options_.max_tokens > 0 ? std::min(options_.max_tokens, room + 1) : room + 1;
    for (length_ = 1;; ++length_) {
      ++result.steps;
      extend();
      if (beams_.empty() || length_ == most_ || is_done()) break;
      feed_beams();
    }
    const bool asked_for = options_.max_tokens > 0 && length_ == options_.max_tokens;
    for (size_t i = 0; length_ == most_ && i < beams_.size(); ++i)
      finish(beams_[i], asked_for ? StopReason::max_tokens : StopReason::context_full);
    result.decode_seconds = seconds_since(first);
    const auto best = static_cast<size_t>(options_.best);
    if (done_.size() > best) done_.resize(best);
    result.hypotheses = std::move(done_);
    return result;
  }

 private:
  [[nodiscard]] double score(double log_probability, int64_t length) const {
    return log_probability / std::pow(static_cast<double>(length), options_.length_penalty);
  }

  void feed_prompt(Session& session, std::span<const int32_t> prompt) {
    const ModelConfig& config = engine_.model().config;
    if (config.reads_source()) {
      session.read(prompt);
      prompt = std::span(&config.decoder_start_token, 1);
    }
    const std::span<const float> logits = session.feed(prompt);
    prompt_ = static_cast<int64_t>(prompt.size());
    logits_.assign(logits.begin(), logits.end());
    beams_.push_back({});
  }

  // The most probable continuations of all beams: as many as leave `beams` of them if each ended.
  [[nodiscard]] std::vector<Candidate> candidates() const {
    const auto V = static_cast<size_t>(engine_.vocab_size());
    const auto most = static_cast<size_t>(options_.beams) * (1 + ends_.size());
    std::vector<Candidate> all;
    for (size_t b = 0; b < beams_.size(); ++b) {
      const auto logits = std::span(logits_).subspan(b * V, V);
      const double shift = beams_[b].log_probability - log_sum_exp(logits);
      for (size_t i = 0; i < V; ++i) all.push_back({shift + logits[i], b, static_cast<int32_t>(i)});
      if (all.size() <= most) continue;
      std::nth_element(all.begin(), all.begin() + static_cast<int64_t>(most), all.end());
      all.resize(most);
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  // The next token of every beam. Ends that are not among the best are dropped: something else
  // that the text may say is more probable.
  void extend() {
    std::vector<Candidate> kept;
    size_t rank = 0;
    for (const Candidate& c : candidates()) {
      if (static_cast<int64_t>(kept.size()) == options_.beams) break;
      const bool best = static_cast<int64_t>(rank++) < options_.beams;
      if (std::find(ends_.begin(), ends_.end(), c.token) == ends_.end()) {
        kept.push_back(c);
      } else if (best) {
        finish({0, beams_[c.beam].tokens, c.log_probability}, StopReason::eos);
      }
    }
    move_to(kept);
  }

  // The first child of a beam goes on in its sequence, the others in sequences that have none.
  void move_to(const std::vector<Candidate>& kept) {
    std::vector<bool> taken(static_cast<size_t>(options_.beams)), continued(beams_.size());
    for (const Candidate& c : kept) taken[static_cast<size_t>(beams_[c.beam].sequence)] = true;
    const int64_t written = prompt_ + length_ - 1;
    std::vector<Beam> next;
    for (const Candidate& c : kept) {
      Beam beam = beams_[c.beam];
      if (continued[c.beam]) {
        const auto unused = std::find(taken.begin(), taken.end(), false);
        *unused = true;
        const auto sequence = static_cast<int32_t>(unused - taken.begin());
        engine_.copy(beam.sequence, sequence, written);
        beam.sequence = sequence;
      }
      continued[c.beam] = true;
      beam.tokens.push_back(c.token);
      beam.log_probability = c.log_probability;
      next.push_back(std::move(beam));
    }
    beams_ = std::move(next);
  }

  void feed_beams() {
    rows_.clear();
    const auto position = static_cast<int32_t>(prompt_ + length_ - 1);
    for (const Beam& beam : beams_)
      rows_.push_back({beam.tokens.back(), beam.sequence, position, true});
    logits_.resize(beams_.size() * static_cast<size_t>(engine_.vocab_size()));
    engine_.run(rows_, logits_);
  }

  // Keeps the best texts that have ended.
  void finish(const Beam& beam, StopReason reason) {
    Hypothesis h;
    h.tokens = beam.tokens;
    h.log_probability = beam.log_probability;
    h.score = score(beam.log_probability, length_);
    h.reason = reason;
    const auto worse = [&](const Hypothesis& other) { return h.score > other.score; };
    done_.insert(std::find_if(done_.begin(), done_.end(), worse), std::move(h));
    if (static_cast<int64_t>(done_.size()) > options_.beams) done_.pop_back();
  }

  [[nodiscard]] bool is_done() const {
    if (static_cast<int64_t>(done_.size()) < options_.beams) return false;
    if (options_.early_stopping) return true;
    // Probabilities only fall; at best a text keeps its own and ends where length favours it most.
    const int64_t length = options_.length_penalty > 0 ? most_ : length_ + 1;
    return done_.back().score >= score(beams_.front().log_probability, length);
  }

  Engine& engine_;
  const BeamOptions& options_;
  std::vector<int32_t> ends_;
  int64_t prompt_ = 0, most_ = 0;
  int64_t length_ = 0;       // tokens after the prompt, those of this step included
  std::vector<Beam> beams_;  // best first
  std::vector<float> logits_;
  std::vector<Hypothesis> done_;  // best first
  std::vector<Engine::Row> rows_;
};

}  // namespace

void check_beam_options(const BeamOptions& o) {
  const auto check = [](bool good, std::string_view name, std::string_view expected, auto got) {
    if (!good) {
      fail(ErrorKind::usage, "beam search", "{}: expected {}, got {}", name, expected, got);
    }
  };
  check(o.beams >= 1 && o.beams <= kMostBeams, "beams", fmt::format("1 to {}", kMostBeams),
        o.beams);
  check(o.best >= 1 && o.best <= o.beams, "best", "1 to as many as there are beams", o.best);
  check(std::isfinite(o.length_penalty), "length penalty", "a finite number", o.length_penalty);
  check(o.max_tokens >= 0, "max tokens", "0 or more", o.max_tokens);
}

BeamResult beam_search(const std::shared_ptr<Engine>& engine, std::span<const int32_t> prompt,
                       const BeamOptions& options) {
  check_beam_options(options);
  if (engine->options().sequences < options.beams || engine->options().batch < options.beams) {
    fail(ErrorKind::usage, "beam search",
         "expected an engine with a sequence and a row of its batch for each of {} beams, got {} "
         "and {}",
         options.beams, engine->options().sequences, engine->options().batch);
  }
  if (prompt.empty()) {
    fail(ErrorKind::usage, "beam search", "expected a prompt of at least 1 token, got 0");
  }
  Session session(engine);
  BeamResult result = Search(*engine, options).run(session, prompt);
  const Tokenizer* tokenizer = engine->model().tokenizer.get();
  if (tokenizer == nullptr) return result;
  DecodeOptions decode;
  decode.strip_space_prefix = engine->model().config.reads_source() || prompt.size() <= 1;
  for (Hypothesis& h : result.hypotheses) {
    StreamDecoder decoder(*tokenizer, decode);  // whole characters only
    for (const int32_t token : h.tokens) h.text += decoder.push(token);
    h.text += decoder.finish();
  }
  return result;
}

BeamResult beam_search(const std::shared_ptr<Engine>& engine, std::string_view prompt,
                       const BeamOptions& options) {
  return beam_search(engine, prompt_ids(engine->model(), prompt), options);
}

}  // namespace bantam
