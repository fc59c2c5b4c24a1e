#include <algorithm>

#include "cpu/bindings.h"
#include "cpu/elementwise/chunks.h"
#include "cpu/rope/table.h"

namespace bantam::cpu {
namespace {

RopeLayout layout(const Attributes& a) {
  return a.integer("pairs") == 0 ? RopeLayout::interleaved : RopeLayout::halves;
}

// Scratch: the frequencies.
void run_rope_table(const StepContext& c) {
  const Attributes& a = c.attributes;
  const int64_t pairs = a.integer("rotary_dims") / 2;
  const bool inverse = a.integer("inverse", 0) != 0;
  const RopeLayout order = layout(a);
  auto* frequencies = static_cast<double*>(c.scratch);
  rope_frequencies({.theta = a.real("theta"),
                    .factors = c.inputs.size() > 1 ? c.inputs[1].as<float>() : nullptr,
                    .scale = a.real("scale", 1),
                    .context = a.real("context", 0),
                    .beta_fast = a.real("beta_fast", 32),
                    .beta_slow = a.real("beta_slow", 1)},
                   pairs, frequencies);
  const auto magnitude = static_cast<float>(a.real("magnitude", 1));
  const auto* positions = c.inputs[0].as<int32_t>();
  const TensorView& table = c.outputs[0];
  const int64_t columns = table.shape[1];
  c.pool.parallel_for(table.shape[0], row_grain(8 * pairs), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      rope_table_row(order, positions[i], frequencies, pairs, inverse,
                     table.as<float>() + i * columns, magnitude);
    }
  });
}

std::optional<BoundKernel> bind_rope_table(const BindRequest& r) {
  if (r.in(0) != DType::i32 || (r.inputs.size() > 1 && r.in(1) != DType::f32)) return {};
  const int64_t pairs = r.attributes.integer("rotary_dims") / 2;
  return BoundKernel{run_rope_table, pairs * static_cast<int64_t>(sizeof(double))};
}

void run_rope(const StepContext& c) {
  const TensorView &x = c.inputs[0], &table = c.inputs[1], &y = c.outputs[0];
  const int64_t heads = x.shape[1], D = x.shape[2], columns = table.shape[1];
  const int64_t pairs = c.attributes.integer("rotary_dims") / 2;
  const bool bf16 = x.dtype == DType::bf16;
  const RopeFn kernel = rope_kernels().rope[static_cast<int>(layout(c.attributes))][bf16];
  const int64_t row_size = heads * D * (bf16 ? 2 : 4);
  c.pool.parallel_for(x.shape[0], row_grain(heads * D), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      kernel(x.as<std::byte>() + i * row_size, table.as<float>() + i * columns,
             y.as<std::byte>() + i * row_size, heads, D, pairs);
    }
  });
}

std::optional<BoundKernel> bind_rope(const BindRequest& r) {
  if ((r.in(0) != DType::f32 && r.in(0) != DType::bf16) || r.out(0) != r.in(0)) return {};
  if (r.in(1) != DType::f32) return {};
  return BoundKernel{run_rope, 0};
}

constexpr OpBinding kBindings[] = {{"rope", bind_rope}, {"rope_table", bind_rope_table}};

}  // namespace

std::span<const OpBinding> rope_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
