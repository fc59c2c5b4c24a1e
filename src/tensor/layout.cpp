#include "tensor/layout.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/thread_pool.h"
#include "tensor/interleave.h"

namespace bantam {
namespace {

struct Interleavable {
  DType dtype;
  SmallField small;
};

constexpr Interleavable kTypes[] = {
    {DType::q8_0, kSmallField<BlockQ8_0>},     {DType::q4_0, kSmallField<BlockQ4_0>},
    {DType::q4_1, kSmallField<BlockQ4_1>},     {DType::q5_0, kSmallField<BlockQ5_0>},
    {DType::q5_1, kSmallField<BlockQ5_1>},     {DType::q2_k, kSmallField<BlockQ2_K>},
    {DType::q3_k, kSmallField<BlockQ3_K>},     {DType::q4_k, kSmallField<BlockQ4_K>},
    {DType::q5_k, kSmallField<BlockQ5_K>},     {DType::q6_k, kSmallField<BlockQ6_K>},
    {DType::tq1_0, kSmallField<BlockTQ1_0>},   {DType::tq2_0, kSmallField<BlockTQ2_0>},
    {DType::iq4_nl, kSmallField<BlockIQ4_NL>}, {DType::iq4_xs, kSmallField<BlockIQ4_XS>},
    {DType::mxfp4, kSmallField<BlockMXFP4>},
};

const SmallField* small_field(DType dtype) {
  for (const Interleavable& type : kTypes) {
    if (type.dtype == dtype) return &type.small;
  }
  return nullptr;
}

template <int bytes>
void exchange(const uint8_t* from, int64_t stride, uint8_t* to) {
  for (int64_t r = 0; r < kInterleavedRows; ++r) {
    std::memcpy(to + r * bytes, from + r * stride, bytes);
  }
}

// 16 rows that follow each other, each of so many blocks.
void interleave_group(SmallField small, int block_bytes, int64_t blocks, const uint8_t* rows,
                      uint8_t* out) {
  const int64_t stride = blocks * block_bytes;
  for (int64_t b = 0; b < blocks; ++b, rows += block_bytes, out += kInterleavedRows * block_bytes) {
    for_each_piece(small, block_bytes, [&](int o, int bytes) {
      uint8_t* to = out + kInterleavedRows * o;
      if (bytes == 4) {
        exchange<4>(rows + o, stride, to);
      } else if (bytes == 2) {
        exchange<2>(rows + o, stride, to);
      } else {
        exchange<1>(rows + o, stride, to);
      }
    });
  }
}

bool in_group(const TensorView& matrix, int64_t row) {
  return matrix.layout == Layout::interleaved &&
         row < matrix.shape.rows() / kInterleavedRows * kInterleavedRows;
}

}  // namespace

bool can_interleave(DType dtype) {
  return small_field(dtype) != nullptr;
}

bool can_interleave(DType dtype, const Shape& shape) {
  if (!can_interleave(dtype) || shape.rank() < 2 || shape.rank() > 3) return false;
  const int64_t rows = shape[-2];
  return rows >= kInterleavedRows && (shape.rank() == 2 || rows % kInterleavedRows == 0);
}

void interleave_group(DType dtype, int64_t blocks, const uint8_t* rows, uint8_t* out) {
  const auto block_bytes = static_cast<int>(dtype_info(dtype).block_bytes);
  interleave_group(*small_field(dtype), block_bytes, blocks, rows, out);
}

void interleave(const Tensor& w, void* out, ThreadPool& pool) {
  BANTAM_ASSERT(w.layout() == Layout::rows && can_interleave(w.dtype(), w.shape()));
  const SmallField small = *small_field(w.dtype());
  const DTypeInfo& info = dtype_info(w.dtype());
  const int64_t blocks = w.shape()[-1] / info.block_length, stride = blocks * info.block_bytes;
  const int64_t rows = w.shape().rows(), groups = rows / kInterleavedRows;
  const int64_t group_bytes = kInterleavedRows * stride;
  const auto* from = w.as<const uint8_t>();
  auto* to = static_cast<uint8_t*>(out);
  // In pieces, so that a mapped file and the copy are not both in memory.
  constexpr int64_t kPieceBytes = 1 << 20;
  const int64_t piece = std::max<int64_t>(1, kPieceBytes / group_bytes);
  pool.parallel_for((groups + piece - 1) / piece, 1, [&](int64_t first, int64_t last, int) {
    const int64_t begin = first * piece, end = std::min(groups, last * piece);
    for (int64_t g = begin; g < end; ++g) {
      interleave_group(small, static_cast<int>(info.block_bytes), blocks, from + g * group_bytes,
                       to + g * group_bytes);
    }
    w.let_go(begin * group_bytes, end * group_bytes);
  });
  const int64_t done = groups * group_bytes;
  std::memcpy(to + done, from + done, static_cast<size_t>(w.bytes() - done));
}

Tensor interleave(const Tensor& w, ThreadPool& pool) {
  if (w.layout() == Layout::interleaved) return w;
  Tensor out = Tensor::zeros(w.dtype(), w.shape(), Layout::interleaved);
  interleave(w, out.data(), pool);
  return out;
}

Tensor deinterleave(const Tensor& w) {
  if (w.layout() == Layout::rows) return w;
  Tensor out = Tensor::zeros(w.dtype(), w.shape());
  const int64_t bytes = row_bytes(w.dtype(), w.shape()[-1]);
  for (int64_t row = 0; row < w.shape().rows(); ++row) {
    copy_row(w.view(), row, out.as<uint8_t>() + row * bytes);
  }
  return out;
}

void copy_row(const TensorView& matrix, int64_t row, void* out) {
  const DTypeInfo& info = dtype_info(matrix.dtype);
  const int64_t bytes = row_bytes(matrix.dtype, matrix.shape[-1]);
  const auto* data = matrix.as<const uint8_t>();
  if (!in_group(matrix, row)) {
    std::memcpy(out, data + row * bytes, static_cast<size_t>(bytes));
    return;
  }
  const SmallField small = *small_field(matrix.dtype);
  const int64_t r = row % kInterleavedRows;
  data += (row - r) * bytes;
  auto* to = static_cast<uint8_t*>(out);
  for (int64_t at = 0; at < bytes; at += info.block_bytes) {
    gather_block(data + kInterleavedRows * at, small, static_cast<int>(info.block_bytes),
                 static_cast<int>(r), to + at);
  }
}

void row_to_float(const TensorView& matrix, int64_t row, float* out) {
  const DTypeInfo& info = dtype_info(matrix.dtype);
  const int64_t columns = matrix.shape[-1];
  const int64_t bytes = row_bytes(matrix.dtype, columns);
  const auto* data = matrix.as<const uint8_t>();
  if (!in_group(matrix, row)) {
    info.to_float(data + row * bytes, out, columns);
    return;
  }
  const SmallField small = *small_field(matrix.dtype);
  const int64_t r = row % kInterleavedRows;
  data += (row - r) * bytes;
  uint8_t block[256];
  for (int64_t at = 0; at < bytes; at += info.block_bytes, out += info.block_length) {
    gather_block(data + kInterleavedRows * at, small, static_cast<int>(info.block_bytes),
                 static_cast<int>(r), block);
    info.to_float(block, out, info.block_length);
  }
}

}  // namespace bantam
