#include "cpu/matmul/lanes_512.h"
#include "cpu/matmul/matmul.h"
#include "cpu/matmul/tiles_amx.h"
#include "cpu/prefetch.h"

namespace bantam::cpu::x86_amx {
namespace {

// 32 x 32 sums in memory.
struct Sums {
  float* at;
  int64_t ld;
  [[nodiscard]] int64_t row_bytes() const { return ld * 4; }
  [[nodiscard]] float* lower() const { return at + 16 * ld; }
};

// The tile products leave the other ports idle; a block's multiplication takes along what has to be
// done for its neighbours, a few rows per step. `rows` is what is left to do.
struct Nothing {
  void work(int64_t) {}
};

// Asks for the lines of another piece of memory, an even share with each step of all strips.
class FetchAhead {
 public:
  FetchAhead(Ahead ahead, int64_t k, int64_t columns) : left_(ahead) {
    const int64_t lines = ahead.rows * ((ahead.bytes + 63) / 64);
    const int64_t steps = (k / kPairStep) * ((columns + kPanel - 1) / kPanel);
    share_ = (lines + steps - 1) / steps;
  }
  void work() {
    for (int64_t i = 0; i < share_ && left_.rows > 0; ++i) {
      _mm_prefetch(left_.at + done_, _MM_HINT_T1);
      done_ += 64;
      if (done_ < left_.bytes) continue;
      done_ = 0;
      left_.at += left_.stride;
      --left_.rows;
    }
  }

