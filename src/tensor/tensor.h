#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "tensor/dtype.h"

namespace bantam {

inline constexpr int kMaxRank = 5;

// Extents of a tensor, row-major, innermost last. Rank 0 is a scalar with one element.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<int64_t> dims);
  explicit Shape(std::span<const int64_t> dims);

  [[nodiscard]] int rank() const { return rank_; }
  int64_t operator[](int axis) const {
    return dims_[static_cast<size_t>(axis < 0 ? axis + rank_ : axis)];
  }
  int64_t& operator[](int axis) {
    return dims_[static_cast<size_t>(axis < 0 ? axis + rank_ : axis)];
  }
  [[nodiscard]] int64_t elements() const;
  // Product of all extents but the innermost.
  [[nodiscard]] int64_t rows() const;
  bool operator==(const Shape& other) const;
  [[nodiscard]] std::string str() const;  // "[2, 3]"

 private:
  int rank_ = 0;
  std::array<int64_t, kMaxRank> dims_{};
};

// How the rows of a matrix of blocks lie in memory; tensor/layout.h tells the second.
enum class Layout : uint8_t { rows, interleaved };

// Raw, contiguous, row-major memory with a type: what kernels and back ends see. Does not own.
struct TensorView {
  DType dtype = DType::f32;
  Shape shape;
  void* data = nullptr;
  Layout layout = Layout::rows;

  template <typename T>
  T* as() const {
    return static_cast<T*>(data);
  }
  [[nodiscard]] int64_t bytes() const;
};

// A contiguous tensor with shared ownership of its storage: heap, mapped file or arena. Copying a
// Tensor shares the storage. Data from a mapped file is read-only.
class Tensor {
 public:
  Tensor() = default;
  // Zero-filled heap storage, aligned to 64 bytes.
  static Tensor zeros(DType dtype, const Shape& shape, Layout layout = Layout::rows);
  // Memory kept alive by `owner`. Must not be written through. `mapped`: pages of a file, which may
  // be let go and are read again when they are needed.
  static Tensor wrap(DType dtype, const Shape& shape, const void* data,
                     std::shared_ptr<const void> owner, Layout layout = Layout::rows,
                     bool mapped = false);
  static Tensor from(std::span<const float> values, const Shape& shape);

  [[nodiscard]] bool defined() const { return data_ != nullptr || owner_ != nullptr; }
  [[nodiscard]] DType dtype() const { return dtype_; }
  [[nodiscard]] Layout layout() const { return layout_; }
  [[nodiscard]] bool mapped() const { return mapped_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] int64_t bytes() const;
  [[nodiscard]] void* data() const { return data_; }
  template <typename T>
  T* as() const {
    return static_cast<T*>(data_);
  }
  [[nodiscard]] TensorView view() const { return {dtype_, shape_, data_, layout_}; }
  // A converted copy, row by row; through float32. The innermost extent must fit the block length.
  [[nodiscard]] Tensor to(DType dtype) const;
  [[nodiscard]] Tensor clone() const;
  // Gives back the memory of pages that a mapped file has within these bytes; the content stays.
  void let_go(int64_t begin, int64_t end) const;
  // The same storage under another shape with as many elements.
  [[nodiscard]] Tensor reshaped(const Shape& shape) const;

 private:
  DType dtype_ = DType::f32;
  Layout layout_ = Layout::rows;
  bool mapped_ = false;
  Shape shape_;
  void* data_ = nullptr;
  std::shared_ptr<const void> owner_;
};

}  // namespace bantam
