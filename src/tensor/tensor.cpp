#include "tensor/tensor.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "tensor/layout.h"

namespace bantam {

Shape::Shape(std::initializer_list<int64_t> dims) : Shape(std::span(dims.begin(), dims.size())) {}

Shape::Shape(std::span<const int64_t> dims) : rank_(static_cast<int>(dims.size())) {
  BANTAM_ASSERT(dims.size() <= kMaxRank);
  std::copy(dims.begin(), dims.end(), dims_.begin());
}

int64_t Shape::elements() const {
  int64_t product = 1;
  for (int i = 0; i < rank_; ++i) product *= (*this)[i];
  return product;
}

int64_t Shape::rows() const {
  int64_t product = 1;
  for (int i = 0; i + 1 < rank_; ++i) product *= (*this)[i];
  return product;
}

bool Shape::operator==(const Shape& other) const {
  return rank_ == other.rank_ &&
         std::equal(dims_.begin(), dims_.begin() + rank_, other.dims_.begin());
}

std::string Shape::str() const {
  return fmt::format("[{}]", fmt::join(dims_.begin(), dims_.begin() + rank_, ", "));
}

namespace {

int64_t tensor_bytes(DType dtype, const Shape& shape) {
  const DTypeInfo& info = dtype_info(dtype);
  const int64_t innermost = shape.rank() == 0 ? 1 : shape[-1];
  if (innermost % info.block_length != 0) {
    fail(ErrorKind::model, "tensor", "{} expected rows of a multiple of {} elements, got {}",
         info.name, info.block_length, shape.str());
  }
  return row_bytes(dtype, shape.elements());
}

// Zeroed and aligned to a cache line. calloc leaves the pages of large blocks untouched.
std::shared_ptr<void> allocate(int64_t bytes, void** data) {
  constexpr size_t kAlignment = 64;
  const size_t size = static_cast<size_t>(bytes) + kAlignment;
  std::shared_ptr<void> owner(std::calloc(1, size), std::free);
  if (!owner) fail(ErrorKind::resource, "memory", "cannot allocate {} bytes", bytes);
  size_t space = size;
  *data = owner.get();
  std::align(kAlignment, static_cast<size_t>(bytes), *data, space);
  return owner;
}

}  // namespace

int64_t TensorView::bytes() const {
  return tensor_bytes(dtype, shape);
}

int64_t Tensor::bytes() const {
  return tensor_bytes(dtype_, shape_);
}

Tensor Tensor::zeros(DType dtype, const Shape& shape, Layout layout) {
  Tensor result;
  result.layout_ = layout;
  result.dtype_ = dtype;
  result.shape_ = shape;
  result.owner_ = allocate(tensor_bytes(dtype, shape), &result.data_);
  return result;
}

Tensor Tensor::wrap(DType dtype, const Shape& shape, const void* data,
                    std::shared_ptr<const void> owner, Layout layout, bool mapped) {
  Tensor result;
  result.mapped_ = mapped;
  result.layout_ = layout;
  result.dtype_ = dtype;
  result.shape_ = shape;
  result.data_ = const_cast<void*>(data);
  result.owner_ = std::move(owner);
  return result;
}

Tensor Tensor::from(std::span<const float> values, const Shape& shape) {
  BANTAM_ASSERT(static_cast<int64_t>(values.size()) == shape.elements());
  Tensor result = zeros(DType::f32, shape);
  if (!values.empty()) std::memcpy(result.data_, values.data(), values.size_bytes());
  return result;
}

Tensor Tensor::clone() const {
  Tensor result = zeros(dtype_, shape_, layout_);
  if (bytes() > 0) std::memcpy(result.data_, data_, static_cast<size_t>(bytes()));
  return result;
}

Tensor Tensor::to(DType dtype) const {
  if (layout_ == Layout::interleaved) return deinterleave(*this).to(dtype);
  if (dtype == dtype_) return clone();
  const DTypeInfo& from = dtype_info(dtype_);
  const DTypeInfo& into = dtype_info(dtype);
  if (!from.to_float || !into.from_float) {
    fail(ErrorKind::model, "tensor", "cannot convert {} to {}", from.name, into.name);
  }
  Tensor result = zeros(dtype, shape_);
  constexpr int64_t kPiece = 4096;  // a multiple of every block length
  std::vector<float> buffer(kPiece);
  const int64_t total = shape_.elements();
  for (int64_t at = 0; at < total; at += kPiece) {
    const int64_t n = std::min(kPiece, total - at);
    from.to_float(as<std::byte>() + row_bytes(dtype_, at), buffer.data(), n);
    into.from_float(buffer.data(), result.as<std::byte>() + row_bytes(dtype, at), n);
  }
  return result;
}

void Tensor::let_go(int64_t begin, int64_t end) const {
  if (mapped_) forget_pages({as<const std::byte>() + begin, as<const std::byte>() + end});
}

Tensor Tensor::reshaped(const Shape& shape) const {
  if (shape.elements() != shape_.elements()) {
    fail(ErrorKind::model, "reshape", "expected {} elements, got {}", shape_.elements(),
         shape.str());
  }
  BANTAM_ASSERT(layout_ == Layout::rows);
  Tensor result = *this;
  result.shape_ = shape;
  static_cast<void>(result.bytes());  // refuses rows that cut a block
  return result;
}

}  // namespace bantam
