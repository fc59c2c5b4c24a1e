#include <algorithm>

#include "base/thread_pool.h"
#include "cpu/experts/experts.h"
#include "cpu/matmul/float_rows.h"
#include "cpu/matmul/gemm.h"
#include "cpu/quant/linear_rows.h"
#include "cpu/quant/panels/activations.h"

// Products of rows that are grouped by expert with the experts' matrices, through the kernels of
// plain projections: what a row gives does not depend on the rows that it is run with.

namespace bantam::cpu {
namespace {

constexpr int64_t kLeastBytes = 16384;  // of weights in a task

// Rows begin(e) to end(e) belong to expert e.
struct Segments {
  const int32_t* offsets;  // null: each expert has `each` rows
  int64_t each;

  [[nodiscard]] int64_t begin(int64_t e) const {
    return offsets != nullptr ? offsets[e] : e * each;
  }
  [[nodiscard]] int64_t rows(int64_t e) const { return begin(e + 1) - begin(e); }
};

Segments segments_of(const StepContext& c) {
  if (c.inputs.size() == 3) return {c.inputs[2].as<int32_t>(), 0};
  return {nullptr, c.inputs[0].shape[1]};
}

// Rows of weights in a task: enough of them to be worth one.
int64_t task_columns(const TensorView& w) {
  const int64_t least = kLeastBytes / std::max<int64_t>(1, row_bytes(w.dtype, w.shape[2]));
  return std::max<int64_t>(16, least / 16 * 16);
}

// The blocks of all outputs, counted through: expert, block of rows, block of columns.
struct Blocks {
  const TensorView &x, &w, &y;
  Segments segments;
  int64_t columns;          // of a block
  int64_t *first, *panels;  // [E + 1]: the first block, and the first rounded panel, of each expert
  uint16_t* rounded;

  explicit Blocks(const StepContext& c)
      : x(c.inputs[0]),
        w(c.inputs[1]),
        y(c.outputs[0]),
        segments(segments_of(c)),
        columns(task_columns(w)),
        first(static_cast<int64_t*>(c.scratch)),
        panels(first + w.shape[0] + 1),
        rounded(reinterpret_cast<uint16_t*>(static_cast<std::byte*>(c.scratch) +
                                            table_bytes(w.shape[0]))) {
    const int64_t across = (w.shape[1] + columns - 1) / columns;
    first[0] = panels[0] = 0;
    for (int64_t e = 0; e < w.shape[0]; ++e) {
      const FloatRows rows = rows_of(e);
      first[e + 1] = first[e] + (rows.rows + rows.block() - 1) / rows.block() * across;
      panels[e + 1] = panels[e] + rows.panels();
    }
  }

  static int64_t table_bytes(int64_t experts) {
    return (2 * (experts + 1) * static_cast<int64_t>(sizeof(int64_t)) + 63) / 64 * 64;
  }
  // However the rows are routed.
  static int64_t scratch_bytes(const TensorView& x, const TensorView& w) {
    FloatRows all = FloatRows::plan(nullptr, x.shape.rows(), w.shape[2], {&w, 1});
    if (all.kernels != nullptr) all.rows += w.shape[0] * (all.kernels->step - 1);
    return table_bytes(w.shape[0]) + all.rounded_bytes();
  }

  [[nodiscard]] int64_t count() const { return first[w.shape[0]]; }

  [[nodiscard]] FloatRows rows_of(int64_t e) const {
    const int64_t k = w.shape[2];
    FloatRows rows =
        FloatRows::plan(x.as<const float>() + segments.begin(e) * k, segments.rows(e), k, {&w, 1});
    rows.rounded = rounded + panels[e] * rows.panel_elements();
    return rows;
  }
  void round(int64_t e) const {
    const FloatRows rows = rows_of(e);
    for (int64_t panel = 0; panel < rows.panels(); ++panel) rows.round(panel);
  }

