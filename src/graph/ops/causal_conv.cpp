#include <fmt/format.h>

#include "graph/op.h"
#include "graph/ops.h"

// Causal depthwise convolution over time, as Mamba (Gu & Dao 2023) and LFM2 have it:
//   y[t, c] = sum over j < W of w[c, j] x[t - W + 1 + j, c],  x = 0 before the first token.
// In training rows are whole sequences one after the other; a row at position 0 begins one. In
// inference the state [S, W - 1, C] holds the latest x of each sequence.

namespace bantam {

extern const Op op_causal_conv, op_causal_conv_grad, op_causal_conv_step;

namespace {

constexpr int64_t kMostTaps = 32;

void check_conv(const InferContext& c) {
  c.check(c.type(0).dtype == DType::f32 && c.shape(0).rank() == 2, "f32 rows [N, C]");
  c.check(c.type(1).dtype == DType::f32 && c.shape(1).rank() == 2 && c.shape(1)[0] == c.shape(0)[1],
          "f32 weights [C, W]");
  const int64_t taps = c.shape(1)[1].factor;
  c.check(taps >= 2 && taps <= kMostTaps, fmt::format("2 to {} taps", kMostTaps));
}

void check_index(const InferContext& c, size_t i) {
  c.check(c.type(i) == Type{DType::i32, {c.shape(0)[0]}},
          "an i32 sequence and position for each row");
}

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(3);
  check_conv(c);
  check_index(c, 2);
  return {c.type(0)};
}

// dx[t] = sum over j of w[j] dy[t + W - 1 - j],  dw[j] = sum over t of dy[t] x[t - W + 1 + j]
std::vector<Value> gradient(const GradientContext& c) {
  auto d = c.graph.add_multi(op_causal_conv_grad,
                             {c.input(0), c.input(1), c.input(2), c.output_gradients[0]});
  d.resize(3);
  return d;
}

std::vector<Type> infer_grad(const InferContext& c) {
  c.check_arity(4);
  c.check(c.type(3) == c.type(0), "x and dy of one type");
  return {c.type(0), c.type(1)};
}

std::vector<Type> infer_step(const InferContext& c) {
  c.check_arity(5);
  check_conv(c);
  check_index(c, 2);
  check_index(c, 3);
  const SymShape& state = c.shape(4);
  c.check(c.type(4).dtype == DType::f32 && state.rank() == 3 &&
              state[1].factor == c.shape(1)[1].factor - 1 && state[2] == c.shape(0)[1],
          "an f32 state [S, W - 1, C]");
  return {c.type(0)};
}

}  // namespace

const Op op_causal_conv{.name = "causal_conv", .infer = infer, .gradient = gradient};
const Op op_causal_conv_grad{.name = "causal_conv_grad", .infer = infer_grad};
const Op op_causal_conv_step{.name = "causal_conv_step", .infer = infer_step, .effect = true};

Value ops::causal_conv(Graph& g, Value x, Value w, Value positions) {
  return g.add(op_causal_conv, {x, w, positions});
}

Value ops::causal_conv_step(Graph& g, Value x, Value w, Value sequences, Value positions,
                            Value state) {
  return g.add(op_causal_conv_step, {x, w, sequences, positions, state});
}

}  // namespace bantam
