#include <fmt/format.h>

#include "cpu/elementwise/test_kit.h"
#include "cpu/recurrence/table.h"

namespace bantam::cpu {
namespace {

using namespace test;

Tensor indices(const std::vector<int32_t>& values) {
  Tensor t = Tensor::zeros(DType::i32, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), t.as<int32_t>());
  return t;
}

// Positions of sequences of these lengths, one after the other.
Tensor positions_of(const std::vector<int32_t>& lengths) {
  std::vector<int32_t> positions;
  for (const int32_t length : lengths) {
    for (int32_t i = 0; i < length; ++i) positions.push_back(i);
  }
  return indices(positions);
}

Tensor random(const Shape& shape, uint64_t seed) {
  return sample_tensor(DType::f32, shape, seed);
}

Tensor zeros(const Shape& shape) {
  return Tensor::zeros(DType::f32, shape);
}

// Rows begin to begin + n of a tensor, as a copy.
Tensor rows_of(const Tensor& t, int64_t begin, int64_t n) {
  Shape shape = t.shape();
  const int64_t row = t.bytes() / shape[0];
  shape[0] = n;
  Tensor part = Tensor::zeros(t.dtype(), shape);
  std::memcpy(part.data(), t.as<char>() + begin * row, static_cast<size_t>(n * row));
  return part;
}

struct ConvCase {
  Tensor x, w, positions, dy;
  ConvCase(const std::vector<int32_t>& lengths, int64_t channels, int64_t taps)
      : positions(positions_of(lengths)) {
    const int64_t rows = positions.shape()[0];
    x = random({rows, channels}, 1);
    w = random({channels, taps}, 2);
    dy = random({rows, channels}, 3);
  }
  [[nodiscard]] Tensor run(int threads = 1) const {
    Tensor y = zeros(x.shape());
    run_op(recurrence_bindings(), "causal_conv", {}, {x, w, positions}, {y}, threads);
    return y;
  }
};

TEST(CausalConv, FollowsTheFormulaWithinEachSequence) {
  const ConvCase c({5, 1, 7}, 19, 4);
  const Tensor y = c.run();
  for (int64_t n = 0; n < 13; ++n) {
    for (int64_t channel = 0; channel < 19; ++channel) {
      double sum = 0;
      for (int64_t j = 0; j < 4; ++j) {
        const int64_t back = 3 - j;
        if (back > c.positions.as<int32_t>()[n]) continue;
        sum += static_cast<double>(c.w.as<float>()[channel * 4 + j]) *
               static_cast<double>(c.x.as<float>()[(n - back) * 19 + channel]);
      }
      EXPECT_NEAR(y.as<float>()[n * 19 + channel], sum, 1e-5);
    }
  }
}

TEST(CausalConv, GivesTheSameBitsHoweverRowsAreCutIntoRuns) {
  const ConvCase c({9}, 21, 3);
  const Tensor whole = c.run();
  for (const int64_t step : {1, 2, 5}) {
    const Tensor state = random({2, 2, 21}, 9);  // what an earlier sequence left
    for (int64_t n = 0; n < 9; n += step) {
      const int64_t count = std::min<int64_t>(step, 9 - n);
      Tensor y = zeros({count, 21});
      run_op(recurrence_bindings(), "causal_conv_step", {},
             {rows_of(c.x, n, count), c.w,
              indices(std::vector<int32_t>(static_cast<size_t>(count), 1)),
              rows_of(c.positions, n, count), state},
             {y});
      expect_same(y, rows_of(whole, n, count));
    }
  }
}

TEST(CausalConv, DoesNotDependOnTheNumberOfThreads) {
  const ConvCase c({300, 200}, 150, 4);
  expect_same(c.run(1), c.run(3));
}

struct ScanCase {
  int64_t heads, size, groups, states;
  Tensor x, dt, A, B, C, positions, dy;

