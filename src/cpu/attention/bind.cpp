#include <cstring>

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
bool is_plain_type(DType t) {
  return t == DType::f32 || t == DType::f16 || t == DType::bf16;
}
bool is_block_type(DType t) {
  return t == DType::q8_0 || t == DType::q4_0;
}
// Keys and values of one type; blocks only with keys in groups.
bool are_cells(const TensorView& k, const TensorView& v) {
  if (k.dtype != v.dtype) return false;
  return is_plain_type(k.dtype) || (is_block_type(k.dtype) && k.layout == Layout::interleaved);
}

// What the tile kernels know: scores as they are, over all cells in their order, values of the size
// of keys.
bool is_plain(const BindRequest& r, const Problem& p) {
  for (const char* extra : {"pages", "sinks", "bias"})
    if (r.attributes.integer(extra, 0) != 0) return false;
  return p.window == 0 && p.scoring.softcap == 0 && p.D == p.E;
}

std::optional<BoundKernel> bind_attention(const BindRequest& r) {
  const bool f32 = r.in(0) == DType::f32 && are_cells(r.inputs[1], r.inputs[2]);
  const bool bf16 = all(r, {0, 1, 2}, DType::bf16);
  if ((!f32 && !bf16) || r.out(0) != r.in(0) || r.out(1) != DType::f32) return {};
  const TensorView* pages = attention::page_table(r.attributes, r.inputs);
  if (pages != nullptr && r.inputs[1].shape[1] != attention::kBlock) return {};
  const Problem p(r.inputs[0], r.inputs[1], r.inputs[2], r.attributes, nullptr, nullptr, pages);
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

// Pieces of one row to where they belong in its group of 16 cells; see tensor/layout.h.
template <int kBytes>
void scatter(const char* row, int64_t bytes, char* group, int64_t cell) {
  for (int64_t at = 0; at < bytes; at += kBytes) {
    std::memcpy(group + attention::kLanes * at + cell * kBytes, row + at, kBytes);
  }
}
void scatter_blocks(DType dtype, const char* row, int64_t bytes, char* group, int64_t cell) {
  constexpr int kScale = 2;
  const int64_t block = dtype_info(dtype).block_bytes;
  for (int64_t at = 0; at < bytes; at += block) {
    char* to = group + attention::kLanes * at;
    scatter<kScale>(row + at, kScale, to, cell);
    scatter<4>(row + at + kScale, block - kScale, to + attention::kLanes * kScale, cell);
  }
}

// One row of x, in the type of the cache, to its cell. `row`: room for it in that type.
void write_cell(const TensorView& cache, const TensorView& x, int64_t n, int64_t cell, char* row) {
  const int64_t width = cache.shape[2] * cache.shape[3];
  const auto to = attention::element_of(cache.dtype), from = attention::element_of(x.dtype);
  const bool grouped = cache.layout == Layout::interleaved;
  const int64_t within = grouped ? cell % attention::kLanes : 0;
  const int64_t bytes = attention::element_bytes(to, width);
  char* place = attention::at(cache.data, to, (cell - within) * width);
  char* target = grouped ? row : place;
  const char* source = attention::at(static_cast<const void*>(x.data), from, n * width);
  if (to == from) {
    std::copy_n(source, bytes, target);
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
  if (is_block_type(cache.dtype)) return scatter_blocks(cache.dtype, row, bytes, place, within);
  if (to == attention::Element::f32) return scatter<4>(row, bytes, place, within);
  scatter<2>(row, bytes, place, within);
}

// Which cell of a cache a position of a sequence is; -1: none (padding).
int64_t cell_of(const TensorView& cache, const TensorView* pages, int64_t sequence,
                int64_t position) {
  const Shape& table = pages != nullptr ? pages->shape : cache.shape;
  const int64_t each = pages != nullptr ? cache.shape[1] : 1;
  if (sequence < 0 || sequence >= table[0] || position < 0 || position >= table[1] * each)
    return -1;
  if (pages == nullptr) return sequence * table[1] + position;
  const int64_t page = pages->as<int32_t>()[sequence * table[1] + position / each];
  return page < 0 ? -1 : page * each + position % each;
}

// Inputs: cache [S, C, K, D], x [N, K, D], sequences, positions, and, of a cache [P, 64, K, D], its
// pages. The output is the cache itself. Scratch: a row for each thread.
void run_cache_write(const StepContext& c) {
  const TensorView &cache = c.outputs[0], &x = c.inputs[1];
  const auto *sequences = c.inputs[2].as<int32_t>(), *positions = c.inputs[3].as<int32_t>();
  const TensorView* pages = c.inputs.size() > 4 ? &c.inputs[4] : nullptr;
  const int64_t row = row_scratch(cache);
  c.pool.parallel_for(x.shape[0], 16, [&](int64_t begin, int64_t end, int worker) {
    for (int64_t n = begin; n < end; ++n) {
      const int64_t cell = cell_of(cache, pages, sequences[n], positions[n]);
      if (cell < 0) continue;
      write_cell(cache, x, n, cell, static_cast<char*>(c.scratch) + worker * row);
    }
  });
}

std::optional<BoundKernel> bind_cache_write(const BindRequest& r) {
  if (r.out(0) != r.in(0)) return {};
  const bool blocks = is_block_type(r.in(0)) && r.in(1) == DType::f32;
  const bool plain = is_plain_type(r.in(0)) && (r.in(1) == DType::f32 || r.in(1) == DType::bf16);
  if (!blocks && !plain) return {};
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
