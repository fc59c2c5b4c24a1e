#include "text/tokenizers/byte_alphabet.h"

#include "text/unicode.h"

namespace bantam {

namespace {

constexpr bool stands_for_itself(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

constexpr char32_t kFirstStandIn = 0x100;
constexpr char32_t kAlphabetEnd = kFirstStandIn + 68;

struct Alphabet {
  std::array<uint8_t, 256> order{};
  std::array<char32_t, 256> character{};
  std::array<int16_t, kAlphabetEnd> byte{};
};

Alphabet make_alphabet() {
  Alphabet a;
  a.byte.fill(-1);
  size_t printable = 0;
  size_t other = 0;
  for (int byte = 0; byte < 256; ++byte) {
    const char32_t character = stands_for_itself(byte)
                                   ? static_cast<char32_t>(byte)
                                   : kFirstStandIn + static_cast<char32_t>(other);
    const size_t rank = stands_for_itself(byte) ? printable++ : 188 + other++;
    a.order[rank] = static_cast<uint8_t>(byte);
    a.character[static_cast<size_t>(byte)] = character;
    a.byte[character] = static_cast<int16_t>(byte);
  }
  return a;
}

const Alphabet& alphabet() {
  static const Alphabet instance = make_alphabet();
  return instance;
}

}  // namespace

const std::array<uint8_t, 256>& byte_alphabet_order() {
  return alphabet().order;
}

std::string spell_bytes(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) append_utf8(out, alphabet().character[static_cast<uint8_t>(c)]);
  return out;
}

std::optional<std::string> unspell_bytes(std::string_view spelled) {
  std::string out;
  out.reserve(spelled.size());
  for (size_t i = 0; i < spelled.size();) {
    const CodePoint c = decode_utf8(spelled, i);
    if (c.value >= kAlphabetEnd || alphabet().byte[c.value] < 0) return std::nullopt;
    out.push_back(static_cast<char>(alphabet().byte[c.value]));
    i += c.size;
  }
  return out;
}

}  // namespace bantam