  ScanCase(const std::vector<int32_t>& lengths, int64_t h, int64_t p, int64_t g, int64_t r,
           bool scalar_a)
      : heads(h), size(p), groups(g), states(r), positions(positions_of(lengths)) {
    const int64_t rows = positions.shape()[0];
    x = random({rows, h, p}, 1);
    dt = random({rows, h}, 2);
    A = random({h, scalar_a ? 1 : r}, 3);
    for (int64_t i = 0; i < dt.shape().elements(); ++i) {
      dt.as<float>()[i] = 0.2f * std::fabs(dt.as<float>()[i]);
    }
    for (int64_t i = 0; i < A.shape().elements(); ++i) {
      A.as<float>()[i] = -std::fabs(A.as<float>()[i]);
    }
    B = random({rows, g, r}, 4);
    C = random({rows, g, r}, 5);
    dy = random({rows, h, p}, 6);
  }
  [[nodiscard]] Tensor starts() const {
    return zeros({(x.shape()[0] + kScanChunk - 1) / kScanChunk, heads, size, states});
  }
  [[nodiscard]] std::vector<Tensor> run(int threads = 1) const {
    std::vector<Tensor> out;
    out.push_back(zeros(x.shape()));
    out.push_back(starts());
    run_op(recurrence_bindings(), "selective_scan", {}, {x, dt, A, B, C, positions}, out, threads);
    return out;
  }
  [[nodiscard]] std::vector<Tensor> gradients(int threads = 1) const {
    std::vector<Tensor> out;
    for (const Tensor* t : {&x, &dt, &A, &B, &C}) out.push_back(zeros(t->shape()));
    run_op(recurrence_bindings(), "selective_scan_grad", {},
           {x, dt, A, B, C, positions, run(threads)[1], dy}, out, threads);
    return out;
  }
};

// The formula, in double.
std::vector<double> expected_scan(const ScanCase& c) {
  const int64_t rows = c.x.shape()[0], a = c.A.shape()[1];
  std::vector<double> y(static_cast<size_t>(c.x.shape().elements()));
  for (int64_t h = 0; h < c.heads; ++h) {
    const int64_t group = h / (c.heads / c.groups);
    for (int64_t p = 0; p < c.size; ++p) {
      std::vector<double> state(static_cast<size_t>(c.states));
      for (int64_t n = 0; n < rows; ++n) {
        if (c.positions.as<int32_t>()[n] == 0) std::fill(state.begin(), state.end(), 0.0);
        const double dt = c.dt.as<float>()[n * c.heads + h];
        const double x = c.x.as<float>()[(n * c.heads + h) * c.size + p];
        double sum = 0;
        for (int64_t r = 0; r < c.states; ++r) {
          const double A = c.A.as<float>()[h * a + (a == 1 ? 0 : r)];
          const int64_t shared = (n * c.groups + group) * c.states + r;
          double& s = state[static_cast<size_t>(r)];
          s = std::exp(dt * A) * s + dt * x * static_cast<double>(c.B.as<float>()[shared]);
          sum += s * static_cast<double>(c.C.as<float>()[shared]);
        }
        y[static_cast<size_t>((n * c.heads + h) * c.size + p)] = sum;
      }
    }
  }
  return y;
}

TEST(SelectiveScan, FollowsTheFormulaWithinEachSequence) {
  for (const bool scalar_a : {false, true}) {
    const ScanCase c({70, 3, 60}, 6, 3, 2, 18, scalar_a);
    const std::vector<double> expected = expected_scan(c);
    const Tensor y = c.run()[0];
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(y.as<float>()[i], expected[i], 2e-5 * (1 + std::fabs(expected[i])));
    }
  }
}

TEST(SelectiveScan, GivesTheSameBitsHoweverRowsAreCutIntoRuns) {
  const ScanCase c({11}, 4, 5, 1, 16, true);
  const Tensor whole = c.run()[0];
  for (const int64_t step : {1, 4, 7}) {
    const Tensor state = random({3, 4, 5, 16}, 9);  // what an earlier sequence left
    for (int64_t n = 0; n < 11; n += step) {
      const int64_t count = std::min<int64_t>(step, 11 - n);
      Tensor y = zeros({count, 4, 5});
      run_op(recurrence_bindings(), "selective_scan_step", {},
             {rows_of(c.x, n, count), rows_of(c.dt, n, count), c.A, rows_of(c.B, n, count),
              rows_of(c.C, n, count), indices(std::vector<int32_t>(static_cast<size_t>(count), 2)),
              rows_of(c.positions, n, count), state},
             {y});
      expect_same(y, rows_of(whole, n, count));
    }
  }
}

TEST(SelectiveScan, DoesNotDependOnTheNumberOfThreads) {
  const ScanCase c({100, 90}, 40, 2, 4, 16, false);
  const auto one = c.run(1), three = c.run(3);
  for (size_t i = 0; i < one.size(); ++i) expect_same(one[i], three[i]);
  const auto d1 = c.gradients(1), d3 = c.gradients(3);
  for (size_t i = 0; i < d1.size(); ++i) expect_same(d1[i], d3[i]);
}

