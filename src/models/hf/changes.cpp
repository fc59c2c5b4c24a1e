#include "models/hf/changes.h"

#include <cmath>
#include <cstring>

#include "base/error.h"
#include "models/old_spellings.h"
#include "tensor/blocks.h"

namespace bantam::hf {

namespace {

using Description = Change::Description;

[[noreturn]] void wrong(const Source& s, std::string_view expected) {
  fail(ErrorKind::model, s.file, "tensor \"{}\": expected {}, got the shape {}", s.name, expected,
       s.tensor.shape().str());
}

void expect_rank(const Source& s, int rank) {
  if (s.tensor.shape().rank() != rank) wrong(s, fmt::format("{} extents", rank));
}

void expect_rows(const Source& s, int64_t rows) {
  const Shape& shape = s.tensor.shape();
  if (shape.rank() == 0 || shape[0] != rows) wrong(s, fmt::format("{} rows", rows));
}

Description same(const Source& s, int) {
  return {s.tensor.shape(), s.tensor.dtype()};
}

template <typename Function>
Tensor mapped(const Tensor& t, Function function) {
  Tensor out = t.to(DType::f32);
  for (int64_t i = 0; i < out.shape().elements(); ++i) {
    out.as<float>()[i] = function(out.as<float>()[i]);
  }
  return out;
}

Tensor add_one(const Source& s, int) {
  return mapped(s.tensor, [](float x) { return x + 1; });
}

// Row i of the result is row source(i) of the tensor.
template <typename Row>
Tensor permuted_rows(const Tensor& t, Row source) {
  Tensor out = Tensor::zeros(t.dtype(), t.shape());
  const int64_t rows = t.shape()[0];
  const auto bytes = static_cast<size_t>(t.bytes() / rows);
  for (int64_t i = 0; i < rows; ++i) {
    std::memcpy(out.as<std::byte>() + static_cast<size_t>(i) * bytes,
                t.as<std::byte>() + static_cast<size_t>(source(i)) * bytes, bytes);
  }
  return out;
}

Description halves_of_heads(const Source& s, int64_t heads) {
  expect_rows(s, heads * s.d.head_size);
  if (s.d.head_size % 2 != 0) {
    fail(ErrorKind::model, s.file, "head_dim: expected an even number, got {}", s.d.head_size);
  }
  return same(s, 0);
}

// From the two halves of each head to neighbouring pairs.
Tensor paired(const Source& s, int) {
  const int64_t D = s.d.head_size;
  return permuted_rows(s.tensor, [D](int64_t row) {
    const int64_t within = row % D;
    return row - within + (within % 2) * (D / 2) + within / 2;
  });
}

Description three_of_heads(const Source& s, int) {
  expect_rows(s, 3 * s.d.heads * s.d.head_size);
  return same(s, 0);
}

Tensor regrouped(const Source& s, int) {
  const int64_t H = s.d.heads, D = s.d.head_size;
  return permuted_rows(s.tensor, [=](int64_t row) {
    const int64_t part = row / (H * D), head = row / D % H;
    return (head * 3 + part) * D + row % D;
  });
}

// [..., rows, columns] -> [..., columns, rows]; vectors stay.
Description transposed_shape(const Source& s, int) {
  Shape shape = s.tensor.shape();
  if (shape.rank() > 1) std::swap(shape[-1], shape[-2]);
  return {shape, s.tensor.dtype()};
}

Tensor transposed(const Source& s, int) {
  const Tensor& t = s.tensor;
  if (t.shape().rank() < 2) return t;
  const int64_t rows = t.shape()[-2], columns = t.shape()[-1];
  Tensor out = Tensor::zeros(t.dtype(), transposed_shape(s, 0).shape);
  const auto size = static_cast<size_t>(dtype_info(t.dtype()).block_bytes);
  const auto* from = t.as<const std::byte>();
  auto* to = out.as<std::byte>();
  for (int64_t first = 0; first < t.shape().elements(); first += rows * columns) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c) {
        std::memcpy(to + static_cast<size_t>(first + c * rows + r) * size,
                    from + static_cast<size_t>(first + r * columns + c) * size, size);
      }
    }
  }
  return out;
}

Description squeezed_shape(const Source& s, int) {
  std::vector<int64_t> dims;
  const Shape& shape = s.tensor.shape();
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] != 1) dims.push_back(shape[axis]);
  }
  return {Shape(dims), s.tensor.dtype()};
}

Description column_shape(const Source& s, int) {
  expect_rank(s, 1);
  return {{s.tensor.shape()[0], 1}, s.tensor.dtype()};
}

Description group_shape(const Source& s, int) {
  expect_rank(s, 1);
  const int64_t size = s.tensor.shape()[0], groups = s.d.scan_groups;
  if (size % groups != 0) wrong(s, fmt::format("a multiple of the {} groups", groups));
  return {{groups, size / groups}, s.tensor.dtype()};
}

template <auto describe>
Tensor reshaped(const Source& s, int part) {
  return s.tensor.reshaped(describe(s, part).shape);
}

template <auto describe>
Tensor negated_exponential(const Source& s, int part) {
  return mapped(s.tensor, [](float x) { return -std::exp(x); }).reshaped(describe(s, part).shape);
}

// One of two parts of an axis: the first or second half of it, or every other index.
enum class Take { half, every_other };

Description taken_shape(const Source& s, Shape shape, int axis) {
  if (shape.rank() < -axis || shape[axis] % 2 != 0) wrong(s, "an even extent");
  shape[axis] /= 2;
  return {shape, s.tensor.dtype()};
}

