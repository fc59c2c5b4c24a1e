#include <stddef.h>

#include "cpu/quant/lanes_512.h"
#include "cpu/quant/panels/every_format.h"

// A product of tiles, 16 activations x 16 weight rows x 32 elements, takes 16 cycles, storing its
// sums as many, and adding them to those in floats at least 24: so the three must overlap. While
// the sums of 16 activations are added up, some groups at a time with their floats in registers,
// those of the next 16 are multiplied; two groups of 16 weight rows share what is loaded of
// activations.

namespace bantam::cpu::x86_amx {

namespace {

using V = quant::CentredLanes<quant::Lanes512>;

constexpr int kTileRows = 16;  // activations per tile
constexpr int kRows = 128;     // in a panel, at most
constexpr int kBlock = 8;      // groups of 32 elements whose weights are unpacked at a time
constexpr int kProducts = 4;   // tiles of activations that stay in registers

// Of 16 rows and a group of 32 elements: d, d times the sum over the group, the sums over its
// halves.
struct RowTile {
  float d[kTileRows], scaled_sum[kTileRows], sum[2][kTileRows];
};
constexpr int64_t kRowBytes = 32 + sizeof(RowTile) / kTileRows;

// Group of 32 elements by group: the bytes of all rows, then their RowTiles.
template <class Byte>
struct Panel {
  Byte* p;
  int64_t tiles;
  int64_t rows_at = tiles * kTileRows * 32;        // within a group
  int64_t stride = tiles * kTileRows * kRowBytes;  // from group to group
};

constexpr int64_t tiles_of(int64_t rows) {
  return (rows + kTileRows - 1) / kTileRows;
}

// What the formats want to know of a row.
struct PanelRow {
  float d, scaled_sum, sum[2];
};

BANTAM_QUANT_INLINE float scaled_sum(const PanelRow& x) {
  return x.scaled_sum;
}

void pack(const BlockQ8A* x, const PanelPart& part, int64_t k, void* memory) {
  const int64_t groups = k / 32;
  const Panel<char> panel{(char*)memory, tiles_of(part.of)};
  for (int64_t g = 0; g < groups; ++g, ++x) {
    char* group = panel.p + g * panel.stride;
    for (int64_t i = 0; i < part.count; ++i) {
      const BlockQ8A& from = x[i * groups];
      const int64_t row = part.first + i, at = row % kTileRows;
      __builtin_memcpy(group + row * 32, from.q, 32);
      RowTile& to = ((RowTile*)(void*)(group + panel.rows_at))[row / kTileRows];
      to.d[at] = from.d;
      to.scaled_sum[at] = quant::scaled_sum(from);
      to.sum[0][at] = (float)from.sum[0];
      to.sum[1][at] = (float)from.sum[1];
    }
  }
}

// Tile registers: 0 and 1 sums, 2 and 3 weights, 4 to 7 activations.
struct TileShapes {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {};
  uint8_t rows[16] = {};
};

// GCC's tile instructions do not say which memory they read.
[[gnu::always_inline]] inline void finish_stores(const void* written) {
  __asm__ volatile("" ::"r"(written) : "memory");
}

// `depth`: elements of k per product, 32 or 16.
void configure(int depth) {
  TileShapes shapes;
  for (int t = 0; t < 8; ++t) {
    shapes.row_bytes[t] = (uint16_t)(t < 4 ? 64 : depth);
    shapes.rows[t] = (uint8_t)(t == 2 || t == 3 ? depth / 4 : kTileRows);
  }
  finish_stores(&shapes);
  _tile_loadconfig(&shapes);
}

// Registers are part of an instruction: i must be known when this is compiled.
BANTAM_QUANT_INLINE void load_activations(int i, const int8_t* x) {
  switch (i) {
    case 0:
      _tile_loadd(4, x, 32);
      break;
    case 1:
      _tile_loadd(5, x, 32);
      break;
    case 2:
      _tile_loadd(6, x, 32);
      break;
    default:
      _tile_loadd(7, x, 32);
  }
}

BANTAM_QUANT_INLINE void multiply(int i, const int8_t* w, int32_t (*sums)[16]) {
  switch (i) {
    case 0:
      _tile_zero(0);
      _tile_loadd(2, w, 64);
      _tile_dpbssd(0, 4, 2);
      _tile_stored(0, sums, 64);
      break;
    case 1:
      _tile_zero(1);
      _tile_loadd(3, w, 64);
      _tile_dpbssd(1, 5, 3);
      _tile_stored(1, sums, 64);
      break;
    case 2:
      _tile_zero(0);
      _tile_loadd(2, w, 64);
      _tile_dpbssd(0, 6, 2);
      _tile_stored(0, sums, 64);
      break;
    default:
      _tile_zero(1);
      _tile_loadd(3, w, 64);
      _tile_dpbssd(1, 7, 3);
      _tile_stored(1, sums, 64);
  }
}

// kBlock groups of kParts x 16 weight rows.
template <class F, int kParts>
struct Weights {
  alignas(64) int8_t tiles[kBlock][kParts][512];
  typename F::Scales scales[kBlock][kParts];

