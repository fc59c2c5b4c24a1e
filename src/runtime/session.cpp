#include "runtime/session.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "base/error.h"
#include "runtime/screen_use.h"

namespace bantam {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Holds back text that may turn out to be the beginning of a stop string.
class StopFilter {
 public:
  explicit StopFilter(std::span<const std::string> stops) : stops_(stops) {}

  // What may be shown now.
  std::string push(std::string_view piece) {
    held_ += piece;
    size_t cut = held_.size();
    for (const std::string& stop : stops_) {
      if (stop.empty()) continue;
      if (const size_t at = held_.find(stop); at != std::string::npos) {
        found_ = true;
        cut = std::min(cut, at);
      }
    }
    if (!found_) cut = held_.size() - longest_beginning();
    std::string shown = held_.substr(0, cut);
    held_.erase(0, cut);
    return shown;
  }
  [[nodiscard]] bool found() const { return found_; }
  std::string rest() { return found_ ? std::string() : std::exchange(held_, {}); }

 private:
  [[nodiscard]] size_t longest_beginning() const {
    size_t longest = 0;
    for (const std::string& stop : stops_) {
      for (size_t n = std::min(stop.size() - (stop.empty() ? 0 : 1), held_.size()); n > longest;
           --n) {
        if (std::string_view(held_).ends_with(std::string_view(stop).substr(0, n))) longest = n;
      }
    }
    return longest;
  }

  std::span<const std::string> stops_;
  std::string held_;
  bool found_ = false;
};

}  // namespace

std::vector<int32_t> prompt_ids(const Model& model, std::string_view text) {
  if (model.tokenizer == nullptr) fail_without_tokenizer(model);
  const Tokenizer& tokenizer = *model.tokenizer;
  std::vector<int32_t> ids = tokenizer.encode(text);
  if (ids.empty()) {
    // Nothing to continue from: start as a new text would.
    ids.push_back(tokenizer.bos() >= 0 ? tokenizer.bos() : std::max(tokenizer.eos(), 0));
  }
  return ids;
}

void expect_no_source(const Model& model) {
  if (!model.config.reads_source()) return;
  fail(ErrorKind::model, model.name,
       "expected a model that continues text, got the encoder-decoder \"{}\" (see bantam run)",
       model.config.architecture);
}

std::string_view stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::eos:
      return "end of text";
    case StopReason::stop_string:
      return "stop string";
    case StopReason::max_tokens:
      return "token limit";
    case StopReason::context_full:
      return "context full";
    case StopReason::cancelled:
      return "cancelled";
  }
  return "";
}

Session::Session(std::shared_ptr<Engine> engine, int32_t sequence)
    : engine_(std::move(engine)),
      sequence_(sequence),
      logits_(static_cast<size_t>(engine_->vocab_size())) {
  if (!engine_->model().config.causal) {
    fail(ErrorKind::model, engine_->model().name,
         "expected a model that continues text, got the encoder \"{}\" (see bantam embed)",
         engine_->model().config.architecture);
  }
  if (sequence < 0 || sequence >= engine_->options().sequences) {
    fail(ErrorKind::usage, "session", "sequence: expected 0 to {}, got {}",
         engine_->options().sequences - 1, sequence);
  }
}

void Session::read(std::span<const int32_t> source) {
  const int32_t slot = std::min(sequence_, static_cast<int32_t>(engine_->options().sources) - 1);
  const Engine::SourceText text{slot, source};
  engine_->read(std::span(&text, 1));
  engine_->look_at(sequence_, slot);
  tokens_.clear();
}

std::span<const float> Session::feed(std::span<const int32_t> tokens) {
  if (tokens.empty()) complete_logits();
  return feed(tokens, 0);
}

// By reading the last token again.
void Session::complete_logits() {
  if (complete_ || tokens_.empty()) return;
  const int32_t last = tokens_.back();
  rewind(position() - 1);
  feed(std::span(&last, 1), 0);
}

std::span<const float> Session::feed(std::span<const int32_t> tokens, int32_t best) {
  const auto n = static_cast<int64_t>(tokens.size());
  if (n == 0) return logits_;
  if (position() + n > context()) {
    fail(ErrorKind::usage, "session",
         "expected a text that fits into the context of {} tokens, got {} tokens", context(),
         position() + n);
  }
  const int64_t batch = engine_->options().batch;
  for (int64_t begin = 0; begin < n; begin += batch) {
    const int64_t end = std::min(n, begin + batch);
    rows_.clear();
    for (int64_t i = begin; i < end; ++i) {
      rows_.push_back({tokens[static_cast<size_t>(i)], sequence_,
                       static_cast<int32_t>(position() + i - begin), i + 1 == n, best});
    }
    engine_->run(rows_, logits_);
    complete_ = best == 0 || !engine_->options().screened_head;
    tokens_.insert(tokens_.end(), tokens.begin() + begin, tokens.begin() + end);
  }
  return logits_;
}

