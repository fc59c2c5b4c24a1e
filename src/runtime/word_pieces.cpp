#include "runtime/word_pieces.h"

#include <algorithm>

namespace bantam {

WordPieces::WordPieces(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {
  for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    const TokenType type = tokenizer.type(id);
    if (type == TokenType::control || type == TokenType::unknown) {
      ends_.push_back(id);
    } else if (!tokenizer.piece(id).empty()) {
      ids_.push_back(id);
    }
  }
  std::stable_sort(ids_.begin(), ids_.end(),
                   [&](int32_t a, int32_t b) { return tokenizer.piece(a) < tokenizer.piece(b); });
  kinds_.reserve(ids_.size());
  for (const int32_t id : ids_) kinds_.push_back(kind_of(tokenizer.piece(id)));
}

WordPieces::Kind WordPieces::kind_of(std::string_view piece) {
  const bool rest = std::all_of(piece.begin() + 1, piece.end(), in_word);
  if (in_word(piece.front())) return rest ? Kind::goes_on : Kind::mixed;
  return piece.front() == ' ' && rest ? Kind::begins_word : Kind::boundary;
}

WordPieces::Range WordPieces::starting_with(std::string_view text) const {
  const auto cut = [&](int32_t id) { return tokenizer_.piece(id).substr(0, text.size()); };
  const auto begin =
      std::partition_point(ids_.begin(), ids_.end(), [&](int32_t id) { return cut(id) < text; });
  const auto end =
      std::partition_point(begin, ids_.end(), [&](int32_t id) { return cut(id) == text; });
  return {static_cast<uint32_t>(begin - ids_.begin()), static_cast<uint32_t>(end - ids_.begin())};
}

WordPieces::Range WordPieces::equal_to(std::string_view text) const {
  const Range range = starting_with(text);
  uint32_t end = range.begin;
  // The shortest come first.
  while (end < range.end && piece(end).size() == text.size()) ++end;
  return {range.begin, end};
}

}  // namespace bantam
