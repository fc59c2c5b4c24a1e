#include "text/tokenizers/sentencepiece_bpe.h"

#include <algorithm>
#include <numeric>

#include "text/unicode.h"

namespace bantam {

namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  for (size_t begin = 0; begin < text.size();) {
    const size_t found = std::min(text.find(from, begin), text.size());
    out += text.substr(begin, found - begin);
    if (found < text.size()) out += to;
    begin = found + from.size();
  }
  return out;
}

// Where the word that starts at `begin` ends: before the next space mark that follows other text.
size_t word_end(std::string_view text, size_t begin) {
  size_t end = begin;
  while (text.substr(end).starts_with(kSpaceMark)) end += kSpaceMark.size();
  return std::min(text.find(kSpaceMark, end), text.size());
}

}  // namespace

std::string mark_spaces(std::string_view text) {
  return replace_all(text, " ", kSpaceMark);
}

int byte_token_value(std::string_view spelled) {
  if (spelled.size() != 6 || !spelled.starts_with("<0x") || spelled[5] != '>') return -1;
  int value = 0;
  for (const char c : spelled.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'A' || c > 'F')) return -1;
    value = value * 16 + (digit ? c - '0' : c - 'A' + 10);
  }
  return value;
}

SentencePieceBpe::SentencePieceBpe(TokenizerSpec spec)
    : Tokenizer(std::move(spec)), normal_(spec_.tokens.size()) {
  byte_tokens_.fill(spec_.unk);
  std::vector<std::string> pieces(spec_.tokens.size());
  const auto spelled = [this](int32_t id) -> std::string_view {
    return spec_.tokens[static_cast<size_t>(id)];
  };
  for (size_t id = 0; id < pieces.size(); ++id) {
    const std::string& token = spec_.tokens[id];
    const TokenType type = type_unchecked(id);
    pieces[id] = replace_all(token, kSpaceMark, " ");
    if (type == TokenType::normal) {
      normal_.add(static_cast<int32_t>(id), spelled);
      longest_ = std::max(longest_, token.size());
      words_are_separate_ = words_are_separate_ && word_end(token, 0) == token.size();
    } else if (const int byte = byte_token_value(token); type == TokenType::byte && byte >= 0) {
      pieces[id] = static_cast<char>(byte);
      byte_tokens_[static_cast<size_t>(byte)] = static_cast<int32_t>(id);
    }
  }
  set_pieces(pieces);
  set_ranks();
}

void SentencePieceBpe::set_ranks() {
  std::vector<uint32_t> order(spec_.scores.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [this](uint32_t a, uint32_t b) { return spec_.scores[a] > spec_.scores[b]; });
  ranks_.resize(order.size());
  for (size_t i = 0; i < order.size(); ++i) {
    const bool tied = i > 0 && spec_.scores[order[i]] == spec_.scores[order[i - 1]];
    ranks_[order[i]] = tied ? ranks_[order[i - 1]] : static_cast<uint32_t>(i);
  }
}

int32_t SentencePieceBpe::find_normal(std::string_view text) const {
  if (text.size() > longest_) return -1;
  return normal_.find(text, [this](int32_t id) -> std::string_view {
    return spec_.tokens[static_cast<size_t>(id)];
  });
}

void SentencePieceBpe::encode_plain(std::string_view text, std::vector<int32_t>& out) const {
  const std::string marked = mark_spaces(text);
  SymbolMerger merger;
  if (!words_are_separate_) {
    encode_word(marked, merger, out);
    return;
  }
  for (size_t begin = 0; begin < marked.size();) {
    const size_t end = word_end(marked, begin);
    const std::string_view word = std::string_view(marked).substr(begin, end - begin);
    if (!cache_.find(word, out)) {
      const size_t first = out.size();
      encode_word(word, merger, out);
      cache_.store(word, out.data() + first, out.size() - first);
    }
    begin = end;
  }
}

void SentencePieceBpe::encode_word(std::string_view word, SymbolMerger& merger,
                                   std::vector<int32_t>& out) const {
  const auto text_of = [word](const Symbol& s) { return word.substr(s.begin, s.end - s.begin); };
  merger.clear();
  for (size_t i = 0; i < word.size();) {
    const size_t end = i + decode_utf8(word, i).size;
    merger.append(static_cast<uint32_t>(i), static_cast<uint32_t>(end),
                  find_normal(word.substr(i, end - i)));
    i = end;
  }
  merger.run([&](const Symbol& left, const Symbol& right) -> Merge {
    const int32_t id = find_normal(word.substr(left.begin, right.end - left.begin));
    return id < 0 ? Merge{0, -1} : Merge{ranks_[static_cast<size_t>(id)], id};
  });
  for (const Symbol& s : merger.symbols) {
    if (s.begin == s.end) continue;
    if (s.id >= 0) {
      out.push_back(s.id);
      continue;
    }
    for (const char c : text_of(s)) {
      const int32_t id = byte_tokens_[static_cast<uint8_t>(c)];
      if (id >= 0) out.push_back(id);
    }
  }
}

}  // namespace bantam
