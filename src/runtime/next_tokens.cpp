#include "runtime/next_tokens.h"

#include <algorithm>

#include "cpu/softmax/table.h"

namespace bantam {

std::span<const NextTokens::Token> NextTokens::in(WordPieces::Range range) const {
  const auto by_rank = [](const Token& t, uint32_t rank) { return t.rank < rank; };
  const auto begin = std::lower_bound(tokens.begin(), tokens.end(), range.begin, by_rank);
  return {begin, std::lower_bound(begin, tokens.end(), range.end, by_rank)};
}

size_t NextTokensMemo::Hash::operator()(const std::vector<int32_t>& ids) const {
  uint64_t h = 0xcbf29ce484222325;
  for (const int32_t id : ids) h = (h ^ static_cast<uint32_t>(id)) * 0x9e3779b97f4a7c15;
  return static_cast<size_t>(h ^ h >> 32);
}

size_t NextTokensMemo::bytes_of(const std::vector<int32_t>& text, const NextTokens& next) {
  return text.size() * sizeof(int32_t) + next.tokens.capacity() * sizeof(NextTokens::Token);
}

const NextTokens* NextTokensMemo::find(const std::vector<int32_t>& text) {
  const auto found = known_.find(text);
  if (found == known_.end()) return nullptr;
  found->second.used = ++now_;
  return &found->second;
}

const NextTokens& NextTokensMemo::add(const std::vector<int32_t>& text,
                                      std::span<const float> logits) {
  probabilities_.resize(logits.size());
  cpu::softmax_kernels().softmax(logits.data(), probabilities_.data(), 1,
                                 static_cast<int64_t>(logits.size()));
  NextTokens next;
  next.used = ++now_;
  for (const int32_t id : pieces_.ends()) next.boundary += probabilities_[static_cast<size_t>(id)];
  // Without branches, and in sums that do not wait for each other.
  worth_.resize(pieces_.size());
  double sums[4] = {};
  size_t count = 0;
  for (uint32_t rank = 0; rank < pieces_.size(); ++rank) {
    const float p = probabilities_[static_cast<size_t>(pieces_.id(rank))];
    sums[rank % 4] += pieces_.is_boundary(rank) ? p : 0.0F;
    worth_[count] = {rank, p};
    count += p >= least_ ? 1 : 0;
  }
  next.boundary += (sums[0] + sums[1]) + (sums[2] + sums[3]);
  next.tokens.assign(worth_.begin(), worth_.begin() + static_cast<std::ptrdiff_t>(count));
  bytes_ += bytes_of(text, next);
  return known_.insert_or_assign(text, std::move(next)).first->second;
}

void NextTokensMemo::forget_old() {
  if (bytes_ <= most_bytes_ || known_.empty()) return;
  std::vector<int64_t> used;
  for (const auto& [unused, next] : known_) used.push_back(next.used);
  const auto middle = used.begin() + static_cast<std::ptrdiff_t>(used.size() / 2);
  std::nth_element(used.begin(), middle, used.end());
  std::erase_if(known_, [&](const auto& text_next) { return text_next.second.used <= *middle; });
  bytes_ = 0;
  for (const auto& [text, next] : known_) bytes_ += bytes_of(text, next);
}

}  // namespace bantam
