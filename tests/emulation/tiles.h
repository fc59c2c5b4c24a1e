#pragma once

// What AMX and AVX512-BF16 compute, after Intel's manual. Each including file has tiles of its own.

#include <math.h>
#include <stdint.h>
#include <string.h>

namespace bantam::emulation {
namespace {

[[maybe_unused]] float from_bits(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}
[[maybe_unused]] uint32_t bits_of(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

// Both kinds of products take denormal numbers for zero and give zero for them.
[[maybe_unused]] float flushed(float value) {
  const uint32_t bits = bits_of(value);
  return bits & 0x7f800000u ? value : from_bits(bits & 0x80000000u);
}
[[maybe_unused]] float from_bf16(uint16_t bits) {
  return flushed(from_bits(uint32_t{bits} << 16));
}
[[maybe_unused]] float multiply_add(uint16_t a, uint16_t b, float sum) {
  return flushed(fmaf(from_bf16(a), from_bf16(b), flushed(sum)));
}
[[maybe_unused]] uint16_t to_bf16(float value) {
  const uint32_t bits = bits_of(flushed(value));
  if (value != value) return static_cast<uint16_t>(bits >> 16 | 0x40);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

constexpr int kTiles = 8, kRows = 16, kRowBytes = 64;

struct Tile {
  int rows = 0, row_bytes = 0;
  alignas(64) uint8_t data[kRows][kRowBytes] = {};

  [[nodiscard]] bool configured() const { return rows > 0 && row_bytes > 0; }
  template <typename T>
  [[nodiscard]] T get(int row, int i) const {
    T value;
    memcpy(&value, data[row] + i * static_cast<int>(sizeof value), sizeof value);
    return value;
  }
  template <typename T>
  void set(int row, int i, T value) {
    memcpy(data[row] + i * static_cast<int>(sizeof value), &value, sizeof value);
  }
};

thread_local Tile tiles[kTiles];
thread_local bool tiles_configured = false;

[[maybe_unused]] bool load_configuration(const uint8_t* from) {
  for (Tile& tile : tiles) tile = Tile();
  tiles_configured = false;
  if (from[0] == 0) return true;
  if (from[0] != 1 || from[1] != 0) return false;
  for (int i = 2; i < 16; ++i)
    if (from[i] != 0) return false;
  for (int t = 0; t < 16; ++t) {
    uint16_t row_bytes;
    memcpy(&row_bytes, from + 16 + 2 * t, 2);
    const uint8_t rows = from[48 + t];
    if ((rows == 0) != (row_bytes == 0)) return false;
    if (t >= kTiles ? rows != 0 : rows > kRows || row_bytes > kRowBytes) return false;
    if (t < kTiles) {
      tiles[t].rows = rows;
      tiles[t].row_bytes = row_bytes;
    }
  }
  tiles_configured = true;
  return true;
}

[[maybe_unused]] void store_configuration(uint8_t* to) {
  memset(to, 0, 64);
  if (!tiles_configured) return;
  to[0] = 1;
  for (int t = 0; t < kTiles; ++t) {
    const auto row_bytes = static_cast<uint16_t>(tiles[t].row_bytes);
    memcpy(to + 16 + 2 * t, &row_bytes, 2);
    to[48 + t] = static_cast<uint8_t>(tiles[t].rows);
  }
}

[[maybe_unused]] void clear(Tile& tile) {
  memset(tile.data, 0, sizeof tile.data);
}

[[maybe_unused]] void load(Tile& tile, uint64_t base, uint64_t stride) {
  clear(tile);
  for (int r = 0; r < tile.rows; ++r) {
    const auto* row = reinterpret_cast<const uint8_t*>(base + stride * unsigned(r));
    memcpy(tile.data[r], row, static_cast<uint64_t>(tile.row_bytes));
  }
}

[[maybe_unused]] void store(const Tile& tile, uint64_t base, uint64_t stride) {
  for (int r = 0; r < tile.rows; ++r) {
    auto* row = reinterpret_cast<uint8_t*>(base + stride * unsigned(r));
    memcpy(row, tile.data[r], static_cast<uint64_t>(tile.row_bytes));
  }
}

// TDPBF16PS: the products of even and of odd elements are summed apart, in order of k, and meet in
// one number that is added to the tile.
[[maybe_unused]] void multiply_bf16(Tile& sums, const Tile& a, const Tile& b) {
  for (int m = 0; m < sums.rows; ++m) {
    for (int n = 0; n < sums.row_bytes / 4; ++n) {
      float even = 0, odd = 0;
      for (int k = 0; k < a.row_bytes / 4; ++k) {
        even = multiply_add(a.get<uint16_t>(m, 2 * k), b.get<uint16_t>(k, 2 * n), even);
        odd = multiply_add(a.get<uint16_t>(m, 2 * k + 1), b.get<uint16_t>(k, 2 * n + 1), odd);
      }
      const float both = flushed(even + odd);
      sums.set(m, n, flushed(flushed(sums.get<float>(m, n)) + both));
    }
  }
}

template <typename A, typename B>
void multiply_bytes(Tile& sums, const Tile& a, const Tile& b) {
  for (int m = 0; m < sums.rows; ++m) {
    for (int n = 0; n < sums.row_bytes / 4; ++n) {
      auto sum = sums.get<uint32_t>(m, n);
      for (int k = 0; k < a.row_bytes / 4; ++k) {
        for (int i = 0; i < 4; ++i) {
          sum += static_cast<uint32_t>(int{a.get<A>(m, 4 * k + i)} * int{b.get<B>(k, 4 * n + i)});
        }
      }
      sums.set(m, n, sum);
    }
  }
}

}  // namespace
}  // namespace bantam::emulation
