#include "graph/op.h"
#include "graph/ops.h"

// y = x W^T where only the best[n] largest elements of row n are asked for. A coarse copy of W with
// a bound of its error for each row tells which elements cannot be among them; those may be given
// as minus infinity, all others are those of `linear`, to the bit. best[n] = 0 asks for all.

namespace bantam {
namespace {

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(5);
  const Type &x = c.type(0), &w = c.type(1), &screen = c.type(2), &bounds = c.type(3);
  c.check(x.dtype == DType::q8a && x.shape.rank() == 2, "q8a activations [N, K]");
  c.check((w.dtype == DType::q8_0 || w.dtype == DType::q6_k) && w.shape.rank() == 2 &&
              w.shape[1] == x.shape[1],
          "weights [V, K] in q8_0 or q6_k");
  c.check(screen.dtype == DType::q4_0 && screen.shape == w.shape, "a screen [V, K] in q4_0");
  c.check(bounds.dtype == DType::f32 && bounds.shape == SymShape{w.shape[0]}, "f32 bounds [V]");
  c.check(c.type(4) == Type{DType::i32, {x.shape[0]}}, "an i32 number for each row");
  return {{DType::f32, {x.shape[0], w.shape[0]}}};
}

std::vector<Value> fallback(Graph& g, const Node& n) {
  return {ops::linear(g, n.inputs[0], n.inputs[1])};
}

}  // namespace

extern const Op op_screened_linear;
const Op op_screened_linear{
    .name = "screened_linear", .infer = infer, .fallback = fallback, .reads_interleaved = true};

Value ops::screened_linear(Graph& g, Value x, Value w, Value screen, Value bounds, Value best) {
  return g.add(op_screened_linear, {x, w, screen, bounds, best});
}

}  // namespace bantam