  void run(int64_t block) const {
    const int64_t e = std::upper_bound(first, first + w.shape[0] + 1, block) - first - 1;
    const FloatRows rows = rows_of(e);
    const int64_t down = (rows.rows + rows.block() - 1) / rows.block(), n = w.shape[1];
    const int64_t row = (block - first[e]) % down * rows.block();
    const int64_t column = (block - first[e]) / down * columns;
    rows.multiply(row, std::min(rows.block(), rows.rows - row), w.dtype,
                  w.as<const uint8_t>() + (e * n + column) * row_bytes(w.dtype, rows.k),
                  std::min(columns, n - column),
                  y.as<float>() + (segments.begin(e) + row) * n + column, n);
  }
};

void run_blocks(const StepContext& c) {
  const Blocks blocks(c);
  c.pool.parallel_for(blocks.w.shape[0], 1, [&](int64_t e, int64_t, int) { blocks.round(e); });
  c.pool.parallel_for(blocks.count(), 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) blocks.run(i);
  });
}

// --- quantised weights
// ----------------------------------------------------

// The rows of each expert that has some, packed where that pays.
struct Routed {
  struct Expert {
    int64_t index;
    Activations x;
  };
  const TensorView &x, &w;
  Segments segments;
  Expert* experts;
  int64_t count = 0;

  explicit Routed(const StepContext& c)
      : x(c.inputs[0]),
        w(c.inputs[1]),
        segments(segments_of(c)),
        experts(static_cast<Expert*>(c.scratch)) {
    auto* panels = static_cast<std::byte*>(c.scratch) + table_bytes(w.shape[0]);
    for (int64_t e = 0; e < w.shape[0]; ++e) {
      if (segments.rows(e) == 0) continue;
      const auto* rows = x.as<const BlockQ8A>() + segments.begin(e) * (x.shape[-1] / 32);
      auto& [index, of_expert] = experts[count++];
      index = e;
      of_expert = Activations::plan(rows, segments.rows(e), {&w, 1});
      of_expert.panels = panels;
      panels += of_expert.panel_bytes();
    }
  }

  static int64_t table_bytes(int64_t count) {
    return (count * static_cast<int64_t>(sizeof(Expert)) + 63) / 64 * 64;
  }
  // However the rows are routed.
  static int64_t scratch_bytes(const TensorView& x, const TensorView& w) {
    const int64_t E = w.shape[0], rows = x.shape.rows();
    const Activations all = Activations::plan(nullptr, rows, {&w, 1});
    int64_t bytes = table_bytes(E);
    if (all.kernels != nullptr) {
      bytes += all.kernels->bytes(rows + E * (all.kernels->row_step - 1), all.k);
    }
    return bytes;
  }
};

void run_quantised(const StepContext& c) {
  const Routed routed(c);
  const TensorView &w = c.inputs[1], &y = c.outputs[0];
  c.pool.parallel_for(routed.count, 1, [&](int64_t i, int64_t, int) {
    const Activations& rows = routed.experts[i].x;
    if (rows.kernels != nullptr) rows.pack(0, rows.rows);
  });
  const int64_t n = w.shape[1], columns = task_columns(w), across = (n + columns - 1) / columns;
  c.pool.parallel_for(routed.count * across, 1, [&](int64_t task, int64_t, int) {
    const auto& [e, rows] = routed.experts[task / across];
    const int64_t column = task % across * columns, width = std::min(columns, n - column);
    float* out = y.as<float>() + routed.segments.begin(e) * n + column;
    rows.multiply(w, e * n + column, e * n + column + width, out, n);
  });
}

// --- through packed panels: bf16 and gradients
// ----------------------------------------------------

const GemmKernels& gemm_kernels(DType dtype) {
  return dtype == DType::f32 ? gemm_kernels_f32() : gemm_kernels_bf16();
}

const char* at(const TensorView& v, int64_t element) {
  return v.as<const char>() + element * row_bytes(v.dtype, 1);
}
char* at_mutable(const TensorView& v, int64_t element) {
  return v.as<char>() + element * row_bytes(v.dtype, 1);
}

Gemm gemm_of(DType type, int64_t m, int64_t n, int64_t k, DType out) {
  Gemm g{};
  g.kernels = &gemm_kernels(type);
  g.m = m;
  g.n = n;
  g.k = k;
  g.source_bytes = row_bytes(type, 1);
  g.c_bf16 = out == DType::bf16;
  return g;
}