Tensor taken(const Tensor& t, int axis, int part, Take take) {
  const int64_t extent = t.shape()[axis], kept = extent / 2;
  Shape shape = t.shape();
  shape[axis] = kept;
  Tensor out = Tensor::zeros(t.dtype(), shape);
  const int64_t slice =
      axis == -1 ? dtype_info(t.dtype()).block_bytes : row_bytes(t.dtype(), t.shape()[-1]);
  const int64_t first = take == Take::half ? part * kept : part, step = take == Take::half ? 1 : 2;
  const int64_t outer = out.bytes() / (kept * slice);
  for (int64_t o = 0; o < outer; ++o) {
    for (int64_t i = 0; i < kept; ++i) {
      std::memcpy(out.as<std::byte>() + (o * kept + i) * slice,
                  t.as<std::byte>() + (o * extent + first + i * step) * slice,
                  static_cast<size_t>(slice));
    }
  }
  return out;
}

Description half_shape(const Source& s, int) {
  return taken_shape(s, s.tensor.shape(), -2);
}

Tensor half(const Source& s, int part) {
  return taken(s.tensor, -2, part, Take::half);
}

Description turn_shape(const Source& s, int) {
  return taken_shape(s, s.tensor.shape(), -1);
}

Tensor turn(const Source& s, int part) {
  return taken(s.tensor, -1, part, Take::every_other);
}

Description transposed_turn_shape(const Source& s, int part) {
  return taken_shape(s, transposed_shape(s, part).shape, -2);
}

Tensor transposed_turn(const Source& s, int part) {
  return taken(transposed(s, part), -2, part, Take::every_other);
}

LatentSizes latent_sizes(const Source& s) {
  return {s.d.heads, s.d.latent_rank, s.d.plain_key, s.d.latent_value};
}

Description latent_shape(const Source& s, int part) {
  check_latent_projection(latent_sizes(s), s.tensor, s.name, s.file);
  const int64_t H = s.d.heads, R = s.d.latent_rank;
  return {part == 0 ? Shape{H, R, s.d.plain_key} : Shape{H, s.d.latent_value, R}, s.tensor.dtype()};
}

Tensor latent_part(const Source& s, int part) {
  const LatentProjections both = split_latent_projection(latent_sizes(s), s.tensor);
  return part == 0 ? both.keys : both.values;
}

Description mxfp4_shape(const Source& s, int) {
  constexpr int64_t kBytes = sizeof(BlockMXFP4::q);
  expect_rank(s, 4);
  const Shape& shape = s.tensor.shape();
  if (shape[-1] != kBytes) wrong(s, fmt::format("blocks of {} bytes", kBytes));
  if (!(s.scales.shape() == Shape{shape[0], shape[1], shape[2]})) {
    wrong(s, fmt::format("blocks for scales of the shape {}", s.scales.shape().str()));
  }
  return {{shape[0], shape[1], shape[2] * 2 * kBytes}, DType::mxfp4};
}

// Their blocks have neighbours in a byte; GGUF's have an element of each half.
void repack(const uint8_t* pairs, uint8_t scale, BlockMXFP4& block) {
  block.e = scale;
  uint8_t levels[32];
  for (int i = 0; i < 16; ++i) {
    levels[2 * i] = pairs[i] & 15;
    levels[2 * i + 1] = pairs[i] >> 4;
  }
  for (int i = 0; i < 16; ++i) {
    block.q[i] = static_cast<uint8_t>(levels[i] | levels[i + 16] << 4);
  }
}

Tensor repacked(const Source& s, int part) {
  Tensor out = Tensor::zeros(DType::mxfp4, mxfp4_shape(s, part).shape);
  for (int64_t i = 0; i < s.scales.shape().elements(); ++i) {
    repack(s.tensor.as<uint8_t>() + 16 * i, s.scales.as<uint8_t>()[i], out.as<BlockMXFP4>()[i]);
  }
  return out;
}

Description mxfp4_turn_shape(const Source& s, int part) {
  return {taken_shape(s, mxfp4_shape(s, part).shape, -2).shape, DType::mxfp4};
}

Tensor repacked_turn(const Source& s, int part) {
  return taken(repacked(s, part), -2, part, Take::every_other);
}

Description rows_of_queries(const Source& s, int) {
  return halves_of_heads(s, s.d.heads);
}

Description rows_of_keys(const Source& s, int) {
  return halves_of_heads(s, s.d.kv_heads);
}

}  // namespace

constexpr Change drop = {nullptr, nullptr};
constexpr Change stack = {nullptr, nullptr};
constexpr Change plus_one = {same, add_one};
constexpr Change transpose = {transposed_shape, transposed};
constexpr Change rotary_q = {rows_of_queries, paired};
constexpr Change rotary_k = {rows_of_keys, paired};
constexpr Change neox_qkv = {three_of_heads, regrouped};
constexpr Change squeeze = {squeezed_shape, reshaped<squeezed_shape>};
constexpr Change column = {column_shape, reshaped<column_shape>};
constexpr Change scan_groups = {group_shape, reshaped<group_shape>};
constexpr Change negated_exp = {same, negated_exponential<same>};
constexpr Change negated_exp_column = {column_shape, negated_exponential<column_shape>};
constexpr Change halves = {half_shape, half};
constexpr Change turns = {turn_shape, turn};
constexpr Change transposed_turns = {transposed_turn_shape, transposed_turn};
constexpr Change latent_parts = {latent_shape, latent_part};
constexpr Change mxfp4 = {mxfp4_shape, repacked};
constexpr Change mxfp4_turns = {mxfp4_turn_shape, repacked_turn};

}  // namespace bantam::hf
