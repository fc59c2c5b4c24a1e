#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cpu_features.h"
#include "base/half.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "cpu/bindings.h"

// What the tests of kernel families share.

namespace bantam::cpu::test {

// Elements of an 8-, 16- or 32-bit type in memory that is aligned to nothing more than an element.
class Elements {
 public:
  Elements(DType dtype, int64_t n)
      : dtype_(dtype), n_(n), bytes_(static_cast<size_t>(row_bytes(dtype, n + 1)), std::byte{0}) {}

  // Normally distributed.
  static Elements sample(DType dtype, int64_t n, uint64_t seed) {
    Elements e(dtype, n);
    Random random(seed);
    for (int64_t i = 0; i < n; ++i) e.set(i, random.normal());
    return e;
  }

  [[nodiscard]] void* data() { return bytes_.data() + row_bytes(dtype_, 1); }
  [[nodiscard]] const void* data() const { return bytes_.data() + row_bytes(dtype_, 1); }
  [[nodiscard]] float* f32() { return static_cast<float*>(data()); }
  [[nodiscard]] const float* f32() const { return static_cast<const float*>(data()); }
  [[nodiscard]] int64_t size() const { return n_; }
  [[nodiscard]] DType dtype() const { return dtype_; }

  [[nodiscard]] float get(int64_t i) const {
    if (dtype_ == DType::f32) return f32()[i];
    const uint16_t bits = static_cast<const uint16_t*>(data())[i];
    return dtype_ == DType::bf16 ? bf16_to_float(bits) : f16_to_float(bits);
  }
  void set(int64_t i, float x) {
    if (dtype_ == DType::f32) {
      f32()[i] = x;
    } else {
      static_cast<uint16_t*>(data())[i] =
          dtype_ == DType::bf16 ? float_to_bf16(x) : float_to_f16(x);
    }
  }

 private:
  DType dtype_;
  int64_t n_;
  std::vector<std::byte> bytes_;
};

// The same bits, or NaN on both sides.
inline void expect_same(const Elements& expected, const Elements& got, std::string_view what) {
  ASSERT_EQ(expected.size(), got.size());
  for (int64_t i = 0; i < expected.size(); ++i) {
    const float a = expected.get(i), b = got.get(i);
    if (std::isnan(a) && std::isnan(b)) continue;
    ASSERT_EQ(float_bits(a), float_bits(b))
        << what << ", element " << i << ": expected " << a << ", got " << b;
  }
}

// Puts NaN, infinities, zeros, extremes and subnormals among the elements.
inline void add_specials(Elements& e) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const float specials[] = {kInf,    -kInf,  std::numeric_limits<float>::quiet_NaN(),
                            0.0f,    -0.0f,  1e-40f,
                            3e38f,   -3e38f, 88.7f,
                            -103.9f, -87.5f, 65519.0f};
  int64_t at = 0;
  for (const float x : specials) {
    if (at >= e.size()) break;
    e.set(at, x);
    at += 3;
  }
}

// For TEST_P over the rows of a kernel table: skips, by name, what this processor lacks.
#define BANTAM_SKIP_UNLESS_AVAILABLE(isa)                                 \
  do {                                                                    \
    const auto need = static_cast<uint32_t>(isa);                         \
    if ((need & ::bantam::detected_isas()) != need)                       \
      GTEST_SKIP() << "this processor lacks " << ::bantam::isa_name(isa); \
  } while (false)

// Runs one op through its binding, as a plan would. Scratch starts as NaN.
inline void run_op(std::span<const OpBinding> bindings, std::string_view op,
                   const Attributes& attributes, const std::vector<Tensor>& inputs,
                   const std::vector<Tensor>& outputs, int threads = 1) {
  std::vector<TensorView> in, out;
  for (const Tensor& t : inputs) in.push_back(t.view());
  for (const Tensor& t : outputs) out.push_back(t.view());
  for (const OpBinding& binding : bindings) {
    if (binding.op != op) continue;
    const auto kernel = binding.bind({attributes, in, out, threads});
    if (!kernel) FAIL() << op << " has no kernel for these types";
    std::vector<std::byte> scratch(static_cast<size_t>(kernel->scratch_bytes), std::byte{0xff});
    ThreadPool pool(threads);
    kernel->run({in, out, attributes, scratch.data(), pool});
    return;
  }
  FAIL() << op << " is not bound";
}

inline Tensor sample_tensor(DType dtype, const Shape& shape, uint64_t seed) {
  Tensor t = Tensor::zeros(DType::f32, shape);
  Random random(seed);
  for (int64_t i = 0; i < shape.elements(); ++i) t.as<float>()[i] = random.normal();
  return dtype == DType::f32 ? t : t.to(dtype);
}

inline void expect_same(const Tensor& a, const Tensor& b) {
  ASSERT_EQ(a.dtype(), b.dtype());
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_EQ(std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())), 0);
}

// Holds dx against central differences of sum(forward(x) * weights), in f32 with tolerance.
// `forward` fills y from x (both f32).
template <typename Forward>
void expect_gradient(const Tensor& x, const Tensor& dx, const Tensor& dy, Forward forward,
                     double step = 1e-2, double tolerance = 2e-3) {
  const auto loss = [&] {
    const Tensor y = forward();
    double sum = 0;
    for (int64_t i = 0; i < y.shape().elements(); ++i) {
      sum += static_cast<double>(y.as<float>()[i]) * static_cast<double>(dy.as<float>()[i]);
    }
    return sum;
  };
  for (int64_t i = 0; i < x.shape().elements(); ++i) {
    float& xi = x.as<float>()[i];
    const float kept = xi;
    xi = kept + static_cast<float>(step);
    const double up = loss();
    xi = kept - static_cast<float>(step);
    const double down = loss();
    xi = kept;
    ASSERT_NEAR(dx.as<float>()[i], (up - down) / (2 * step), tolerance) << "element " << i;
  }
}

}  // namespace bantam::cpu::test
