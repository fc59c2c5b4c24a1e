#include "cpu/elementwise/move.h"

#include <algorithm>
#include <cstring>

#include "cpu/elementwise/chunks.h"

namespace bantam::cpu {
namespace {

// A swap of two axes a < b sees x as [outer, A, middle, B, inner], y as [outer, B, middle, A,
// inner].
struct Swap {
  int64_t outer = 1, a = 1, middle = 1, b = 1, inner = 1;

  Swap(const Shape& x, int axis_a, int axis_b) {
    const int first = std::min(axis_a, axis_b), second = std::max(axis_a, axis_b);
    for (int i = 0; i < x.rank(); ++i) {
      (i < first ? outer : i == first ? a : i < second ? middle : i == second ? b : inner) *= x[i];
    }
    if (first == second) std::swap(a, b);  // nothing to swap: [.., 1, 1, A, ..]
  }
};

constexpr int64_t kTile = 32;  // 32 x 32 floats of source and target fit the first-level cache

// Elements of `inner` bytes run together as one; rows b0..b1 of y.
void transpose_runs(const Swap& s, int64_t o, int64_t m, int64_t b0, int64_t b1, const std::byte* x,
                    std::byte* y, size_t run_bytes) {
  const auto run = static_cast<int64_t>(run_bytes);
  for (int64_t j = b0; j < b1; ++j) {
    for (int64_t i = 0; i < s.a; ++i) {
      std::memcpy(y + (((o * s.b + j) * s.middle + m) * s.a + i) * run,
                  x + (((o * s.a + i) * s.middle + m) * s.b + j) * run, run_bytes);
    }
  }
}

// The same with single elements of type T: tiles keep both sides in the cache.
template <typename T>
void transpose_tiles(const Swap& s, int64_t o, int64_t m, int64_t b0, int64_t b1, const T* x,
                     T* y) {
  const int64_t x_step = s.middle * s.b, y_step = s.middle * s.a;
  x += o * s.a * x_step + m * s.b;
  y += o * s.b * y_step + m * s.a;
  for (int64_t i0 = 0; i0 < s.a; i0 += kTile) {
    const int64_t i1 = std::min(i0 + kTile, s.a);
    for (int64_t j = b0; j < b1; ++j) {
      for (int64_t i = i0; i < i1; ++i) y[j * y_step + i] = x[i * x_step + j];
    }
  }
}

void run_transpose(const StepContext& c) {
  const TensorView &x = c.inputs[0], &y = c.outputs[0];
  const Swap s(x.shape, static_cast<int>(c.attributes.integer("a")),
               static_cast<int>(c.attributes.integer("b")));
  const int64_t bytes = dtype_info(x.dtype).block_bytes;
  const int64_t strips = (s.b + kTile - 1) / kTile;
  const int64_t grain = row_grain(std::min(s.b, kTile) * s.a * s.inner);
  c.pool.parallel_for(s.outer * s.middle * strips, grain, [&](int64_t begin, int64_t end, int) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t o = task / strips / s.middle, m = task / strips % s.middle;
      const int64_t b0 = task % strips * kTile, b1 = std::min(b0 + kTile, s.b);
      if (s.inner == 1 && bytes == 4) {
        transpose_tiles(s, o, m, b0, b1, x.as<uint32_t>(), y.as<uint32_t>());
      } else if (s.inner == 1 && bytes == 2) {
        transpose_tiles(s, o, m, b0, b1, x.as<uint16_t>(), y.as<uint16_t>());
      } else {
        transpose_runs(s, o, m, b0, b1, x.as<std::byte>(), y.as<std::byte>(),
                       static_cast<size_t>(s.inner * bytes));
      }
    }
  });
}

}  // namespace

void run_copy(const StepContext& c) {
  const TensorView &x = c.inputs[0], &y = c.outputs[0];
  if (x.data == y.data) return;
  c.pool.parallel_for(x.bytes(), kGrain * 4, [&](int64_t begin, int64_t end, int) {
    std::memcpy(y.as<std::byte>() + begin, x.as<std::byte>() + begin,
                static_cast<size_t>(end - begin));
  });
}

std::optional<BoundKernel> bind_copy(const BindRequest& r) {
  if (r.in(0) != r.out(0)) return {};
  return BoundKernel{run_copy, 0};
}

std::optional<BoundKernel> bind_transpose(const BindRequest& r) {
  if (r.in(0) != r.out(0) || dtype_info(r.in(0)).quantized) return {};
  return BoundKernel{run_transpose, 0};
}

}  // namespace bantam::cpu
