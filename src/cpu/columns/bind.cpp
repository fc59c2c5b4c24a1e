#include <cstring>

#include "cpu/bindings.h"
#include "cpu/elementwise/chunks.h"

// Ranges of columns, copied row by row.

namespace bantam::cpu {
namespace {

// Columns of a row as bytes.
int64_t width(const TensorView& v) {
  return row_bytes(v.dtype, v.shape[-1]);
}

template <typename Body>
void for_rows(const StepContext& c, Body body) {
  const TensorView& y = c.outputs[0];
  c.pool.parallel_for(y.shape.rows(), row_grain(y.shape[-1]), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) body(row);
  });
}

void run_slice(const StepContext& c) {
  const TensorView &x = c.inputs[0], &y = c.outputs[0];
  const int64_t from = width(x), to = width(y);
  const int64_t first = row_bytes(x.dtype, c.attributes.integer("first"));
  for_rows(c, [&](int64_t row) {
    std::memcpy(y.as<char>() + row * to, x.as<char>() + row * from + first,
                static_cast<size_t>(to));
  });
}

void run_pad(const StepContext& c) {
  const TensorView &x = c.inputs[0], &y = c.outputs[0];
  const int64_t from = width(x), to = width(y);
  const int64_t first = row_bytes(x.dtype, c.attributes.integer("first"));
  for_rows(c, [&](int64_t row) {
    char* out = y.as<char>() + row * to;
    std::memset(out, 0, static_cast<size_t>(to));
    std::memcpy(out + first, x.as<char>() + row * from, static_cast<size_t>(from));
  });
}

void run_concat(const StepContext& c) {
  const TensorView& y = c.outputs[0];
  const int64_t to = width(y);
  for_rows(c, [&](int64_t row) {
    char* out = y.as<char>() + row * to;
    for (const TensorView& x : c.inputs) {
      const int64_t from = width(x);
      std::memcpy(out, x.as<char>() + row * from, static_cast<size_t>(from));
      out += from;
    }
  });
}

template <void (*run)(const StepContext&)>
std::optional<BoundKernel> bind(const BindRequest& r) {
  for (const TensorView& x : r.inputs) {
    if (x.dtype != r.out(0) || dtype_info(x.dtype).quantized) return {};
  }
  return BoundKernel{run, 0};
}

constexpr OpBinding kBindings[] = {
    {"slice_columns", bind<run_slice>},
    {"pad_columns", bind<run_pad>},
    {"concat_columns", bind<run_concat>},
};

}  // namespace

std::span<const OpBinding> columns_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
