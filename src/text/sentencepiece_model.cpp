#include "text/sentencepiece_model.h"

#include <bit>

#include "base/error.h"
#include "base/file.h"

namespace bantam {

namespace {

// Walks the fields of one protocol buffer message (protobuf.dev, "Encoding").
class Message {
 public:
  Message(std::string_view bytes, std::string_view name) : bytes_(bytes), name_(name) {}

  // The next field; false at the end.
  bool next() {
    if (position_ == bytes_.size()) return false;
    const uint64_t key = varint();
    number_ = key >> 3;
    type_ = static_cast<int>(key & 7);
    switch (type_) {
      case 0:
        value_ = varint();
        break;
      case 1:
        value_ = fixed(8);
        break;
      case 2: {
        const uint64_t size = varint();
        if (size > bytes_.size() - position_) {
          fail(ErrorKind::format, name_, "field {} at offset {}: expected {} bytes, got {}",
               number_, position_, size, bytes_.size() - position_);
        }
        text_ = bytes_.substr(position_, size);
        position_ += size;
        break;
      }
      case 5:
        value_ = fixed(4);
        break;
      default:
        fail(ErrorKind::format, name_,
             "field {} at offset {}: expected a wire type 0, 1, 2 or 5, "
             "got {}",
             number_, position_, type_);
    }
    return true;
  }

  [[nodiscard]] uint64_t number() const { return number_; }
  [[nodiscard]] std::string_view text() const {
    expect(2);
    return text_;
  }
  [[nodiscard]] int64_t integer() const {
    expect(0);
    return static_cast<int64_t>(value_);
  }
  [[nodiscard]] float real() const {
    expect(5);
    return std::bit_cast<float>(static_cast<uint32_t>(value_));
  }
  [[nodiscard]] Message message() const { return {text(), name_}; }

 private:
  void expect(int type) const {
    if (type_ == type) return;
    fail(ErrorKind::format, name_, "field {}: expected wire type {}, got {}", number_, type, type_);
  }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint64_t byte = fixed(1);
      value |= (byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    fail(ErrorKind::format, name_, "offset {}: expected a number of at most 10 bytes, got more",
         position_);
  }

  uint64_t fixed(size_t size) {
    if (size > bytes_.size() - position_) {
      fail(ErrorKind::format, name_, "offset {}: expected {} bytes, got the end", position_, size);
    }
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;) {
      value = value << 8 | static_cast<uint8_t>(bytes_[position_ + i]);
    }
    position_ += size;
    return value;
  }

  std::string_view bytes_, name_, text_;
  size_t position_ = 0;
  uint64_t number_ = 0, value_ = 0;
  int type_ = 0;
};

// What the file says beside the vocabulary, with the defaults of sentencepiece_model.proto.
struct Settings {
  int64_t model_type = 1;  // 1 unigram, 2 bpe, 3 word, 4 char
  bool space_suffix = false, byte_fallback = false;
  int64_t unk = 0, bos = 1, eos = 2, pad = -1;
  bool add_prefix = true, remove_extra = true, escape = true;
  std::string_view charsmap;
};

void read_piece(Message m, TokenizerSpec& spec) {
  std::string_view text;
  float score = 0;
  int64_t type = 1;
  while (m.next()) {
    if (m.number() == 1) text = m.text();
    if (m.number() == 2) score = m.real();
    if (m.number() == 3) type = m.integer();
  }
  spec.tokens.push_back(text);
  spec.scores.push_back(score);
  spec.types.push_back(static_cast<TokenType>(type));
}

void read_trainer(Message m, Settings& s) {
  while (m.next()) {
    if (m.number() == 3) s.model_type = m.integer();
    if (m.number() == 24) s.space_suffix = m.integer() != 0;
    if (m.number() == 35) s.byte_fallback = m.integer() != 0;
    if (m.number() == 40) s.unk = m.integer();
    if (m.number() == 41) s.bos = m.integer();
    if (m.number() == 42) s.eos = m.integer();
    if (m.number() == 43) s.pad = m.integer();
  }
}

void read_normaliser(Message m, Settings& s) {
  while (m.next()) {
    if (m.number() == 2) s.charsmap = m.text();
    if (m.number() == 3) s.add_prefix = m.integer() != 0;
    if (m.number() == 4) s.remove_extra = m.integer() != 0;
    if (m.number() == 5) s.escape = m.integer() != 0;
  }
}

}  // namespace

TokenizerSpec parse_sentencepiece_model(std::string_view bytes, std::string_view name) {
  TokenizerSpec spec;
  Settings settings;
  Message file(bytes, name);
  while (file.next()) {
    if (file.number() == 1) read_piece(file.message(), spec);
    if (file.number() == 2) read_trainer(file.message(), settings);
    if (file.number() == 3) read_normaliser(file.message(), settings);
  }
  if (settings.model_type != 1 && settings.model_type != 2) {
    fail(ErrorKind::format, name,
         "trainer_spec.model_type: expected 1 (unigram) or 2 (bpe), got {}", settings.model_type);
  }
  if (!settings.escape) {
    fail(ErrorKind::format, name, "normalizer_spec.escape_whitespaces: expected true, got false");
  }
  const auto id = [&](int64_t value) {
    return value >= 0 && value < static_cast<int64_t>(spec.tokens.size())
               ? static_cast<int32_t>(value)
               : -1;
  };
  spec.model = settings.model_type == 1 ? "t5" : "llama";
  spec.unk = id(settings.unk);
  spec.bos = id(settings.bos);
  spec.eos = id(settings.eos);
  spec.pad = id(settings.pad);
  spec.add_space_prefix = settings.add_prefix;
  spec.remove_extra_spaces = settings.remove_extra;
  spec.space_suffix = settings.space_suffix;
  spec.charsmap = settings.charsmap;
  check_tokenizer_spec(spec, name);
  return spec;
}

TokenizerSpec read_sentencepiece_model(const std::string& path) {
  const auto file = MappedFile::open(path);
  const auto bytes = file->bytes();
  return parse_sentencepiece_model({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                                   path);
}

}  // namespace bantam
