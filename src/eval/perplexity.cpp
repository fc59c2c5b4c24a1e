#include "eval/perplexity.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "eval/logits.h"
#include "eval/row_losses.h"

namespace bantam {
namespace {

EvaluateOptions complete(const Model& model, EvaluateOptions o) {
  if (o.context == 0) o.context = model.config.context_length;
  if (o.context < 2) fail(ErrorKind::usage, "context", "expected at least 2, got {}", o.context);
  if (o.stride == 0) o.stride = o.context;
  if (o.stride < 1 || o.stride > o.context) {
    fail(ErrorKind::usage, "stride", "expected 1 to {} (the context), got {}", o.context, o.stride);
  }
  return o;
}

std::vector<Window> windows_of(const Model& model, std::span<const TokenText> texts,
                               const EvaluateOptions& o) {
  const bool reads_source = model.config.reads_source();
  const bool add_bos = model.tokenizer != nullptr && model.tokenizer->spec().add_bos;
  const int32_t bos = reads_source ? model.config.decoder_start_token
                      : add_bos    ? model.tokenizer->bos()
                                   : -1;
  std::vector<Window> windows;
  int64_t left = o.limit > 0 ? o.limit : INT64_MAX;
  for (const TokenText& whole : texts) {
    if (left <= 0) break;
    TokenText text = whole;
    if (reads_source && static_cast<int64_t>(text.ids.size()) > o.context) {
      fail(ErrorKind::usage, "texts", "expected targets of at most {} tokens (the context), got {}",
           o.context, text.ids.size());
    }
    const int64_t unscored = bos >= 0 ? 0 : 1;
    if (static_cast<int64_t>(text.ids.size()) - unscored > left) {
      text.ids.resize(static_cast<size_t>(left + unscored));
    }
    for (Window& w : make_windows(text, o.context, o.stride, bos)) {
      left -= w.scored;
      windows.push_back(std::move(w));
    }
  }
  if (windows.empty()) {
    fail(ErrorKind::usage, "texts", "expected at least 2 tokens of text, got fewer");
  }
  return windows;
}

DivergenceResult evaluate(const std::shared_ptr<const Model>& model,
                          const std::shared_ptr<const Model>& reference,
                          std::span<const TokenText> texts, const EvaluateOptions& given) {
  const EvaluateOptions o = complete(*model, given);
  const std::vector<Window> windows = windows_of(*model, texts, o);
  const auto start = std::chrono::steady_clock::now();
  EngineOptions options;
  options.threads = o.threads;
  options.context = o.context;
  options.cache_type = o.cache_type;
  options.exact = o.exact;
  const auto other = reference == nullptr ? nullptr : make_logits_engine(reference, options);
  options.cache_window = o.cache_window;
  options.cache_sinks = o.cache_sinks;
  options.cache_heavy = o.cache_heavy;
  const auto engine = make_logits_engine(model, options);
  RowLosses losses(engine->options().batch, engine->vocab_size(), o.threads, other != nullptr);

  DivergenceResult r;
  std::vector<float> expected;  // the reference's logits of one run
  if (other != nullptr) {
    expected.resize(static_cast<size_t>(other->options().batch * other->vocab_size()));
  }
  double kl = 0;
  int64_t agreements = 0;
  for (size_t i = 0; i < windows.size(); ++i) {
    const Window& w = windows[i];
    if (model->config.reads_source()) {
      read_source(*engine, w.source);
      if (other != nullptr) read_source(*other, w.source);
    }
    for_each_logits(
        *engine, w.inputs, 0, [&](int64_t at, int64_t n, std::span<const float> logits) {
          const auto targets =
              std::span(w.targets).subspan(static_cast<size_t>(at), static_cast<size_t>(n));
          if (other != nullptr) run_logits(*other, w.inputs, at, n, expected);
          const auto rows = losses(logits, expected, targets);
          for (size_t row = 0; row < rows.size(); ++row) {
            if (targets[row] < 0) continue;
            r.model.nll += rows[row].nll;
            r.reference.nll += rows[row].reference_nll;
            kl += rows[row].kl;
            r.max_kl = std::max<double>(r.max_kl, rows[row].kl);
            agreements += rows[row].agrees ? 1 : 0;
          }
        });
    r.model.tokens += w.scored;
    r.model.words += w.words;
    r.model.bytes += w.bytes;
    const double done = static_cast<double>(i + 1) / static_cast<double>(windows.size());
    if (o.on_progress && !o.on_progress(done)) break;
  }
  r.reference.tokens = r.model.tokens;
  r.reference.words = r.model.words;
  r.reference.bytes = r.model.bytes;
  r.mean_kl = kl / static_cast<double>(r.model.tokens);
  r.top1_agreement = static_cast<double>(agreements) / static_cast<double>(r.model.tokens);
  r.model.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return r;
}

}  // namespace

PerplexityResult perplexity(std::shared_ptr<const Model> model, std::span<const TokenText> texts,
                            const EvaluateOptions& options) {
  return evaluate(model, nullptr, texts, options).model;
}

DivergenceResult divergence(std::shared_ptr<const Model> model,
                            std::shared_ptr<const Model> reference,
                            std::span<const TokenText> texts, const EvaluateOptions& options) {
  if (model->config.reads_source() != reference->config.reads_source()) {
    fail(ErrorKind::model, reference->name,
         "expected two encoder-decoders or none, got \"{}\" and \"{}\"", model->config.architecture,
         reference->config.architecture);
  }
  if (model->config.vocab_size != reference->config.vocab_size) {
    fail(ErrorKind::model, reference->name, "expected a vocabulary of {} tokens, got {}",
         model->config.vocab_size, reference->config.vocab_size);
  }
  return evaluate(model, reference, texts, options);
}

}  // namespace bantam