void Session::rewind(int64_t length) {
  BANTAM_ASSERT(length >= 0 && length <= position());
  if (engine_->can_go_on(sequence_, length)) {
    engine_->truncate(sequence_, length);
    tokens_.resize(static_cast<size_t>(length));
    return;
  }
  const std::vector<int32_t> kept(tokens_.begin(), tokens_.begin() + length);
  tokens_.clear();
  feed(kept);
}

int64_t Session::share_prefix(std::span<const int32_t> text) {
  if (!tokens_.empty() || text.empty()) return 0;
  // The last token is read for its logits.
  const int64_t shared = engine_->share_prefix(sequence_, text.first(text.size() - 1));
  tokens_.assign(text.begin(), text.begin() + shared);
  return shared;
}

Session::Saved Session::save() {
  complete_logits();
  return {logits_, engine_->save(sequence_, position())};
}

void Session::restore(const Saved& saved) {
  engine_->restore(sequence_, saved.memory);
  tokens_ = saved.memory.tokens;
  logits_ = saved.logits;
  complete_ = true;
}

GenerateResult Session::generate(std::string_view prompt, const GenerateOptions& options,
                                 const OnText& on_text) {
  const Model& model = engine_->model();
  if (tokens_.empty() || model.config.reads_source()) {
    return generate(prompt_ids(model, prompt), options, on_text);
  }
  if (model.tokenizer == nullptr) fail_without_tokenizer(model);
  return generate(model.tokenizer->encode(prompt, {.special = false}), options, on_text);
}

GenerateResult Session::generate(std::span<const int32_t> prompt, const GenerateOptions& options,
                                 const OnText& on_text) {
  const Tokenizer* tokenizer = engine_->model().tokenizer.get();
  if (tokens_.empty() && prompt.empty()) {
    fail(ErrorKind::usage, "session", "expected a prompt of at least 1 token, got 0");
  }
  GenerateResult result;
  result.prompt_tokens = static_cast<int64_t>(prompt.size());
  TokenSampler sampler(options.sampler);
  StopFilter filter(options.stop);
  std::unique_ptr<StreamDecoder> decoder;
  DecodeOptions decode;
  const bool reads_source = engine_->model().config.reads_source();
  decode.strip_space_prefix = reads_source || (position() == 0 && prompt.size() <= 1);
  if (tokenizer != nullptr) decoder = std::make_unique<StreamDecoder>(*tokenizer, decode);
  const auto show = [&](const std::string& text) {
    if (text.empty()) return true;
    result.text += text;
    return !on_text || on_text(text);
  };

  const Clock::time_point start = Clock::now();
  if (reads_source) {
    read(prompt);
    prompt = std::span(&engine_->model().config.decoder_start_token, 1);
  }
  ScreenUse screen(sampler.decisive());
  if (prompt.empty()) complete_logits();
  int32_t best = screen.next();
  std::span<const float> logits = feed(prompt, best);
  result.prefill_seconds = seconds_since(start);
  int64_t computed = 0, logit_rows = 0;
  Clock::time_point first = start;
  while (true) {
    if (engine_->options().screened_head) {
      const int64_t rows = engine_->vocab_size() - std::ranges::count(logits, -INFINITY);
      screen.saw(best, static_cast<double>(rows) / static_cast<double>(engine_->vocab_size()));
      computed += rows;
      ++logit_rows;
    }
    const int32_t token = sampler.sample(logits, tokens_);
    if (result.tokens.empty()) {
      result.first_token_seconds = seconds_since(start);
      first = Clock::now();
    }
    const bool ends = (tokenizer != nullptr && token == tokenizer->eos()) ||
                      std::find(options.end_tokens.begin(), options.end_tokens.end(), token) !=
                          options.end_tokens.end();
    if (ends && !options.ignore_eos) {
      result.reason = StopReason::eos;
      break;
    }
    result.tokens.push_back(token);
    const bool go_on = decoder == nullptr || show(filter.push(decoder->push(token)));
    if (filter.found()) {
      result.reason = StopReason::stop_string;
      break;
    }
    if (!go_on) {
      result.reason = StopReason::cancelled;
      break;
    }
    if (options.max_tokens > 0 &&
        static_cast<int64_t>(result.tokens.size()) >= options.max_tokens) {
      result.reason = StopReason::max_tokens;
      break;
    }
    if (position() >= context()) {
      result.reason = StopReason::context_full;
      break;
    }
    best = screen.next();
    logits = feed(std::span(&token, 1), best);
  }
  result.decode_seconds = seconds_since(first);
  if (logit_rows > 0) {
    result.head_share =
        static_cast<double>(computed) / static_cast<double>(logit_rows * engine_->vocab_size());
  }
  if (decoder != nullptr && !filter.found()) {
    show(filter.push(decoder->finish()));
    show(filter.rest());
  }
  return result;
}

}  // namespace bantam
