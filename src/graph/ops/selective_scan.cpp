#include "graph/op.h"
#include "graph/ops.h"

// The recurrence of selective state spaces. For head h of P channels, with its group's B and C:
//   h_t = exp(dt_t A) h_{t-1} + dt_t x_t B_t^T,   y_t = h_t C_t          h: [P, R], h = 0 before t
//   = 0
// Mamba (Gu & Dao 2023): every channel is a head (P = 1) and A is [H, R]. Mamba-2 (Dao & Gu 2024):
// A is one number for each head, [H, 1]. In training rows are whole sequences one after the other;
// a row at position 0 begins one. In inference the state [S, H, P, R] holds each sequence's h.

namespace bantam {

extern const Op op_selective_scan, op_selective_scan_grad, op_selective_scan_step;

namespace {

// Rows between the states that the forward pass keeps for the backward pass.
constexpr int64_t kChunk = 64;

Type row_index(const InferContext& c) {
  return {DType::i32, {c.shape(0)[0]}};
}

// x [N, H, P], dt [N, H], A [H, 1 or R], B [N, G, R], C [N, G, R]
void check_scan(const InferContext& c) {
  for (size_t i = 0; i < 5; ++i) c.check(c.type(i).dtype == DType::f32, "f32");
  const SymShape &x = c.shape(0), &A = c.shape(2), &B = c.shape(3);
  c.check(x.rank() == 3, "x [N, H, P]");
  c.check(c.shape(1) == SymShape{x[0], x[1]}, "dt [N, H]");
  c.check(B.rank() == 3 && B[0] == x[0] && c.shape(4) == B, "B and C [N, G, R]");
  c.check(B[1].factor > 0 && x[1].factor % B[1].factor == 0, "a multiple of the groups as heads");
  c.check(A.rank() == 2 && A[0] == x[1] && (A[1] == Extent(1) || A[1] == B[2]),
          "A [H, 1] or [H, R]");
}

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(6);
  check_scan(c);
  const SymShape& x = c.shape(0);
  c.check(c.type(5) == row_index(c), "an i32 position for each row");
  c.check(x[0].symbol < 0, "a constant number of rows");
  const int64_t chunks = (x[0].factor + kChunk - 1) / kChunk;
  return {c.type(0), {DType::f32, {chunks, x[1], x[2], c.shape(3)[2]}}};
}

std::vector<Value> gradient(const GradientContext& c) {
  std::vector<Value> inputs = c.node.inputs;
  inputs.push_back(c.outputs[1]);
  inputs.push_back(c.output_gradients[0]);
  auto d = c.graph.add_multi(op_selective_scan_grad, std::move(inputs));
  d.resize(6);
  return d;
}

std::vector<Type> infer_grad(const InferContext& c) {
  c.check_arity(8);
  c.check(c.type(7) == c.type(0), "x and dy of one type");
  return {c.type(0), c.type(1), c.type(2), c.type(3), c.type(4)};
}

std::vector<Type> infer_step(const InferContext& c) {
  c.check_arity(8);
  check_scan(c);
  c.check(c.type(5) == row_index(c) && c.type(6) == row_index(c),
          "an i32 sequence and position for each row");
  const SymShape &x = c.shape(0), &state = c.shape(7);
  c.check(c.type(7).dtype == DType::f32 && state.rank() == 4 && state[1] == x[1] &&
              state[2] == x[2] && state[3] == c.shape(3)[2],
          "an f32 state [S, H, P, R]");
  return {c.type(0)};
}

}  // namespace

const Op op_selective_scan{.name = "selective_scan", .infer = infer, .gradient = gradient};
const Op op_selective_scan_grad{.name = "selective_scan_grad", .infer = infer_grad};
const Op op_selective_scan_step{.name = "selective_scan_step", .infer = infer_step, .effect = true};

Value ops::selective_scan(Graph& g, const SelectiveScan& s, Value positions) {
  return g.add(op_selective_scan, {s.x, s.dt, s.A, s.B, s.C, positions});
}

Value ops::selective_scan_step(Graph& g, const SelectiveScan& s, Value sequences, Value positions,
                               Value state) {
  return g.add(op_selective_scan_step, {s.x, s.dt, s.A, s.B, s.C, sequences, positions, state});
}

}  // namespace bantam