  [[gnu::always_inline]] inline void unpack(int part, const uint8_t* w, int count) {
    for (int g = 0; g < count; g += F::kGroups, w += kRowGroup * F::kBytes) {
      quant::fetch_ahead<F>(w);
      F::unpack(
          quant::InterleavedRows<V>{w, 0}, [&](int s, const __m512i* levels,
                                               const typename F::Scales& of_group)
                                               __attribute__((always_inline)) {
                                                 for (int j = 0; j < 8; ++j) {
                                                   const __m512i centred = V::sub_bytes(
                                                       levels[j], V::bytes(F::kOffset));
                                                   _mm512_store_si512(tiles[g + s][part] + 64 * j,
                                                                      centred);
                                                 }
                                                 scales[g + s][part] = of_group;
                                               });
    }
  }
};

// The groups of a block in runs, each of which fills the tiles for activations; formats with a
// scale for each half of a group multiply the halves apart.
template <class F, int kParts>
struct Block {
  static constexpr int kRun = kProducts / F::kSums;
  // Activations whose floats are in registers together, for all parts.
  static constexpr int kPassRows = kTileRows / kParts;

  Panel<const char> x;  // from the first group of the block on
  const Weights<F, kParts>& w;
  int tiles, count;
  alignas(64) int32_t sums[2][kProducts][kParts][kTileRows][16];

  [[gnu::always_inline]] inline Block(Panel<const char> panel, const Weights<F, kParts>& weights,
                                      int group_count)
      : x(panel), w(weights), tiles((int)panel.tiles), count(group_count) {}

  // A run of groups and 16 activations.
  struct Unit {
    int first, row;
    const char* groups;  // of the panel, from the first on
  };
  [[gnu::always_inline]] inline bool has(Unit u, int g) const { return u.first + g < count; }
  [[gnu::always_inline]] inline Unit after(Unit u) const {
    return u.row + kTileRows < tiles * kTileRows
               ? Unit{u.first, u.row + kTileRows, u.groups}
               : Unit{u.first + kRun, 0, u.groups + kRun * x.stride};
  }

  // Parts in order: the first loads the activations.
  [[gnu::always_inline]] inline void multiply_group(Unit u, int g, int part, int buffer) {
    const auto* q = (const int8_t*)u.groups + g * x.stride + u.row * 32;
    for (int h = 0; h < F::kSums; ++h) {
      const int i = g * F::kSums + h;
      if (part == 0) load_activations(i, q + 16 * h);
      multiply(i, w.tiles[u.first + g][part] + 256 * h, sums[buffer][i][part]);
    }
  }

  // Adds a group to the floats of the rows from `row` on within the tile.
  [[gnu::always_inline]] inline void add_group(Unit u, int g, int row, int buffer,
                                               __m512 (*acc)[kParts]) const {
    const char* tile = u.groups + g * x.stride + x.rows_at +
                       u.row * (int)(sizeof(RowTile) / kTileRows) + row * (int)sizeof(float);
    __asm__("" : "+r"(tile));  // one address for all rows
    const auto& of_row = *(const RowTile*)(const void*)tile;
    const auto* of_group = sums[buffer] + g * F::kSums;
#pragma GCC unroll 16
    for (int r = 0; r < kPassRows; ++r) {
      const PanelRow xr{of_row.d[r], of_row.scaled_sum[r], {of_row.sum[0][r], of_row.sum[1][r]}};
#pragma GCC unroll 2
      for (int p = 0; p < kParts; ++p) {
        __m512i isum[F::kSums];
        for (int h = 0; h < F::kSums; ++h) {
          isum[h] = _mm512_load_si512(of_group[h][p][row + r]);
        }
        acc[r][p] = F::finish(isum, w.scales[u.first + g][p], xr, acc[r][p]);
      }
    }
  }

