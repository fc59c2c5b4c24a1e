#include "text/llama2c_tokenizer.h"

#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "text/tokenizers/sentencepiece_normaliser.h"

namespace bantam {

namespace {

class Reader {
 public:
  Reader(std::span<const std::byte> bytes, std::string_view name) : bytes_(bytes), name_(name) {}

  int32_t i32(std::string_view field) {
    const std::string_view raw = take(4, field);
    uint32_t value = 0;
    for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<uint8_t>(raw[i]);
    return static_cast<int32_t>(value);
  }

  std::string_view take(size_t size, std::string_view field) {
    if (bytes_.size() - position_ < size) {
      fail(ErrorKind::format, name_, "{} at offset {}: expected {} bytes, got the end of the file",
           field, position_, size);
    }
    const char* begin = reinterpret_cast<const char*>(bytes_.data()) + position_;
    position_ += size;
    return {begin, size};
  }

  [[nodiscard]] size_t left() const { return bytes_.size() - position_; }

 private:
  std::span<const std::byte> bytes_;
  std::string_view name_;
  size_t position_ = 0;
};

std::string read_token(Reader& in, int32_t id, int32_t longest, std::string_view name) {
  const int32_t length = in.i32("token length");
  if (length < 0 || length > longest) {
    fail(ErrorKind::format, name, "token {}: expected a length from 0 to {}, got {}", id, longest,
         length);
  }
  return std::string(in.take(static_cast<size_t>(length), "token text"));
}

}  // namespace

TokenizerSpec parse_llama2c_tokenizer(std::span<const std::byte> bytes, int32_t vocab_size,
                                      std::string_view name) {
  if (vocab_size < 3) {
    fail(ErrorKind::format, name, "expected a vocabulary of at least 3 tokens, got {}", vocab_size);
  }
  Reader in(bytes, name);
  const int32_t longest = in.i32("max_token_length");
  TokenizerSpec spec;
  spec.model = "llama";
  spec.unk = 0;
  spec.bos = 1;
  spec.eos = 2;
  spec.add_bos = true;
  spec.add_space_prefix = true;
  for (int32_t id = 0; id < vocab_size; ++id) {
    spec.scores.push_back(std::bit_cast<float>(in.i32("token score")));
    const std::string text = read_token(in, id, longest, name);
    spec.tokens.push_back(mark_spaces(text));
    spec.types.push_back(byte_token_value(text) >= 0 ? TokenType::byte : TokenType::normal);
  }
  if (in.left() > 0) {
    fail(ErrorKind::format, name,
         "expected the end of the file after {} tokens, got {} more bytes; is the vocabulary "
         "larger?",
         vocab_size, in.left());
  }
  // The exporter writes "\n<s>\n" for what the model calls <s>.
  const char* special[] = {"<unk>", "<s>", "</s>"};
  for (size_t id = 0; id < 3; ++id) {
    spec.tokens.set(id, special[id]);
    spec.types[id] = id == 0 ? TokenType::unknown : TokenType::control;
  }
  check_tokenizer_spec(spec, name);
  return spec;
}

TokenizerSpec read_llama2c_tokenizer(const std::string& path, int32_t vocab_size) {
  return parse_llama2c_tokenizer(MappedFile::open(path)->bytes(), vocab_size, path);
}

}  // namespace bantam
