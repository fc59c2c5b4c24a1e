#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bantam {

// GPT-2's reversible map between bytes and printable characters (Radford et al. 2019): the 188
// printable bytes of Latin-1 stand for themselves, the other 68 for U+0100, U+0101, ... in order.
// Byte-level vocabularies spell their tokens in this alphabet ("Ġ" is a space, "Ċ" a line feed).

// The bytes in the order of the alphabet: printable ones first. GPT-2's token ids 0..255.
const std::array<uint8_t, 256>& byte_alphabet_order();

// "Ġt" for " t".
std::string spell_bytes(std::string_view bytes);

// " t" for "Ġt"; nothing when a character lies outside the alphabet.
std::optional<std::string> unspell_bytes(std::string_view spelled);

}  // namespace bantam
