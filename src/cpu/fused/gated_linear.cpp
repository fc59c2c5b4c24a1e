#include "cpu/fused/gated_linear.h"

#include <algorithm>

#include "base/thread_pool.h"
#include "cpu/elementwise/table.h"
#include "cpu/quant/linear_rows.h"
#include "cpu/quant/panels/activations.h"
#include "cpu/quant/table.h"

// Both products of a gated feed-forward block and what is made of them, some rows and columns at a
// time: they stay in the second-level cache, and a fifth as much is written as they are.

namespace bantam::cpu {
namespace {

constexpr int64_t kBlockLength = 32;  // of q8a
constexpr int64_t kPiece = 16384;     // products of either matrix at a time

// gate <- unit(gate) * up
void apply(bool gelu, float* gate, const float* up, int64_t n) {
  const ElementwiseKernels& kernels = elementwise_kernels();
  if (gelu) {
    kernels.unary[kGelu][0](gate, gate, n, 0);
    kernels.binary[kMul][0][0](gate, up, gate, n);
  } else {
    kernels.swiglu[0](gate, up, gate, n);
  }
}

int64_t pieces_at(const Activations& x) {
  return (x.panel_bytes() + 63) / 64 * 64;
}

void run(const StepContext& c) {
  const TensorView &gate = c.inputs[1], &up = c.inputs[2], &y = c.outputs[0];
  const bool gelu = c.attributes.integer("gelu") != 0;
  const int64_t N = gate.shape[0];
  if (c.inputs[0].shape.rows() == 0) return;
  const Activations x = Activations::of_step(c);
  auto* pieces = reinterpret_cast<float*>(static_cast<std::byte*>(c.scratch) + pieces_at(x));
  const int64_t chunk = chunk_rows(row_bytes(gate.dtype, x.k), N, c.pool.team());
  const int64_t rows = std::min(x.block_rows(), x.rows);
  const int64_t width = std::min(chunk, kPiece / rows / kBlockLength * kBlockLength);
  const auto quantize = quant_kernels().quantize;
  c.pool.parallel_for((N + chunk - 1) / chunk, 1, [&](int64_t i, int64_t, int worker) {
    float *g = pieces + worker * 2 * kPiece, *u = g + kPiece;
    const int64_t last = std::min(N, (i + 1) * chunk);
    for (int64_t m = 0; m < x.rows; m += rows) {
      const int64_t count = x.block_rows(m);
      for (int64_t n = i * chunk; n < last; n += width) {
        const int64_t end = std::min(last, n + width), columns = end - n;
        x.multiply_block(m, gate, n, end, g, columns);
        x.multiply_block(m, up, n, end, u, columns);
        apply(gelu, g, u, count * columns);
        auto* to = y.as<BlockQ8A>() + (m * N + n) / kBlockLength;
        for (int64_t r = 0; r < count; ++r) {
          quantize(g + r * columns, to + r * (N / kBlockLength), columns / kBlockLength);
        }
      }
    }
  });
}

}  // namespace

std::optional<BoundKernel> bind_gated_linear(const BindRequest& r) {
  if (r.in(0) != DType::q8a || r.out(0) != DType::q8a) return {};
  if (!has_linear_rows(r.inputs[1]) || !has_linear_rows(r.inputs[2])) return {};
  const Activations x =
      Activations::plan(nullptr, r.inputs[0].shape.rows(), std::span(r.inputs).subspan(1));
  const int64_t pieces = r.threads * 2 * kPiece * static_cast<int64_t>(sizeof(float));
  return BoundKernel{run, pieces_at(x) + pieces};
}

}  // namespace bantam::cpu
