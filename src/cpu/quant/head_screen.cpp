#include "cpu/quant/head_screen.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/file.h"
#include "base/half.h"
#include "base/thread_pool.h"
#include "tensor/layout.h"

namespace bantam::cpu {
namespace {

// Norms of a row, of its coarse copy, and of their difference.
float bound_of(const float* w, const float* coarse, int64_t k) {
  double difference = 0, exact = 0, copy = 0;
  for (int64_t i = 0; i < k; ++i) {
    const double a = w[i], b = coarse[i];
    difference += (a - b) * (a - b);
    exact += a * a;
    copy += b * b;
  }
  const double u = std::ldexp(1.0, -24);
  const double e = 2 * (static_cast<double>(k) / 32 + 8) * u;
  const double bound =
      std::sqrt(difference) * (1 + 8 * u) + e * (std::sqrt(exact) + std::sqrt(copy));
  return std::nextafter(static_cast<float>(bound), INFINITY);
}

// q4_0 by the largest value alone: a search for the best scale would take longer than the start of
// the program may. `copy` gets what the blocks stand for.
void coarsen(const float* w, int64_t k, BlockQ4_0* blocks, float* copy) {
  constexpr float kMostScale = 65504;  // in f16
  for (int64_t at = 0; at < k; at += 32, ++blocks) {
    float extreme = 0;
    for (int64_t i = at; i < at + 32; ++i) {
      if (std::abs(w[i]) > std::abs(extreme)) extreme = w[i];
    }
    blocks->d = float_to_f16(std::clamp(extreme / -8, -kMostScale, kMostScale));
    const float d = f16_to_float(blocks->d), inverse = d != 0 ? 1 / d : 0;
    int q[32];
    for (int i = 0; i < 32; ++i) {
      const float level = std::clamp(w[at + i] * inverse + 8.5f, 0.0f, 15.0f);
      q[i] = std::isnan(level) ? 8 : static_cast<int>(level);
      copy[at + i] = d * static_cast<float>(q[i] - 8);
    }
    for (int i = 0; i < 16; ++i) blocks->q[i] = static_cast<uint8_t>(q[i] | q[i + 16] << 4);
  }
}

}  // namespace

HeadScreen make_head_screen(const TensorView& w, ThreadPool& pool) {
  const int64_t V = w.shape[0], K = w.shape[1];
  const bool interleaved = can_interleave(DType::q4_0, w.shape);
  HeadScreen screen{
      Tensor::zeros(DType::q4_0, w.shape, interleaved ? Layout::interleaved : Layout::rows),
      Tensor::zeros(DType::f32, {V})};
  use_large_pages({screen.codes.as<std::byte>(), static_cast<size_t>(screen.codes.bytes())});
  const int64_t blocks = K / 32;
  pool.parallel_for(V, kInterleavedRows, [&](int64_t begin, int64_t end, int) {
    std::vector<float> exact(static_cast<size_t>(K)), coarse(exact);
    std::vector<BlockQ4_0> rows(static_cast<size_t>((end - begin) * blocks));
    for (int64_t i = begin; i < end; ++i) {
      BlockQ4_0* to = rows.data() + (i - begin) * blocks;
      row_to_float(w, i, exact.data());
      coarsen(exact.data(), K, to, coarse.data());
      screen.bounds.as<float>()[i] = bound_of(exact.data(), coarse.data(), K);
    }
    BlockQ4_0* place = screen.codes.as<BlockQ4_0>() + begin * blocks;
    if (end - begin == kInterleavedRows) {
      interleave_group(DType::q4_0, blocks, reinterpret_cast<const uint8_t*>(rows.data()),
                       reinterpret_cast<uint8_t*>(place));
    } else {
      std::copy(rows.begin(), rows.end(), place);
    }
  });
  return screen;
}

float norm_above(const BlockQ8A* x, int64_t blocks) {
  double sum = 0;
  for (int64_t b = 0; b < blocks; ++b) {
    int32_t squares = 0;
    for (const int8_t q : x[b].q) squares += q * q;
    sum += static_cast<double>(x[b].d) * static_cast<double>(x[b].d) * squares;
  }
  return std::nextafter(static_cast<float>(std::sqrt(sum) * (1 + 1e-6)), INFINITY);
}

}  // namespace bantam::cpu
