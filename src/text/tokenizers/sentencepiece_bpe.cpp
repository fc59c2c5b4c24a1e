#include "text/tokenizers/sentencepiece_bpe.h"

#include <algorithm>
#include <numeric>

#include "text/unicode.h"

namespace bantam {

SentencePieceBpe::SentencePieceBpe(TokenizerSpec spec, std::string_view where)
    : Tokenizer(std::move(spec)), normalise_(spec_, where), normal_(spec_.tokens.size()) {
  byte_tokens_.fill(spec_.unk);
  std::vector<std::string> pieces(spec_.tokens.size());
  const auto spelled = [this](int32_t id) -> std::string_view {
    return spec_.tokens[static_cast<size_t>(id)];
  };
  for (size_t id = 0; id < pieces.size(); ++id) {
    const std::string_view token = spec_.tokens[id];
    const TokenType type = type_unchecked(id);
    pieces[id] = unmark_spaces(token);
    if (type == TokenType::normal) {
      normal_.add(static_cast<int32_t>(id), spelled);
      longest_ = std::max(longest_, token.size());
      words_are_separate_ = words_are_separate_ && marked_word_end(token, 0) == token.size();
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
  const std::string marked = normalise_(text);
  SymbolMerger merger;
  if (!words_are_separate_) {
    encode_word(marked, merger, out);
    return;
  }
  for (size_t begin = 0; begin < marked.size();) {
    const size_t end = marked_word_end(marked, begin);
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
