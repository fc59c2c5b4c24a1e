#include "text/tokenizers/word_piece.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/tokenizers/bert_words.h"
#include "text/unicode.h"

namespace bantam {

namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581
constexpr size_t kLongestWord = 100;

bool has_characters_over(std::string_view word, size_t limit) {
  size_t count = 0;
  for (size_t i = 0; i < word.size() && count <= limit; ++count) i += decode_utf8(word, i).size;
  return count > limit;
}

// The space before a closing mark is not shown: "Hello, world."
bool closes(std::string_view piece) {
  return piece == "." || piece == "?" || piece == "!" || piece == ",";
}

}  // namespace

void mark_word_starts(TokenizerSpec& spec) {
  StringTable marked;
  for (size_t id = 0; id < spec.tokens.size(); ++id) {
    const std::string_view token = spec.tokens[id];
    if (spec.types[id] != TokenType::normal) {
      marked.push_back(token);
    } else if (token.starts_with("##")) {
      marked.push_back(token.substr(2));
    } else {
      marked.push_back(fmt::format("{}{}", kSpaceMark, token));
    }
  }
  spec.tokens = std::move(marked);
}

void WordPieceModel::encode(std::string_view word, std::vector<int32_t>& out) const {
  const size_t first = out.size();
  bool known = !has_characters_over(word, longest_word_);
  for (size_t begin = 0; known && begin < word.size();) {
    const Trie& trie = begin == 0 ? begin_ : inside_;
    size_t end = begin;
    int32_t id = -1;
    uint32_t node = Trie::kRoot;
    for (size_t i = begin; i < word.size();) {
      node = trie.step(node, word[i++]);
      if (node == 0) break;
      if (trie.id(node) < 0) continue;
      id = trie.id(node);
      end = i;
    }
    known = id >= 0;
    if (known) out.push_back(id);
    begin = end;
  }
  if (known) return;
  out.resize(first);
  if (unk_ >= 0) out.push_back(unk_);
}

WordPiece::WordPiece(TokenizerSpec spec) : Tokenizer(std::move(spec)) {
  strip_ = Strip::after_special;
  const bool marked = std::ranges::any_of(
      spec_.tokens, [](std::string_view t) { return t.starts_with(kSpaceMark); });
  std::vector<std::string> pieces(spec_.tokens.size());
  std::vector<std::pair<std::string_view, int32_t>> begin, inside;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const std::string_view token = spec_.tokens[i];
    const auto id = static_cast<int32_t>(i);
    pieces[i] = token;
    if (type_unchecked(i) != TokenType::normal) continue;
    const bool starts = marked ? token.starts_with(kSpaceMark) : !token.starts_with("##");
    const std::string_view text =
        token.substr(marked ? (starts ? kSpaceMark.size() : 0) : (starts ? 0 : 2));
    (starts ? begin : inside).emplace_back(text, id);
    pieces[i] = starts && !closes(text) ? fmt::format(" {}", text) : std::string(text);
  }
  model_ = WordPieceModel(Trie(std::move(begin)), Trie(std::move(inside)), spec_.unk, kLongestWord);
  set_pieces(pieces);
}

void WordPiece::encode_plain(std::string_view text, std::vector<int32_t>& out) const {
  const std::string clean =
      bert_normalise(text, {.strip_accents = spec_.strip_accents, .lower_case = spec_.lower_case});
  for (size_t i = skip_white_space(clean, 0); i < clean.size(); i = skip_white_space(clean, i)) {
    const size_t end = bert_word_end(clean, i);
    const std::string_view word = std::string_view(clean).substr(i, end - i);
    if (!cache_.find(word, out)) {
      const size_t first = out.size();
      model_.encode(word, out);
      cache_.store(word, out.data() + first, out.size() - first);
    }
    i = end;
  }
}

}  // namespace bantam
