#include <cstring>

#include "base/thread_pool.h"
#include "cpu/attention/problem.h"
#include "cpu/bindings.h"
#include "cpu/elementwise/table.h"

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
  if (pages != nullptr && r.inputs[1].shape[2] != attention::kBlock) return {};
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

// Its keys stand for values too, of which it reads none.
std::optional<BoundKernel> bind_attention_mass(const BindRequest& r) {
  const TensorView &q = r.inputs[1], &k = r.inputs[2];
  if (q.dtype != DType::f32 || !are_cells(k, k) || k.shape[2] != attention::kBlock) return {};
  const Problem p(q, k, k, r.attributes, nullptr, nullptr, &r.inputs[6]);
  return BoundKernel{attention::run_mass, attention::mass_bytes(p, r.threads)};
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

// Where rows of a cache go: cells in order [S, C, K, D], or pages [P, K, 64, D] with their table.
struct CacheWriter {
  const TensorView& cache;
  const TensorView* pages;
  const bool grouped = cache.layout == Layout::interleaved;
  const attention::Element type = attention::element_of(cache.dtype);
  const int64_t heads = cache.shape[pages != nullptr ? 1 : 2], D = cache.shape[3];
  // Cells of one head that follow each other.
  const int64_t run = pages != nullptr ? cache.shape[2] : grouped ? attention::kLanes : 1;
  const int64_t head_bytes = attention::element_bytes(type, D);

  // Which cell a position of a sequence is; -1: none (padding).
  [[nodiscard]] int64_t cell_of(int64_t sequence, int64_t position) const {
    const Shape& table = pages != nullptr ? pages->shape : cache.shape;
    const int64_t each = pages != nullptr ? run : 1;
    if (sequence < 0 || sequence >= table[0] || position < 0 || position >= table[1] * each)
      return -1;
    if (pages == nullptr) return sequence * table[1] + position;
    const int64_t page = pages->as<int32_t>()[sequence * table[1] + position / each];
    return page < 0 ? -1 : page * each + position % each;
  }

  // A row of all heads, in the type of the cache.
  void put(const char* row, int64_t cell) const {
    auto* data = static_cast<char*>(cache.data);
    const int64_t within = cell % run;
    for (int64_t head = 0; head < heads; ++head, row += head_bytes) {
      char* first = data + ((cell - within) * heads + head * run) * head_bytes;
      if (!grouped) {
        std::memcpy(first + within * head_bytes, row, static_cast<size_t>(head_bytes));
        continue;
      }
      const int64_t lane = within % attention::kLanes;
      char* group = first + (within - lane) * head_bytes;
      if (is_block_type(cache.dtype)) {
        scatter_blocks(cache.dtype, row, head_bytes, group, lane);
      } else if (type == attention::Element::f32) {
        scatter<4>(row, head_bytes, group, lane);
      } else {
        scatter<2>(row, head_bytes, group, lane);
      }
    }
  }
};

int64_t row_scratch(const TensorView& cache, int64_t width) {
  constexpr int64_t kAlignment = 64;
  return attention::round_up(row_bytes(cache.dtype, width), kAlignment);
}

// `width` elements of another type.
void convert(const char* from, DType from_type, void* to, DType to_type, int64_t width) {
  if (is_block_type(to_type)) {
    return dtype_info(to_type).from_float(reinterpret_cast<const float*>(from), to, width);
  }
  const auto index = [](DType t) { return t == DType::f32 ? 0 : t == DType::bf16 ? 1 : 2; };
  elementwise_kernels().cast[index(from_type)][index(to_type)](from, to, width);
}

// Inputs: cache [S, C, K, D], x [N, K, D], sequences, positions, and, of a cache [P, K, 64, D], its
// pages. The output is the cache itself. Scratch: a row for each thread.
void run_cache_write(const StepContext& c) {
  const TensorView &cache = c.outputs[0], &x = c.inputs[1];
  const auto *sequences = c.inputs[2].as<int32_t>(), *positions = c.inputs[3].as<int32_t>();
  const CacheWriter writer{cache, c.inputs.size() > 4 ? &c.inputs[4] : nullptr};
  const int64_t width = x.shape[1] * x.shape[2], scratch = row_scratch(cache, width);
  const int64_t x_bytes = row_bytes(x.dtype, width);
  c.pool.parallel_for(x.shape[0], 16, [&](int64_t begin, int64_t end, int worker) {
    char* row = static_cast<char*>(c.scratch) + worker * scratch;
    for (int64_t n = begin; n < end; ++n) {
      const int64_t cell = writer.cell_of(sequences[n], positions[n]);
      if (cell < 0) continue;
      const char* from = x.as<char>() + n * x_bytes;
      if (x.dtype != cache.dtype) convert(from, x.dtype, row, cache.dtype, width);
      writer.put(x.dtype != cache.dtype ? row : from, cell);
    }
  });
}

std::optional<BoundKernel> bind_cache_write(const BindRequest& r) {
  if (r.out(0) != r.in(0)) return {};
  const bool blocks = is_block_type(r.in(0)) && r.in(1) == DType::f32;
  const bool plain = is_plain_type(r.in(0)) && (r.in(1) == DType::f32 || r.in(1) == DType::bf16);
  if (!blocks && !plain) return {};
  const Shape& x = r.inputs[1].shape;
  return BoundKernel{run_cache_write, r.threads * row_scratch(r.outputs[0], x[1] * x[2])};
}

constexpr OpBinding kBindings[] = {
    {"attention", bind_attention, true},
    {"attention_grad", bind_attention_grad},
    {"attention_mass", bind_attention_mass, true},
    {"cache_write", bind_cache_write, true},
};

}  // namespace

std::span<const OpBinding> attention_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
