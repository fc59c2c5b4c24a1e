#include "text/tokenizer.h"

#include "base/error.h"
#include "text/tokenizers/byte_level_bpe.h"
#include "text/tokenizers/sentencepiece_bpe.h"
#include "text/unicode.h"

namespace bantam {

namespace {
// Positions in a text are 32-bit numbers while it is merged.
constexpr size_t kMaxTextBytes = size_t{1} << 31;
}  // namespace

Tokenizer::Tokenizer(TokenizerSpec spec) : spec_(std::move(spec)), index_(spec_.tokens.size()) {
  const auto spelled = [this](int32_t id) -> std::string_view {
    return spec_.tokens[static_cast<size_t>(id)];
  };
  // Normal tokens first: where a special token is spelled like one, merges mean the normal one.
  for (const bool normal : {true, false}) {
    for (int32_t id = 0; id < vocab_size(); ++id) {
      if ((type_unchecked(static_cast<size_t>(id)) == TokenType::normal) == normal) {
        index_.add(id, spelled);
      }
    }
  }
}

void Tokenizer::set_pieces(const std::vector<std::string>& pieces) {
  piece_offsets_.reserve(pieces.size() + 1);
  piece_offsets_.push_back(0);
  for (size_t id = 0; id < pieces.size(); ++id) {
    piece_bytes_ += pieces[id];
    if (piece_bytes_.size() > UINT32_MAX) {
      fail(ErrorKind::format, "tokenizer", "expected under 4 GiB of token text, got more");
    }
    piece_offsets_.push_back(static_cast<uint32_t>(piece_bytes_.size()));
    const TokenType type = type_unchecked(id);
    if (type == TokenType::user_defined) user_defined_.add(pieces[id], static_cast<int32_t>(id));
    if (type == TokenType::user_defined || type == TokenType::control ||
        type == TokenType::unknown) {
      specials_.add(pieces[id], static_cast<int32_t>(id));
    }
  }
}

std::string_view Tokenizer::piece(int32_t id) const {
  if (id < 0 || id >= vocab_size()) {
    fail(ErrorKind::usage, "tokenizer", "expected a token id from 0 to {}, got {}",
         vocab_size() - 1, id);
  }
  const auto i = static_cast<size_t>(id);
  return std::string_view(piece_bytes_)
      .substr(piece_offsets_[i], piece_offsets_[i + 1] - piece_offsets_[i]);
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
  if (options.special && spec_.add_bos) out.push_back(spec_.bos);
  const SpecialMatcher& matcher = options.parse_special ? specials_ : user_defined_;
  for (size_t begin = 0; begin < text.size();) {
    const SpecialMatcher::Match match = matcher.find(text, begin);
    if (match.position > begin) {
      encode_fragment(text.substr(begin, match.position - begin), out);
    }
    if (match.id >= 0) out.push_back(match.id);
    begin = match.position + match.size;
  }
  if (options.special && spec_.add_eos) out.push_back(spec_.eos);
  return out;
}

void Tokenizer::encode_fragment(std::string_view text, std::vector<int32_t>& out) const {
  if (!spec_.add_space_prefix) {
    encode_plain(text, out);
    return;
  }
  std::string prefixed;
  prefixed.reserve(text.size() + 1);
  prefixed += ' ';
  prefixed += text;
  encode_plain(prefixed, out);
}

// Undoes encode_fragment: the space that begins a fragment is dropped.
void Tokenizer::decode_one(int32_t id, const DecodeOptions& options, bool& after_special,
                           std::string& out) const {
  const TokenType t = type(id);
  const bool hidden = t == TokenType::control || t == TokenType::unknown;
  const bool special = hidden || t == TokenType::user_defined;
  if (!hidden || options.special) {
    std::string_view text = piece(id);
    const bool strip = spec_.add_space_prefix && after_special && !special;
    if (strip && text.starts_with(' ')) text.remove_prefix(1);
    out += text;
  }
  // A hidden token at the start of a continued text says nothing about what stands before.
  after_special = special ? after_special || options.strip_space_prefix : false;
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
  return std::make_unique<SentencePieceBpe>(std::move(spec));
}

}  // namespace bantam
