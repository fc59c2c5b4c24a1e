#include "text/tokenizers/sentencepiece_unigram.h"

#include <algorithm>
#include <limits>

#include "text/unicode.h"

namespace bantam {

namespace {
// What an unknown character costs more than the least likely piece (SentencePiece's kUnkPenalty).
constexpr double kUnknownPenalty = 10;
}  // namespace

UnigramModel::UnigramModel(const std::vector<Piece>& pieces, double unknown_score)
    : unknown_score_(unknown_score) {
  std::vector<std::pair<std::string_view, int32_t>> texts;
  texts.reserve(pieces.size());
  for (const Piece& piece : pieces) {
    texts.emplace_back(piece.text, piece.id);
    if (static_cast<size_t>(piece.id) >= scores_.size()) {
      scores_.resize(static_cast<size_t>(piece.id) + 1);
    }
    scores_[static_cast<size_t>(piece.id)] = piece.score;
  }
  trie_ = Trie(std::move(texts));
}

void UnigramModel::segment(std::string_view text, std::vector<Cut>& cuts) const {
  struct Best {
    double score = -std::numeric_limits<double>::infinity();
    size_t begin = 0;
    int32_t id = -1;
    bool reached = false;
  };
  std::vector<Best> best(text.size() + 1);  // the best way to cut the text up to each place
  best[0] = {.score = 0, .reached = true};
  const auto offer = [&best](size_t begin, size_t end, int32_t id, double score) {
    const double sum = best[begin].score + score;
    if (best[end].reached && !(sum > best[end].score)) return;
    best[end] = {sum, begin, id, true};
  };
  for (size_t i = 0; i < text.size();) {
    const size_t character = decode_utf8(text, i).size;
    bool known = false;
    uint32_t node = Trie::kRoot;
    for (size_t j = i; j < text.size();) {
      node = trie_.step(node, text[j++]);
      if (node == 0) break;
      const int32_t id = trie_.id(node);
      if (id < 0) continue;
      known = known || j - i == character;
      offer(i, j, id, scores_[static_cast<size_t>(id)]);
    }
    if (!known) offer(i, i + character, -1, unknown_score_);
    i += character;
  }
  const size_t first = cuts.size();
  for (size_t end = text.size(); end > 0; end = best[end].begin) {
    cuts.push_back({best[end].id, best[end].begin, end});
  }
  std::reverse(cuts.begin() + static_cast<ptrdiff_t>(first), cuts.end());
}

SentencePieceUnigram::SentencePieceUnigram(TokenizerSpec spec, std::string_view where)
    : Tokenizer(std::move(spec)), normalise_(spec_, where) {
  byte_tokens_.fill(-1);
  double least = 0;
  bool space_is_token = false;
  std::vector<std::string> pieces(spec_.tokens.size());
  std::vector<UnigramModel::Piece> normal;
  for (size_t id = 0; id < pieces.size(); ++id) {
    const std::string_view token = spec_.tokens[id];
    const TokenType type = type_unchecked(id);
    pieces[id] = unmark_spaces(token);
    if (type == TokenType::normal) {
      const auto score = static_cast<double>(spec_.scores[id]);
      least = std::min(least, score);
      normal.push_back({token, static_cast<int32_t>(id), score});
      space_is_token = space_is_token || pieces[id] == " ";
      words_are_separate_ = words_are_separate_ && marked_word_end(token, 0) == token.size();
    } else if (const int byte = byte_token_value(token); type == TokenType::byte && byte >= 0) {
      pieces[id] = static_cast<char>(byte);
      byte_tokens_[static_cast<size_t>(byte)] = static_cast<int32_t>(id);
      byte_fallback_ = true;
    }
  }
  words_are_separate_ = words_are_separate_ && space_is_token;
  model_ = UnigramModel(normal, least - kUnknownPenalty);
  set_pieces(pieces);
}

void SentencePieceUnigram::encode_plain(std::string_view text, std::vector<int32_t>& out) const {
  const std::string marked = normalise_(text);
  if (!words_are_separate_) {
    encode_word(marked, out);
    return;
  }
  for (size_t begin = 0; begin < marked.size();) {
    const size_t end = marked_word_end(marked, begin);
    const std::string_view word = std::string_view(marked).substr(begin, end - begin);
    if (!cache_.find(word, out)) {
      const size_t first = out.size();
      encode_word(word, out);
      cache_.store(word, out.data() + first, out.size() - first);
    }
    begin = end;
  }
}

void SentencePieceUnigram::encode_word(std::string_view word, std::vector<int32_t>& out) const {
  std::vector<UnigramModel::Cut> cuts;
  model_.segment(word, cuts);
  bool after_unknown = false;
  for (const UnigramModel::Cut& cut : cuts) {
    if (cut.id >= 0) {
      out.push_back(cut.id);
    } else if (byte_fallback_) {
      for (const char c : word.substr(cut.begin, cut.end - cut.begin)) {
        const int32_t id = byte_tokens_[static_cast<uint8_t>(c)];
        if (id >= 0 || spec_.unk >= 0) out.push_back(id >= 0 ? id : spec_.unk);
      }
    } else if (!after_unknown && spec_.unk >= 0) {
      out.push_back(spec_.unk);
    }
    after_unknown = cut.id < 0;
  }
}

}  // namespace bantam
