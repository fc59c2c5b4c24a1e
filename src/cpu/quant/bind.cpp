#include <algorithm>

#include "base/thread_pool.h"
#include "cpu/bindings.h"
#include "cpu/quant/linear_rows.h"
#include "cpu/quant/panels/activations.h"
#include "cpu/quant/table.h"

namespace bantam::cpu {
namespace {

void run_quantize(const StepContext& c) {
  const TensorView &x = c.inputs[0], &q = c.outputs[0];
  constexpr int64_t kGrain = 128;  // blocks: 16 KiB of input
  const auto kernel = quant_kernels().quantize;
  c.pool.parallel_for(x.shape.elements() / 32, kGrain, [&](int64_t begin, int64_t end, int) {
    kernel(x.as<float>() + begin * 32, q.as<BlockQ8A>() + begin, end - begin);
  });
}

std::optional<BoundKernel> bind_quantize(const BindRequest& r) {
  if (r.in(0) != DType::f32 || r.out(0) != DType::q8a) return {};
  return BoundKernel{run_quantize, 0};
}

// One weight matrix cut into chunks of rows; chunks of all matrices of a step are counted together.
struct Projection {
  const TensorView* w;
  const TensorView* y;
  int64_t chunk_rows, first_chunk, end_chunk;
};

// linear_group with one matrix is linear: outputs[i] = x inputs[i + 1]^T.
void run_linear(const StepContext& c) {
  constexpr size_t kMostProjections = 16;
  Projection projections[kMostProjections];
  const size_t count = c.outputs.size();
  int64_t chunks = 0;
  for (size_t i = 0; i < count; ++i) {
    const TensorView& w = c.inputs[i + 1];
    Projection& p = projections[i];
    p.w = &w;
    p.y = &c.outputs[i];
    p.chunk_rows = chunk_rows(row_bytes(w.dtype, w.shape[1]), w.shape[0], c.pool.team());
    p.first_chunk = chunks;
    chunks += (w.shape[0] + p.chunk_rows - 1) / p.chunk_rows;
    p.end_chunk = chunks;
  }
  if (c.inputs[0].shape.rows() == 0) return;
  const Activations x = Activations::of_step(c);
  // Block by block of activations, which then stay in the caches.
  const int64_t blocks = (x.rows + x.block_rows() - 1) / x.block_rows();
  c.pool.parallel_for(blocks * chunks, 1, [&](int64_t item, int64_t, int) {
    const int64_t m = item / chunks * x.block_rows(), chunk = item % chunks;
    const Projection* p = projections;
    while (chunk >= p->end_chunk) ++p;
    const int64_t begin = (chunk - p->first_chunk) * p->chunk_rows;
    const int64_t N = p->w->shape[0], end = std::min(begin + p->chunk_rows, N);
    x.multiply_block(m, *p->w, begin, end, p->y->as<float>() + m * N + begin, N);
  });
}

std::optional<BoundKernel> bind_linear(const BindRequest& r) {
  if (r.in(0) != DType::q8a || r.inputs.size() != r.outputs.size() + 1 || r.outputs.size() > 16) {
    return {};
  }
  for (size_t i = 0; i < r.outputs.size(); ++i) {
    if (!has_linear_rows(r.inputs[i + 1]) || r.out(i) != DType::f32) return {};
  }
  const Activations x =
      Activations::plan(nullptr, r.inputs[0].shape.rows(), std::span(r.inputs).subspan(1));
  return BoundKernel{run_linear, x.panel_bytes()};
}

constexpr OpBinding kBindings[] = {
    {"quantize", bind_quantize},
    {"linear", bind_linear, true},
    {"linear_group", bind_linear, true},
};

}  // namespace

std::span<const OpBinding> quant_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