// y [M, N] = x [M, K] W[e]^T
void run_forward(const StepContext& c) {
  const TensorView &x = c.inputs[0], &w = c.inputs[1], &y = c.outputs[0];
  const Segments segments = segments_of(c);
  const int64_t n = w.shape[1], k = w.shape[2];
  for (int64_t e = 0; e < w.shape[0]; ++e) {
    if (segments.rows(e) == 0) continue;
    Gemm g = gemm_of(x.dtype, segments.rows(e), n, k, y.dtype);
    g.a = {at(x, segments.begin(e) * k), k, true};
    g.b = {at(w, e * n * k), k, true};
    g.c = at_mutable(y, segments.begin(e) * n);
    run_gemm(g, c.scratch, c.pool);
  }
}

// dx [M, K] = dy [M, N] W[e]
void run_dx(const StepContext& c) {
  const TensorView &dy = c.inputs[0], &w = c.inputs[1], &dx = c.outputs[0];
  const Segments segments = segments_of(c);
  const int64_t n = w.shape[1], k = w.shape[2];
  for (int64_t e = 0; e < w.shape[0]; ++e) {
    if (segments.rows(e) == 0) continue;
    Gemm g = gemm_of(dy.dtype, segments.rows(e), k, n, dx.dtype);
    g.a = {at(dy, segments.begin(e) * n), n, true};
    g.b = {at(w, e * n * k), k, false};
    g.c = at_mutable(dx, segments.begin(e) * k);
    run_gemm(g, c.scratch, c.pool);
  }
}

// dW[e] [N, K] = dy^T x
void run_dw(const StepContext& c) {
  const TensorView &dy = c.inputs[0], &x = c.inputs[1], &dw = c.outputs[0];
  const Segments segments = segments_of(c);
  const int64_t n = dw.shape[1], k = dw.shape[2];
  for (int64_t e = 0; e < dw.shape[0]; ++e) {
    float* out = dw.as<float>() + e * n * k;
    if (segments.rows(e) == 0) {
      std::fill_n(out, n * k, 0.0f);
      continue;
    }
    Gemm g = gemm_of(dy.dtype, n, k, segments.rows(e), DType::f32);
    g.a = {at(dy, segments.begin(e) * n), n, false};
    g.b = {at(x, segments.begin(e) * k), k, false};
    g.c = out;
    run_gemm(g, c.scratch, c.pool);
  }
}

bool gemm_types(const BindRequest& r) {
  return r.in(0) == r.in(1) && (r.in(0) == DType::f32 || r.in(0) == DType::bf16) &&
         (r.out(0) == DType::f32 || r.out(0) == r.in(0));
}

int64_t gemm_scratch(const BindRequest& r, int64_t n, int64_t k) {
  return gemm_scratch_bytes(gemm_kernels(r.in(0)), n, k, r.out(0) == DType::bf16, r.threads);
}

}  // namespace

std::optional<BoundKernel> bind_expert_linear(const BindRequest& r) {
  const Shape& w = r.inputs[1].shape;
  const bool integer = r.in(0) == DType::q8a && has_linear_rows(r.inputs[1]);
  const bool plain = r.in(0) == DType::f32 && has_linear(r.in(1));
  if (integer && r.out(0) == DType::f32) {
    return BoundKernel{run_quantised, Routed::scratch_bytes(r.inputs[0], r.inputs[1])};
  }
  if (plain && r.out(0) == DType::f32) {
    return BoundKernel{run_blocks, Blocks::scratch_bytes(r.inputs[0], r.inputs[1])};
  }
  if (!gemm_types(r)) return {};
  return BoundKernel{run_forward, gemm_scratch(r, w[1], w[2])};
}

std::optional<BoundKernel> bind_expert_linear_dx(const BindRequest& r) {
  const Shape& w = r.inputs[1].shape;
  if (!gemm_types(r)) return {};
  return BoundKernel{run_dx, gemm_scratch(r, w[2], w[1])};
}

std::optional<BoundKernel> bind_expert_linear_dw(const BindRequest& r) {
  if (!gemm_types(r) || r.out(0) != DType::f32) return {};
  return BoundKernel{run_dw, gemm_scratch(r, r.outputs[0].shape[2], r.inputs[0].shape.rows())};
}

}  // namespace bantam::cpu
