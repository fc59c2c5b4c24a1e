#include <algorithm>
#include <cmath>

#include "cpu/bindings.h"
#include "cpu/elementwise/chunks.h"
#include "cpu/elementwise/move.h"
#include "cpu/elementwise/table.h"
#include "tensor/layout.h"

namespace bantam::cpu {
namespace {

// A type's index in the tables, -1 if there is none.
int index(DType t) {
  return t == DType::f32 ? 0 : t == DType::bf16 ? 1 : t == DType::f16 ? 2 : -1;
}
int index(const TensorView& v) {
  return index(v.dtype);
}
bool is_float(DType t) {
  return t == DType::f32 || t == DType::bf16;
}

std::byte* at(const TensorView& v, int64_t i) {
  return v.as<std::byte>() + i * (v.dtype == DType::f32 ? 4 : 2);
}

template <typename Body>
void for_elements(const StepContext& c, Body body) {
  c.pool.parallel_for(c.outputs[0].shape.elements(), kGrain,
                      [&](int64_t begin, int64_t end, int) { body(begin, end - begin); });
}

// --- one input -----------------------------------------------------------------------------------

template <Unary op>
void run_unary(const StepContext& c) {
  const TensorView &x = c.inputs[0], &y = c.outputs[0];
  float parameter = 0;
  if (op == kScale) parameter = static_cast<float>(c.attributes.real("factor"));
  if (op == kShift) parameter = static_cast<float>(c.attributes.real("amount"));
  const UnaryFn kernel = elementwise_kernels().unary[op][index(x)];
  for_elements(c, [&](int64_t i, int64_t n) { kernel(at(x, i), at(y, i), n, parameter); });
}

template <Unary op>
std::optional<BoundKernel> bind_unary(const BindRequest& r) {
  if (!is_float(r.in(0)) || r.out(0) != r.in(0)) return {};
  return BoundKernel{run_unary<op>, 0};
}

// The logarithm is the C library's: it is on no hot path.
void run_log(const StepContext& c) {
  const auto* x = c.inputs[0].as<float>();
  auto* y = c.outputs[0].as<float>();
  for_elements(c, [&](int64_t i, int64_t n) {
    for (int64_t j = i; j < i + n; ++j) y[j] = std::log(x[j]);
  });
}

std::optional<BoundKernel> bind_log(const BindRequest& r) {
  if (r.in(0) != DType::f32 || r.out(0) != DType::f32) return {};
  return BoundKernel{run_log, 0};
}

void run_cast(const StepContext& c) {
  const TensorView &x = c.inputs[0], &y = c.outputs[0];
  const CastFn kernel = elementwise_kernels().cast[index(x)][index(y)];
  for_elements(c, [&](int64_t i, int64_t n) { kernel(at(x, i), at(y, i), n); });
}

void run_dequantize(const StepContext& c) {
  const TensorView &x = c.inputs[0], &y = c.outputs[0];
  const int64_t columns = x.shape[-1];
  c.pool.parallel_for(x.shape.rows(), row_grain(columns), [&](int64_t begin, int64_t end, int) {
    for (int64_t row = begin; row < end; ++row) {
      row_to_float(x, row, y.as<float>() + row * columns);
    }
  });
}

std::optional<BoundKernel> bind_cast(const BindRequest& r) {
  if (dtype_info(r.in(0)).quantized) {
    if (r.out(0) != DType::f32 || dtype_info(r.in(0)).to_float == nullptr) return {};
    return BoundKernel{run_dequantize, 0};
  }
  if (r.in(0) == r.out(0)) return BoundKernel{run_copy, 0};
  if (index(r.in(0)) < 0 || index(r.out(0)) < 0) return {};
  return BoundKernel{run_cast, 0};
}

struct Bounds {
  float low, high;
  explicit Bounds(const Attributes& a)
      : low(static_cast<float>(a.real("low"))), high(static_cast<float>(a.real("high"))) {}
};

// In each block, sums and differences at distances 1, 2, 4, ... (the fast Walsh-Hadamard
// transform).
void rotate_block(float* y, int64_t block, float scale) {
  for (int64_t half = 1; half < block; half *= 2) {
    for (int64_t first = 0; first < block; first += 2 * half) {
      for (int64_t i = first; i < first + half; ++i) {
        const float a = y[i], b = y[i + half];
        y[i] = a + b;
        y[i + half] = a - b;
      }
    }
  }
  for (int64_t i = 0; i < block; ++i) y[i] *= scale;
}

void run_hadamard(const StepContext& c) {
  const TensorView &x = c.inputs[0], &y = c.outputs[0];
  const int64_t block = c.attributes.integer("block"), blocks = x.shape.elements() / block;
  const float scale = 1.0f / std::sqrt(static_cast<float>(block));
  c.pool.parallel_for(blocks, row_grain(block), [&](int64_t begin, int64_t end, int) {
    float* to = y.as<float>() + begin * block;
    if (x.data != y.data) {
      std::copy_n(x.as<float>() + begin * block, (end - begin) * block, to);
    }
    for (int64_t i = begin; i < end; ++i, to += block) rotate_block(to, block, scale);
  });
}

std::optional<BoundKernel> bind_hadamard(const BindRequest& r) {
  if (r.in(0) != DType::f32) return {};
  return BoundKernel{run_hadamard, 0};
}

void run_clamp(const StepContext& c) {
  const auto* x = c.inputs[0].as<float>();
  auto* y = c.outputs[0].as<float>();
  const Bounds bounds(c.attributes);
  for_elements(c, [&](int64_t i, int64_t n) {
    for (int64_t j = i; j < i + n; ++j) y[j] = std::clamp(x[j], bounds.low, bounds.high);
  });
}

void run_clamp_grad(const StepContext& c) {
  const auto *x = c.inputs[0].as<float>(), *dy = c.inputs[1].as<float>();
  auto* dx = c.outputs[0].as<float>();
  const Bounds bounds(c.attributes);
  for_elements(c, [&](int64_t i, int64_t n) {
    for (int64_t j = i; j < i + n; ++j) {
      dx[j] = x[j] >= bounds.low && x[j] <= bounds.high ? dy[j] : 0.0f;
    }
  });
}

template <void (*run)(const StepContext&)>
std::optional<BoundKernel> bind_clamp(const BindRequest& r) {
  if (r.in(0) != DType::f32 || r.out(0) != DType::f32) return {};
  return BoundKernel{run, 0};
}

// dy where y > 0, else 0; bits are copied, so f32 and bf16 differ in size alone.
template <typename Bits>
void relu_grad(const StepContext& c, Bits zero_or_negative_above) {
  const auto *y = c.inputs[0].as<Bits>(), *dy = c.inputs[1].as<Bits>();
  auto* dx = c.outputs[0].as<Bits>();
  for_elements(c, [&](int64_t i, int64_t n) {
    for (int64_t j = i; j < i + n; ++j) {
      const bool positive = y[j] != 0 && y[j] < zero_or_negative_above;
      dx[j] = positive ? dy[j] : Bits{0};
    }
  });
}

void run_relu_grad(const StepContext& c) {
  if (c.inputs[0].dtype == DType::f32) {
    relu_grad<uint32_t>(c, 0x80000000u);
  } else {
    relu_grad<uint16_t>(c, 0x8000);
  }
}

std::optional<BoundKernel> bind_relu_grad(const BindRequest& r) {
  if (!is_float(r.in(0)) || r.in(1) != r.in(0) || r.out(0) != r.in(0)) return {};
  return BoundKernel{run_relu_grad, 0};
}

// --- two inputs ----------------------------------------------------------------------------------

template <Binary op>
void run_binary(const StepContext& c) {
  const TensorView &a = c.inputs[0], &b = c.inputs[1], &y = c.outputs[0];
  const ElementwiseKernels& kernels = elementwise_kernels();
  const BinaryFn whole = kernels.binary[op][index(a)][index(b)];
  const BinaryFn one = kernels.binary_one[op][index(a)][index(b)];
  const int64_t period = b.shape.elements();
  for_elements(c, [&](int64_t i, int64_t n) {
    if (period == 1) return one(at(a, i), b.data, at(y, i), n);
    for (const int64_t end = i + n; i < end;) {
      const int64_t offset = i % period, length = std::min(period - offset, end - i);
      whole(at(a, i), at(b, offset), at(y, i), length);
      i += length;
    }
  });
}

template <Binary op>
std::optional<BoundKernel> bind_binary(const BindRequest& r) {
  if (!is_float(r.in(0)) || !is_float(r.in(1)) || r.out(0) != r.in(0)) return {};
  return BoundKernel{run_binary<op>, 0};
}

// state += x: the output is the state's memory.
std::optional<BoundKernel> bind_accumulate(const BindRequest& r) {
  if (r.in(0) != DType::f32) return {};
  return bind_binary<kAdd>(r);
}

void run_swiglu(const StepContext& c) {
  const TensorView &gate = c.inputs[0], &up = c.inputs[1], &y = c.outputs[0];
  const SwigluFn kernel = elementwise_kernels().swiglu[index(gate)];
  for_elements(c, [&](int64_t i, int64_t n) { kernel(at(gate, i), at(up, i), at(y, i), n); });
}

std::optional<BoundKernel> bind_swiglu(const BindRequest& r) {
  if (!is_float(r.in(0)) || r.in(1) != r.in(0) || r.out(0) != r.in(0)) return {};
  return BoundKernel{run_swiglu, 0};
}

void run_swiglu_grad(const StepContext& c) {
  const TensorView &gate = c.inputs[0], &up = c.inputs[1], &dy = c.inputs[2];
  const TensorView &dgate = c.outputs[0], &dup = c.outputs[1];
  const SwigluGradFn kernel =
      elementwise_kernels().swiglu_grad[index(gate)][index(dy)][index(dgate)];
  for_elements(c, [&](int64_t i, int64_t n) {
    kernel(at(gate, i), at(up, i), at(dy, i), at(dgate, i), at(dup, i), n);
  });
}

std::optional<BoundKernel> bind_swiglu_grad(const BindRequest& r) {
  if (!is_float(r.in(0)) || r.in(1) != r.in(0) || !is_float(r.in(2))) return {};
  if (!is_float(r.out(0)) || r.out(1) != r.out(0)) return {};
  return BoundKernel{run_swiglu_grad, 0};
}

// SplitMix64 (Steele et al. 2014), the finaliser.
uint64_t scramble(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

void run_dropout(const StepContext& c) {
  const TensorView &x = c.inputs[0], &y = c.outputs[0];
  const auto seed = static_cast<uint32_t>(c.inputs[1].as<int32_t>()[0]);
  const auto salt = static_cast<uint64_t>(c.attributes.integer("salt"));
  const double p = c.attributes.real("p");
  const uint64_t key = scramble(seed ^ scramble(salt));
  const DropoutMask mask{{static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32)},
                         static_cast<uint32_t>(std::lround(p * 0x1p24)),
                         static_cast<float>(1 / (1 - p))};
  const DropoutFn kernel = elementwise_kernels().dropout[index(x)];
  for_elements(c, [&](int64_t i, int64_t n) { kernel(at(x, i), at(y, i), i, n, mask); });
}

std::optional<BoundKernel> bind_dropout(const BindRequest& r) {
  if (!is_float(r.in(0)) || r.in(1) != DType::i32 || r.out(0) != r.in(0)) return {};
  return BoundKernel{run_dropout, 0};
}

constexpr OpBinding kBindings[] = {
    {"scale", bind_unary<kScale>},
    {"shift", bind_unary<kShift>},
    {"exp", bind_unary<kExp>},
    {"rsqrt", bind_unary<kRsqrt>},
    {"reciprocal", bind_unary<kReciprocal>},
    {"sigmoid", bind_unary<kSigmoid>},
    {"silu", bind_unary<kSilu>},
    {"softplus", bind_unary<kSoftplus>},
    {"tanh", bind_unary<kTanh>},
    {"erf", bind_unary<kErf>},
    {"gelu", bind_unary<kGelu>},
    {"gelu_erf", bind_unary<kGeluErf>},
    {"relu", bind_unary<kRelu>},
    {"relu_grad", bind_relu_grad},
    {"log", bind_log},
    {"hadamard", bind_hadamard},
    {"clamp", bind_clamp<run_clamp>},
    {"clamp_grad", bind_clamp<run_clamp_grad>},
    {"cast", bind_cast, true},
    {"copy", bind_copy},
    {"transpose", bind_transpose},
    {"add", bind_binary<kAdd>},
    {"sub", bind_binary<kSub>},
    {"mul", bind_binary<kMul>},
    {"accumulate", bind_accumulate},
    {"swiglu", bind_swiglu},
    {"swiglu_grad", bind_swiglu_grad},
    {"dropout", bind_dropout},
};

}  // namespace

std::span<const OpBinding> elementwise_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