  // All groups, to float sums [tile][row][part].
  [[gnu::always_inline]] inline void add_to(__m512 (*total)[kParts]) {
    Unit u{0, 0, x.p};
#pragma GCC unroll 2
    for (int part = 0; part < kParts; ++part) {
#pragma GCC unroll 4
      for (int g = 0; g < kRun; ++g) {
        if (has(u, g)) [[likely]] {
          multiply_group(u, g, part, 0);
        }
      }
    }
    for (int buffer = 0; u.first < count; buffer ^= 1) {
      const Unit next = after(u);
#pragma GCC unroll 2
      for (int part = 0; part < kParts; ++part) {
        __m512(*rows)[kParts] = total + u.row + part * kPassRows;
        __m512 acc[kPassRows][kParts];
#pragma GCC unroll 16
        for (int r = 0; r < kPassRows; ++r) {
          for (int p = 0; p < kParts; ++p) acc[r][p] = rows[r][p];
        }
#pragma GCC unroll 4
        for (int g = 0; g < kRun; ++g) {
          if (has(u, g)) [[likely]] {
            add_group(u, g, part * kPassRows, buffer, acc);
          }
          if (has(next, g)) [[likely]] {
            multiply_group(next, g, part, buffer ^ 1);
          }
        }
#pragma GCC unroll 16
        for (int r = 0; r < kPassRows; ++r) {
          for (int p = 0; p < kParts; ++p) rows[r][p] = acc[r][p];
        }
      }
      u = next;
    }
  }
};

// kParts groups of 16 weight rows against a panel. Rows that only fill the last tile are computed
// from whatever is there.
template <class F, int kParts>
void row_groups(Panel<const char> x, const uint8_t* w, float* y, const QuantLinearShape& shape) {
  const int64_t groups = shape.k / 32, stride = groups / F::kGroups * kRowGroup * F::kBytes;
  alignas(64) __m512 acc[kRows][kParts];
  __builtin_memset(acc, 0, (size_t)(x.tiles * kTileRows) * sizeof acc[0]);
  Weights<F, kParts> unpacked;
  quant::ResultLines<16 * kParts> lines(y, shape);
  for (int64_t g = 0; g < groups; g += kBlock, x.p += kBlock * x.stride) {
    const int count = (int)(groups - g < kBlock ? groups - g : kBlock);
    lines.fetch(g + count);
    for (int part = 0; part < kParts; ++part) {
      unpacked.unpack(part, w + part * stride + g / F::kGroups * kRowGroup * F::kBytes, count);
    }
    finish_stores(&unpacked);
    Block<F, kParts> block(x, unpacked, count);
    block.add_to(acc);
  }
  for (int m = 0; m < shape.m; ++m) {
    for (int p = 0; p < kParts; ++p) V::store(y + m * shape.y_stride + 16 * p, acc[m][p]);
  }
}

template <class F>
void multiply_panel(const void* panel, const uint8_t* w, float* y, const QuantLinearShape& shape) {
  const int64_t group_bytes = shape.k / 32 / F::kGroups * kRowGroup * F::kBytes;
  const Panel<const char> x{(const char*)panel, tiles_of(shape.m)};
  configure(32 / F::kSums);
  int64_t n = 0;
  for (; n + 2 * kRowGroup <= shape.n; n += 2 * kRowGroup, w += 2 * group_bytes) {
    row_groups<F, 2>(x, w, y + n, shape);
  }
  if (n < shape.n) row_groups<F, 1>(x, w, y + n, shape);
  _tile_release();
}

struct Kernels {
  template <class F>
  static constexpr PanelLinear linear = multiply_panel<F>;
};

}  // namespace

extern const PanelKernels panel_kernels;
constinit const PanelKernels panel_kernels =
    quant::panels_of_every_format<V, Kernels>(kRows, kTileRows, kRowBytes, pack, {8, 8});

}  // namespace bantam::cpu::x86_amx
