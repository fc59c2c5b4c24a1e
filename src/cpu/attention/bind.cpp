#include "base/half.h"
#include "base/thread_pool.h"
#include "cpu/attention/problem.h"
#include "cpu/bindings.h"

namespace bantam::cpu {
namespace {

using attention::Problem;

bool all(const BindRequest& r, std::initializer_list<size_t> inputs, DType t) {
  for (const size_t i : inputs)
    if (r.in(i) != t) return false;
  return true;
}
bool is_cache(DType t) {
  return t == DType::f32 || t == DType::f16 || t == DType::bf16;
}

// What the tile kernels know: scores as they are, over all cells, values of the size of keys.
bool is_plain(const BindRequest& r, const Problem& p) {
  for (const char* extra : {"sinks", "bias"})
    if (r.attributes.integer(extra, 0) != 0) return false;
  return p.window == 0 && p.scoring.softcap == 0 && p.D == p.E;
}

std::optional<BoundKernel> bind_attention(const BindRequest& r) {
  const bool f32 = r.in(0) == DType::f32 && is_cache(r.in(1)) && r.in(2) == r.in(1);
  const bool bf16 = all(r, {0, 1, 2}, DType::bf16);
  if ((!f32 && !bf16) || r.out(0) != r.in(0) || r.out(1) != DType::f32) return {};
  const Problem p(r.inputs[0], r.inputs[1], r.inputs[2], r.attributes, nullptr, nullptr);
  if (bf16 && is_plain(r, p) && attention::tile_kernels() != nullptr)
    return BoundKernel{attention::run_forward_tiles, attention::forward_tiles_bytes(p, r.threads)};
  return BoundKernel{attention::run_forward, attention::forward_bytes(p, r.threads)};
}

std::optional<BoundKernel> bind_attention_grad(const BindRequest& r) {
  const DType t = r.in(0);
  if ((t != DType::f32 && t != DType::bf16) || !all(r, {1, 2, 5, 7}, t)) return {};
  if (r.in(6) != DType::f32) return {};
  for (size_t i = 0; i < 3; ++i)
    if (r.out(i) != t) return {};
  const Problem p(r.inputs[0], r.inputs[1], r.inputs[2], r.attributes, nullptr, nullptr);
  if (t == DType::bf16 && is_plain(r, p) && attention::tile_kernels() != nullptr)
    return BoundKernel{attention::run_gradient_tiles,
                       attention::gradient_tiles_bytes(p, r.threads)};
  return BoundKernel{attention::run_gradient, attention::gradient_bytes(p, r.threads)};
}

int64_t row_scratch(const TensorView& cache) {
  constexpr int64_t kAlignment = 64;
  const int64_t bytes = row_bytes(cache.dtype, cache.shape[2] * cache.shape[3]);
  return cache.layout == Layout::interleaved ? attention::round_up(bytes, kAlignment) : 0;
}

// Elements of one row to where they belong in its group of 16 cells.
template <typename T>
void scatter(const T* row, int64_t width, T* group, int64_t cell) {
  for (int64_t e = 0; e < width; ++e) group[e * attention::kLanes + cell] = row[e];
}

// One row of x, in the type of the cache, to its cell. `row`: room for it in that type.
void write_cell(const TensorView& cache, const TensorView& x, int64_t n, int64_t cell, char* row) {
  const int64_t width = cache.shape[2] * cache.shape[3];
  const auto to = attention::element_of(cache.dtype), from = attention::element_of(x.dtype);
  const bool grouped = cache.layout == Layout::interleaved;
  const int64_t within = grouped ? cell % attention::kLanes : 0;
  char* place = attention::at(cache.data, to, (cell - within) * width);
  char* target = grouped ? row : place;
  const char* source = attention::at(static_cast<const void*>(x.data), from, n * width);
  if (to == from) {
    std::copy_n(source, width * (to == attention::Element::f32 ? 4 : 2), target);
  } else if (from == attention::Element::f32) {
    dtype_info(cache.dtype).from_float(reinterpret_cast<const float*>(source), target, width);
  } else {
    const auto* values = reinterpret_cast<const uint16_t*>(source);
    for (int64_t i = 0; i < width; ++i) {
      const float value = bf16_to_float(values[i]);
      attention::store_row(&value, 1, to, attention::at(target, to, i));
    }
  }
  if (!grouped) return;
  if (to == attention::Element::f32) {
    scatter(reinterpret_cast<const float*>(row), width, reinterpret_cast<float*>(place), within);
  } else {
    scatter(reinterpret_cast<const uint16_t*>(row), width, reinterpret_cast<uint16_t*>(place),
            within);
  }
}

// Inputs: cache [S, C, K, D], x [N, K, D], sequences, positions. The output is the cache itself.
// Rows outside of the cache (padding) are left out. Scratch: a row for each thread.
void run_cache_write(const StepContext& c) {
  const TensorView &cache = c.outputs[0], &x = c.inputs[1];
  const auto *sequences = c.inputs[2].as<int32_t>(), *positions = c.inputs[3].as<int32_t>();
  const int64_t row = row_scratch(cache);
  c.pool.parallel_for(x.shape[0], 16, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t n = begin; n < end; ++n) {
      if (sequences[n] < 0 || sequences[n] >= cache.shape[0]) continue;
      if (positions[n] < 0 || positions[n] >= cache.shape[1]) continue;
      write_cell(cache, x, n, sequences[n] * cache.shape[1] + positions[n],
                 static_cast<char*>(c.scratch) + worker * row);
    }
  });
}

std::optional<BoundKernel> bind_cache_write(const BindRequest& r) {
  if (!is_cache(r.in(0)) || r.out(0) != r.in(0)) return {};
  if (r.in(1) != DType::f32 && r.in(1) != DType::bf16) return {};
  return BoundKernel{run_cache_write, r.threads * row_scratch(r.outputs[0])};
}

constexpr OpBinding kBindings[] = {
    {"attention", bind_attention, true},
    {"attention_grad", bind_attention_grad},
    {"cache_write", bind_cache_write, true},
};

}  // namespace

std::span<const OpBinding> attention_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