// Longer than a chunk, so that states are computed again from its start.
TEST(SelectiveScanGrad, AgreesWithFiniteDifferencesAcrossChunks) {
  for (const bool scalar_a : {false, true}) {
    const ScanCase c({50, 85}, 2, 1, 1, 3, scalar_a);
    const auto d = c.gradients();
    const Tensor* inputs[] = {&c.x, &c.dt, &c.A, &c.B, &c.C};
    for (size_t i = 0; i < 5; ++i) {
      SCOPED_TRACE(fmt::format("input {}, scalar A {}", i, scalar_a));
      expect_gradient(
          *inputs[i], d[i], c.dy, [&] { return c.run()[0]; }, 1e-2, 2e-2);
    }
  }
}

class RecurrenceKernelsOf : public testing::TestWithParam<KernelEntry<const RecurrenceKernels*>> {
 protected:
  void SetUp() override { BANTAM_SKIP_UNLESS_AVAILABLE(GetParam().isa); }
};

std::vector<Tensor> conv_outputs(const RecurrenceKernels& kernels, const ConvCase& c) {
  const int64_t channels = c.x.shape()[1], taps = c.w.shape()[1];
  std::vector<Tensor> out;
  for (const Shape& shape : {Shape{taps - 1, channels}, c.x.shape(), c.x.shape(), c.w.shape()}) {
    out.push_back(zeros(shape));
  }
  ConvProblem p{};
  p.rows = {nullptr, c.positions.as<int32_t>(), c.x.shape()[0]};
  p.channels = channels;
  p.taps = taps;
  p.x = c.x.as<float>();
  p.w = c.w.as<float>();
  p.state = out[0].as<float>();
  p.y = out[1].as<float>();
  p.dy = c.dy.as<float>();
  p.dx = out[2].as<float>();
  p.dw = out[3].as<float>();
  kernels.conv(p, 0, channels);
  kernels.conv_grad(p, 0, channels);
  return out;
}

TEST_P(RecurrenceKernelsOf, ConvolvesWithTheBitsOfScalar) {
  for (int64_t channels = 1; channels <= 35; ++channels) {
    const ConvCase c({4, 6}, channels, 2 + channels % 4);
    const auto expected = conv_outputs(scalar::kRecurrenceKernels, c);
    const auto got = conv_outputs(*GetParam().function, c);
    for (size_t i = 0; i < got.size(); ++i) expect_same(expected[i], got[i]);
  }
}

std::vector<Tensor> scan_outputs(const RecurrenceKernels& kernels, const ScanCase& c) {
  std::vector<Tensor> out;
  out.push_back(zeros({c.heads, c.size, c.states}));
  out.push_back(zeros(c.x.shape()));
  out.push_back(c.starts());
  for (const Tensor* t : {&c.x, &c.dt, &c.A, &c.B, &c.C}) out.push_back(zeros(t->shape()));
  const Tensor scratch = zeros({(kScanChunk + 3) * c.size * c.states + c.states});
  ScanProblem p{};
  p.rows = {nullptr, c.positions.as<int32_t>(), c.x.shape()[0]};
  p.heads = c.heads;
  p.head_size = c.size;
  p.groups = c.groups;
  p.state_size = c.states;
  p.a = c.A.shape()[1];
  p.x = c.x.as<float>();
  p.dt = c.dt.as<float>();
  p.A = c.A.as<float>();
  p.B = c.B.as<float>();
  p.C = c.C.as<float>();
  p.dy = c.dy.as<float>();
  p.scratch = scratch.as<float>();
  float** targets[] = {&p.state, &p.y, &p.starts, &p.dx, &p.ddt, &p.dA, &p.dB, &p.dC};
  for (size_t i = 0; i < out.size(); ++i) *targets[i] = out[i].as<float>();
  for (int64_t head = 0; head < c.heads; ++head) kernels.scan(p, head);
  for (int64_t head = 0; head < c.heads; ++head) kernels.scan_grad(p, head);
  return out;
}

TEST_P(RecurrenceKernelsOf, ScansWithTheBitsOfScalar) {
  for (int64_t states = 1; states <= 35; states += 2) {
    const ScanCase c({66, 6}, 4, 1 + states % 3, 2, states, states % 4 == 1);
    const auto expected = scan_outputs(scalar::kRecurrenceKernels, c);
    const auto got = scan_outputs(*GetParam().function, c);
    for (size_t i = 0; i < got.size(); ++i) expect_same(expected[i], got[i]);
  }
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, RecurrenceKernelsOf,
                         testing::ValuesIn(recurrence_table().begin(), recurrence_table().end()),
                         [](const auto& row) { return std::string(isa_name(row.param.isa)); });

}  // namespace
}  // namespace bantam::cpu
