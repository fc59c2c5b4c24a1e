#include "runtime/branches.h"

#include <algorithm>

#include "base/error.h"

namespace bantam {

Branches::Branches(std::shared_ptr<Engine> engine)
    : engine_(std::move(engine)),
      sequences_(static_cast<size_t>(engine_->options().sequences)),
      logits_(width() * static_cast<size_t>(engine_->vocab_size())) {
  BANTAM_ASSERT(width() > 0);
}

// The state of a recurrent model cannot be taken back to where texts part: sequence 0 stays there.
size_t Branches::width() const {
  return sequences_.size() - (engine_->recurrent() ? 1 : 0);
}

std::span<const float> Branches::run(std::span<const std::vector<int32_t>> texts, size_t shared) {
  BANTAM_ASSERT(!texts.empty() && texts.size() <= width());
  for (const auto& text : texts) {
    if (static_cast<int64_t>(text.size()) <= engine_->context()) continue;
    fail(ErrorKind::usage, "branches", "expected a text of at most {} tokens, got {}",
         engine_->context(), text.size());
  }
  ++now_;
  rows_.clear();
  for (Sequence& s : sequences_) s.tokens.resize(s.written);  // a run may have thrown
  const bool parted = texts.front().size() > shared;
  if (engine_->recurrent() && parted) hold(std::span(texts.front()).first(shared));
  for (const auto& text : texts) claim(text, engine_->recurrent() && parted ? 1 : 0);
  run_rows();
  return std::span(logits_).first(texts.size() * static_cast<size_t>(engine_->vocab_size()));
}

void Branches::hold(std::span<const int32_t> text) {
  Sequence& s = sequences_.front();
  const bool goes_on =
      s.tokens.size() <= text.size() && std::equal(s.tokens.begin(), s.tokens.end(), text.begin());
  if (!goes_on) s.written = 0;
  s.tokens.assign(text.begin(), text.end());
  add_rows(0, false);
  run_rows();
}

// Gives the text a sequence: of those that share most with it, the one that was idle longest.
void Branches::claim(const std::vector<int32_t>& text, size_t first) {
  size_t best = sequences_.size(), best_common = 0, source = 0, source_common = 0;
  for (size_t i = 0; i < sequences_.size(); ++i) {
    const Sequence& s = sequences_[i];
    const size_t n = common(s, text);
    if (n > source_common) source = i, source_common = n;
    if (i < first || s.used == now_) continue;
    const bool better = best == sequences_.size() || n > best_common ||
                        (n == best_common && s.used < sequences_[best].used);
    if (better) best = i, best_common = n;
  }
  if (source_common > best_common) {
    engine_->copy(static_cast<int32_t>(source), static_cast<int32_t>(best),
                  static_cast<int64_t>(source_common));
  }
  Sequence& s = sequences_[best];
  s.tokens = text;
  s.written = std::max(source_common, best_common);
  s.used = now_;
  add_rows(best, true);
}

// How much of a text a sequence has read; not all of it, as the last token gives the logits.
size_t Branches::common(const Sequence& s, std::span<const int32_t> text) const {
  const size_t most = std::min(s.written, text.size());
  const auto same = static_cast<size_t>(
      std::mismatch(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(most),
                    s.tokens.begin())
          .first -
      text.begin());
  if (!engine_->recurrent()) return std::min(same, text.size() - 1);
  return same == s.written && same < text.size() ? same : 0;
}

void Branches::add_rows(size_t sequence, bool logits) {
  const Sequence& s = sequences_[sequence];
  for (size_t i = s.written; i < s.tokens.size(); ++i) {
    rows_.push_back({s.tokens[i], static_cast<int32_t>(sequence), static_cast<int32_t>(i),
                     logits && i + 1 == s.tokens.size()});
  }
}

void Branches::run_rows() {
  const auto batch = static_cast<size_t>(engine_->options().batch);
  std::span<float> logits = logits_;
  for (size_t begin = 0; begin < rows_.size(); begin += batch) {
    const auto rows = std::span(rows_).subspan(begin, std::min(batch, rows_.size() - begin));
    engine_->run(rows, logits);
    const auto wanted = std::count_if(rows.begin(), rows.end(), [](auto& r) { return r.logits; });
    logits = logits.subspan(static_cast<size_t>(wanted * engine_->vocab_size()));
  }
  count_ += static_cast<int64_t>(rows_.size());
  rows_.clear();
  for (Sequence& s : sequences_) s.written = s.tokens.size();
}

}  // namespace bantam
