#pragma once

#include <cstdint>

#include "tensor/interleave.h"
#include "tensor/tensor.h"

namespace bantam {

class ThreadPool;

// Layout::interleaved: the matrix is cut into groups of 16 rows; rows that fill no group stay as
// they were, at the end. In a group, the blocks at the same place in each row follow each other
// with their bytes exchanged: first the first four bytes of block 0 of all 16 rows, then the next
// four, and so on. Kernels with one row per vector lane (16, 8 or 4 of them) read the columns that
// they multiply with plain loads, and no byte is added.
//
// A block's scale of one or two bytes (at `small_at`, first or last in the block) goes in pieces of
// that size instead. Byte b of row r, in a piece of u bytes that starts at o, is at
//
//   16 o + r u + (b - o)
//
// The op attention reads keys of a cache in the like order (graph/ops/attention.cpp).

inline constexpr int64_t kInterleavedRows = kRowGroup;

// Cells of keys or values that lie together in a cache; attention steps through them in blocks of
// as many.
inline constexpr int64_t kPageCells = 64;

// Whether there is such a layout for blocks of this type.
bool can_interleave(DType dtype);
// Whether it would change a tensor of this type and shape: at least one whole group, and, of
// several matrices in one tensor, only whole groups.
bool can_interleave(DType dtype, const Shape& shape);

// Writes a tensor's rows, interleaved, to memory of as many bytes. Pages of a mapped file are let
// go once they are read.
void interleave(const Tensor& w, void* out, ThreadPool& pool);
// A copy of the tensor in the other layout; the same object if it has that layout already.
Tensor interleave(const Tensor& w, ThreadPool& pool);
Tensor deinterleave(const Tensor& w);

// 16 rows that follow each other, each of so many blocks, as one group.
void interleave_group(DType dtype, int64_t blocks, const uint8_t* rows, uint8_t* out);

// The blocks of one row, in order, as the file format has them. `out` has room for a row.
void copy_row(const TensorView& matrix, int64_t row, void* out);
// One row in f32, [columns].
void row_to_float(const TensorView& matrix, int64_t row, float* out);

}  // namespace bantam
