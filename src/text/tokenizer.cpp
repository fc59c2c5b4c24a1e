#include "text/tokenizer.h"

#include "base/error.h"
#include "text/hf/tokenizer_json.h"
#include "text/tokenizers/byte_level_bpe.h"
#include "text/tokenizers/sentencepiece_bpe.h"
#include "text/tokenizers/sentencepiece_unigram.h"
#include "text/tokenizers/word_piece.h"
#include "text/unicode.h"

namespace bantam {

namespace {
// Positions in a text are 32-bit numbers while it is merged.
constexpr size_t kMaxTextBytes = size_t{1} << 31;

std::vector<bool> marked(const std::vector<int32_t>& ids, size_t count) {
  std::vector<bool> marks(ids.empty() ? 0 : count);
  for (const int32_t id : ids) marks[static_cast<size_t>(id)] = true;
  return marks;
}

std::string_view without_leading_space(std::string_view text) {
  size_t begin = 0;
  while (begin < text.size() && (character_class(decode_utf8(text, begin).value) & kSpace) != 0) {
    begin += decode_utf8(text, begin).size;
  }
  return text.substr(begin);
}

size_t last_character(std::string_view text) {
  size_t last = text.size() - 1;
  while (last > 0 && text.size() - last < 4 && (text[last] & 0xC0) == 0x80) --last;
  return last;
}

bool stands_alone(std::string_view text, const SpecialMatcher::Match& match) {
  const auto is_word = [](std::string_view t, size_t position) {
    const char32_t c = decode_utf8(t, position).value;
    return c == '_' || (character_class(c) & (kLetter | kMark | kNumber)) != 0;
  };
  const std::string_view before = text.substr(0, match.position);
  const std::string_view after = text.substr(match.position + match.size);
  return (before.empty() || !is_word(before, last_character(before))) &&
         (after.empty() || !is_word(after, 0));
}

std::string_view without_trailing_space(std::string_view text) {
  while (!text.empty()) {
    const size_t last = last_character(text);
    const CodePoint c = decode_utf8(text, last);
    if (last + c.size != text.size() || (character_class(c.value) & kSpace) == 0) break;
    text.remove_suffix(c.size);
  }
  return text;
}

}  // namespace

Tokenizer::Tokenizer(TokenizerSpec spec) : spec_(std::move(spec)), index_(spec_.tokens.size()) {
  const auto spelled = [this](int32_t id) -> std::string_view {
    return spec_.tokens[static_cast<size_t>(id)];
  };
  if (spec_.add_bos) before_ = {spec_.bos};
  if (spec_.add_eos) after_ = {spec_.eos};
  if (spec_.add_space_prefix) strip_ = Strip::after_special;
  strips_left_ = marked(spec_.strip_left, spec_.tokens.size());
  strips_right_ = marked(spec_.strip_right, spec_.tokens.size());
  // Normal tokens first: where a special token is spelled like one, merges mean the normal one.
  for (const bool normal : {true, false}) {
    for (int32_t id = 0; id < vocab_size(); ++id) {
      if ((type_unchecked(static_cast<size_t>(id)) == TokenType::normal) == normal) {
        if (!index_.add(id, spelled)) are_unique_ = false;
      }
    }
  }
}

void Tokenizer::set_pieces(StringTable pieces) {
  pieces_ = std::move(pieces);
  pieces_.shrink_to_fit();
  for (size_t id = 0; id < pieces_.size(); ++id) {
    const TokenType type = type_unchecked(id);
    if (type == TokenType::user_defined) user_defined_.add(pieces_[id], static_cast<int32_t>(id));
    if (type == TokenType::user_defined || type == TokenType::control ||
        type == TokenType::unknown) {
      specials_.add(pieces_[id], static_cast<int32_t>(id));
    }
  }
}

std::string_view Tokenizer::piece(int32_t id) const {
  if (id < 0 || id >= vocab_size()) {
    fail(ErrorKind::usage, "tokenizer", "expected a token id from 0 to {}, got {}",
         vocab_size() - 1, id);
  }
  return pieces_[static_cast<size_t>(id)];
}

TokenType Tokenizer::type(int32_t id) const {
  if (id < 0 || id >= vocab_size()) {
    fail(ErrorKind::usage, "tokenizer", "expected a token id from 0 to {}, got {}",
         vocab_size() - 1, id);
  }
  return type_unchecked(static_cast<size_t>(id));
}

std::optional<int32_t> Tokenizer::find(std::string_view spelled) const {
  const int32_t id = index_.find(spelled, [this](int32_t i) -> std::string_view {
    return spec_.tokens[static_cast<size_t>(i)];
  });
  return id < 0 ? std::nullopt : std::optional(id);
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  if (text.size() > kMaxTextBytes) {
    fail(ErrorKind::usage, "tokenizer", "expected a text of at most {} bytes, got {}",
         kMaxTextBytes, text.size());
  }
  std::vector<int32_t> out;
  if (options.special) out = before_;
  encode_text(text, options.parse_special, out);
  if (options.special) out.insert(out.end(), after_.begin(), after_.end());
  return out;
}

void Tokenizer::encode_text(std::string_view text, bool parse_special,
                            std::vector<int32_t>& out) const {
  split_special(parse_special ? specials_ : user_defined_, text, out,
                [&](std::string_view fragment) { encode_plain(fragment, out); });
}

void Tokenizer::split_special(const SpecialMatcher& matcher, std::string_view text,
                              std::vector<int32_t>& out,
                              const std::function<void(std::string_view)>& on_fragment) const {
  for (size_t begin = 0; begin < text.size();) {
    SpecialMatcher::Match match = matcher.find(text, begin);
    while (match.id >= 0 && !single_word_.empty() && single_word_[static_cast<size_t>(match.id)] &&
           !stands_alone(text, match)) {
      match = matcher.find(text, match.position + match.size);
    }
    std::string_view fragment = text.substr(begin, match.position - begin);
    begin = match.position + match.size;
    const auto id = static_cast<size_t>(match.id);
    if (match.id >= 0 && !strips_left_.empty() && strips_left_[id]) {
      fragment = without_trailing_space(fragment);
    }
    if (!fragment.empty()) on_fragment(fragment);
    if (match.id < 0) continue;
    out.push_back(match.id);
    if (!strips_right_.empty() && strips_right_[id]) {
      begin = text.size() - without_leading_space(text.substr(begin)).size();
    }
  }
}

// Undoes encode_fragment: the space that begins a fragment is dropped.
void Tokenizer::decode_one(int32_t id, const DecodeOptions& options, bool& after_special,
                           std::string& out) const {
  const TokenType t = type(id);
  const bool hidden = t == TokenType::control || t == TokenType::unknown;
  const bool special = hidden || t == TokenType::user_defined;
  if (!hidden || options.special) {
    std::string_view text = piece(id);
    const bool strip = strip_ != Strip::never && after_special && !special;
    if (strip && text.starts_with(' ')) text.remove_prefix(1);
    out += text;
  }
  // A hidden token at the start of a continued text says nothing about what stands before.
  if (!special) {
    after_special = false;
  } else if (strip_ == Strip::after_special) {
    after_special = after_special || options.strip_space_prefix;
  } else if (!hidden || options.special) {
    after_special = false;
  }
}

std::string Tokenizer::decode(std::span<const int32_t> ids, DecodeOptions options) const {
  std::string out;
  bool after_special = options.strip_space_prefix;
  for (const int32_t id : ids) decode_one(id, options, after_special, out);
  return out;
}

std::string StreamDecoder::push(int32_t id) {
  tokenizer_.decode_one(id, options_, after_special_, held_);
  const size_t ready = held_.size() - incomplete_utf8_suffix(held_);
  std::string out = to_valid_utf8(std::string_view(held_).substr(0, ready));
  held_.erase(0, ready);
  return out;
}

std::string StreamDecoder::finish() {
  std::string out = to_valid_utf8(held_);
  held_.clear();
  after_special_ = options_.strip_space_prefix;
  return out;
}

std::unique_ptr<Tokenizer> make_tokenizer(TokenizerSpec spec, std::string_view where) {
  check_tokenizer_spec(spec, where);
  if (spec.model == "gpt2") return std::make_unique<ByteLevelBpe>(std::move(spec), where);
  if (spec.model == "t5") return std::make_unique<SentencePieceUnigram>(std::move(spec), where);
  if (spec.model == "tokenizer.json") return make_json_tokenizer(std::move(spec), where);
  if (spec.model == "bert") return std::make_unique<WordPiece>(std::move(spec));
  return std::make_unique<SentencePieceBpe>(std::move(spec), where);
}

}  // namespace bantam
