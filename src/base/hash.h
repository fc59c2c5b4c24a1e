#pragma once

#include <cstdint>
#include <string_view>

namespace bantam {

// A well-mixed 64-bit number for a hash table slot (the finaliser of MurmurHash3).
constexpr uint64_t mix_bits(uint64_t x) {
  x = (x ^ (x >> 33)) * 0xff51afd7ed558ccdu;
  x = (x ^ (x >> 33)) * 0xc4ceb9fe1a85ec53u;
  return x ^ (x >> 33);
}

// FNV-1a of 64 bits with a final mix (MurmurHash3's), so that every bit of the result is usable.
// The same on every machine; `seed` chains calls.
inline uint64_t hash_bytes(std::string_view bytes, uint64_t seed = 0xcbf29ce484222325u) {
  uint64_t h = seed;
  for (const char c : bytes) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return mix_bits(h);
}

}  // namespace bantam
