#include <cmath>

#include "cpu/attention/kernels.h"
#include "cpu/attention/vector_kernels.h"

namespace bantam::cpu::attention::scalar {

struct Vector {
  using Reg = float;
  static constexpr int kWidth = 1, kTileRows = 1, kTileVectors = 4, kFewSums = 16;
  static Reg load(const float* p) { return *p; }
  static void store(float* p, Reg x) { *p = x; }
  static Reg set1(float x) { return x; }
  static Reg add(Reg a, Reg b) { return a + b; }
  static Reg sub(Reg a, Reg b) { return a - b; }
  static Reg mul(Reg a, Reg b) { return a * b; }
  static Reg div(Reg a, Reg b) { return a / b; }
  static Reg fma(Reg a, Reg b, Reg c) { return std::fma(a, b, c); }
  static Reg max(Reg a, Reg b) { return a > b ? a : b; }
  static Reg load_f16(const uint16_t* p) { return f16_to_float(*p); }
  static Reg load_bf16(const uint16_t* p) { return bf16_to_float(*p); }
  template <int kShift>
  static Reg signed_byte(const uint8_t* p) {
    return bytes(p + kShift / 8);
  }
  template <int kShift>
  static Reg nibble(const uint8_t* p) {
    return nibbles<kShift % 8>(p + kShift / 8);
  }
  static Reg bytes(const uint8_t* p) { return static_cast<int8_t>(*p); }
  template <int kShift>
  static Reg nibbles(const uint8_t* p) {
    return static_cast<float>((*p >> kShift & 15) - 8);
  }
  static Reg keep(Reg x, int64_t n, Reg other) { return n > 0 ? x : other; }
  static Reg exp_bits(Reg p, Reg t) { return bits_float(float_bits(p) + (float_bits(t) << 23)); }
  static Reg zero_below(Reg y, Reg x, float limit) { return x < limit ? 0.0f : y; }
  static float reduce_max(Reg x) { return x; }
  static void transpose(Reg*) {}
};

extern const FloatKernels kKernels = VectorKernels<Vector>::kTable;

}  // namespace bantam::cpu::attention::scalar
