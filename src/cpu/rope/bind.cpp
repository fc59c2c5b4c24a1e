#include <algorithm>

#include "cpu/bindings.h"
#include "cpu/elementwise/chunks.h"
#include "cpu/rope/table.h"

namespace bantam::cpu {
namespace {

RopeLayout layout(const Attributes& a) {
  return a.integer("pairs") == 0 ? RopeLayout::interleaved : RopeLayout::halves;
}

// Scratch: the frequencies, then at most one table row for each row of x.
void run_rope(const StepContext& c) {
  const TensorView &x = c.inputs[0], &y = c.outputs[0];
  const int64_t rows = x.shape[0], heads = x.shape[1], D = x.shape[2];
  const int64_t pairs = c.attributes.integer("rotary_dims") / 2;
  const bool inverse = c.attributes.integer("inverse", 0) != 0;
  const RopeLayout order = layout(c.attributes);
  const int64_t row_floats = rope_row_floats(order, pairs);
  const auto* positions = c.inputs[1].as<int32_t>();
  if (rows == 0) return;

  auto* frequencies = static_cast<double*>(c.scratch);
  auto* table = reinterpret_cast<float*>(frequencies + pairs);
  rope_frequencies({.theta = c.attributes.real("theta"),
                    .factors = c.inputs.size() > 2 ? c.inputs[2].as<float>() : nullptr,
                    .scale = c.attributes.real("scale", 1),
                    .context = c.attributes.real("context", 0),
                    .beta_fast = c.attributes.real("beta_fast", 32),
                    .beta_slow = c.attributes.real("beta_slow", 1)},
                   pairs, frequencies);
  const auto magnitude = static_cast<float>(c.attributes.real("magnitude", 1));

  // Sequences in a batch share positions: fill the table by position where that is less work.
  const auto [lowest, highest] = std::minmax_element(positions, positions + rows);
  const bool by_position = *lowest >= 0 && *highest < rows - 1;
  const int64_t table_rows = by_position ? int64_t{*highest} + 1 : rows;
  c.pool.parallel_for(table_rows, row_grain(8 * pairs), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      rope_table_row(order, by_position ? i : positions[i], frequencies, pairs, inverse,
                     table + i * row_floats, magnitude);
    }
  });

  const bool bf16 = x.dtype == DType::bf16;
  const RopeFn kernel = rope_kernels().rope[static_cast<int>(order)][bf16];
  const int64_t row_size = heads * D * (bf16 ? 2 : 4);
  c.pool.parallel_for(rows, row_grain(heads * D), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      kernel(x.as<std::byte>() + i * row_size,
             table + (by_position ? positions[i] : i) * row_floats,
             y.as<std::byte>() + i * row_size, heads, D, pairs);
    }
  });
}

std::optional<BoundKernel> bind_rope(const BindRequest& r) {
  if ((r.in(0) != DType::f32 && r.in(0) != DType::bf16) || r.out(0) != r.in(0)) return {};
  if (r.in(1) != DType::i32 || (r.inputs.size() > 2 && r.in(2) != DType::f32)) return {};
  const int64_t pairs = r.attributes.integer("rotary_dims") / 2;
  const int64_t table = r.inputs[0].shape[0] * rope_row_floats(layout(r.attributes), pairs);
  return BoundKernel{run_rope, pairs * static_cast<int64_t>(sizeof(double)) +
                                   table * static_cast<int64_t>(sizeof(float))};
}

constexpr OpBinding kBindings[] = {{"rope", bind_rope}};

}  // namespace

std::span<const OpBinding> rope_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