 private:
  Ahead left_;
  int64_t share_, done_ = 0;
};

// Asks for the lines of the next block of C, which would stall its loads and stores.
struct FetchNext {
  const float* c;
  int64_t ld, rows;
  void work(int64_t count) {
    for (; count > 0 && rows > 0; --count, --rows, c += ld) {
      prefetch_for_writing(c);
      prefetch_for_writing(c + 16);
    }
  }
};

// Rounds the sums of the block before to bf16; the next strip's lines lie beside.
struct RoundPrevious {
  const float* from;
  uint16_t* to;
  int64_t ld, rows;
  void work(int64_t count) {
    for (; count > 0 && rows > 0; --count, --rows, from += kPanel, to += ld)
      _mm512_storeu_si512(
          to, (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + 16), _mm512_loadu_ps(from)));
  }
};

// to = (from.at ? from : 0) + panel * strip. The tiles of a step are loaded between the products of
// the step before. B passes by once for each panel and is loaded with the hint that keeps it from
// pushing the panel out of L1.
template <class Aside>
void multiply_32x32(const uint16_t* a, const uint16_t* b, int64_t k, Sums from, Sums to,
                    Aside& aside, FetchAhead& ahead) {
  if (from.at != nullptr) {
    _tile_loadd(0, from.at, from.row_bytes());
    _tile_loadd(1, from.at + 16, from.row_bytes());
    _tile_loadd(2, from.lower(), from.row_bytes());
    _tile_loadd(3, from.lower() + 16, from.row_bytes());
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  const int64_t rows_a_step = (kPanel * kPairStep + k - 1) / k;
  _tile_stream_loadd(6, b, 128);
  _tile_loadd(4, a, 64);
  _tile_stream_loadd(7, b + 32, 128);
  _tile_loadd(5, a + 512, 64);
  for (int64_t i = kPairStep; i < k; i += kPairStep) {
    a += 32 * kPanel;
    b += 32 * kPanel;
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(2, 5, 6);
    _tile_stream_loadd(6, b, 128);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(4, a, 64);
    _tile_dpbf16ps(3, 5, 7);
    _tile_stream_loadd(7, b + 32, 128);
    _tile_loadd(5, a + 512, 64);
    aside.work(rows_a_step);
    ahead.work();
  }
  _tile_dpbf16ps(0, 4, 6);
  _tile_dpbf16ps(1, 4, 7);
  _tile_dpbf16ps(2, 5, 6);
  _tile_dpbf16ps(3, 5, 7);
  aside.work(kPanel);
  ahead.work();
  _tile_stored(0, to.at, to.row_bytes());
  _tile_stored(1, to.at + 16, to.row_bytes());
  _tile_stored(2, to.lower(), to.row_bytes());
  _tile_stored(3, to.lower() + 16, to.row_bytes());
}

// The upper half of it, for at most 16 rows.
void multiply_16x32(const uint16_t* a, const uint16_t* b, int64_t k, Sums from, Sums to) {
  if (from.at != nullptr) {
    _tile_loadd(0, from.at, from.row_bytes());
    _tile_loadd(1, from.at + 16, from.row_bytes());
  } else {
    _tile_zero(0);
    _tile_zero(1);
  }
  for (int64_t i = 0; i < k; i += kPairStep, a += 32 * kPanel, b += 32 * kPanel) {
    _tile_loadd(4, a, 64);
    _tile_stream_loadd(6, b, 128);
    _tile_dpbf16ps(0, 4, 6);
    _tile_stream_loadd(7, b + 32, 128);
    _tile_dpbf16ps(1, 4, 7);
  }
  _tile_stored(0, to.at, to.row_bytes());
  _tile_stored(1, to.at + 16, to.row_bytes());
}

void copy_block(const float* from, int64_t from_stride, float* to, int64_t to_stride, int64_t rows,
                int64_t columns) {
  for (int64_t r = 0; r < rows; ++r)
    memcpy(to + r * to_stride, from + r * from_stride, static_cast<size_t>(columns) * 4);
}

// A block that is cut off by the end of C: its sums are left in `edge` [32][32].
void multiply_edge(const uint16_t* a, const uint16_t* b, int64_t k, Sums from, int64_t rows,
                   int64_t columns, float* edge) {
  Sums sums{edge, kPanel};
  if (from.at != nullptr) copy_block(from.at, from.ld, edge, kPanel, rows, columns);
  __asm__ volatile("" ::"r"(edge) : "memory");
  const Sums start{from.at != nullptr ? edge : nullptr, kPanel};
  Nothing nothing;
  FetchAhead none({}, k, columns);
  if (rows > 16)
    multiply_32x32(a, b, k, start, sums, nothing, none);
  else
    multiply_16x32(a, b, k, start, sums);
  __asm__ volatile("" ::"r"(edge) : "memory");
}

}  // namespace

void enter() {
  configure_tiles();
}

void leave() {
  _tile_release();
}

void panel_pairs(const void* a, const void* b, int64_t strip_stride, int64_t k, float* c,
                 int64_t ldc, int64_t rows, int64_t columns, bool accumulate, Ahead ahead) {
  const auto* panel = static_cast<const uint16_t*>(a);
  const auto* strip = static_cast<const uint16_t*>(b);
  FetchAhead fetch_ahead(ahead, k, columns);
  for (int64_t n = 0; n < columns; n += kPanel, strip += strip_stride) {
    const int64_t width = columns - n < kPanel ? columns - n : kPanel;
    const Sums to{c + n, ldc}, from{accumulate ? c + n : nullptr, ldc};
    if (width == kPanel && rows == kPanel) {
      FetchNext fetch{to.at + kPanel, ldc, columns - n >= 2 * kPanel ? kPanel : 0};
      multiply_32x32(panel, strip, k, from, to, fetch, fetch_ahead);
      continue;
    }
    alignas(64) float edge[kPanel * kPanel];
    multiply_edge(panel, strip, k, from, rows, width, edge);
    copy_block(edge, kPanel, to.at, ldc, rows, width);
  }
}

void panel_pairs_rounded(const void* a, const void* b, int64_t strip_stride, int64_t k,
                         const float* sums, int64_t ld_sums, uint16_t* out, int64_t ld_out,
                         int64_t rows, int64_t columns, Ahead ahead) {
  const auto* panel = static_cast<const uint16_t*>(a);
  const auto* strip = static_cast<const uint16_t*>(b);
  FetchAhead fetch_ahead(ahead, k, columns);
  alignas(64) float blocks[2][kPanel * kPanel];
  RoundPrevious previous{blocks[0], out, ld_out, 0};
  for (int64_t n = 0; n < columns; n += kPanel, strip += strip_stride) {
    const int64_t width = columns - n < kPanel ? columns - n : kPanel;
    float* block = blocks[n / kPanel % 2];
    const Sums from{sums != nullptr ? const_cast<float*>(sums) + n : nullptr, ld_sums};
    if (width == kPanel && rows == kPanel) {
      multiply_32x32(panel, strip, k, from, Sums{block, kPanel}, previous, fetch_ahead);
      previous = {block, out + n, ld_out, rows};
      continue;
    }
    multiply_edge(panel, strip, k, from, rows, width, block);
    const auto mask = static_cast<uint32_t>((uint64_t{1} << width) - 1);
    for (int64_t r = 0; r < rows; ++r) {
      const float* row = block + r * kPanel;
      _mm512_mask_storeu_epi16(
          out + r * ld_out + n, mask,
          (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(row + 16), _mm512_loadu_ps(row)));
    }
  }
  __asm__ volatile("" ::"r"(blocks) : "memory");
  previous.work(kPanel);
}

}  // namespace bantam::cpu::x86_amx
