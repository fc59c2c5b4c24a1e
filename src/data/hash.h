#pragma once

#include <cstdint>
#include <string_view>

namespace bantam {

// FNV-1a of 64 bits with a final mix (MurmurHash3's), so that every bit of the result is usable.
// The same on every machine; `seed` chains calls.
inline uint64_t hash_bytes(std::string_view bytes, uint64_t seed = 0xcbf29ce484222325u) {
  uint64_t h = seed;
  for (const char c : bytes) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdu;
  h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53u;
  return h ^ (h >> 33);
}

}  // namespace bantam
