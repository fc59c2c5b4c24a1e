#include "graph/op.h"
#include "graph/ops.h"

// Ops that write to states.

namespace bantam {

extern const Op op_accumulate, op_adamw;

namespace {

std::vector<Type> infer_accumulate(const InferContext& c) {
  c.check_arity(2);
  c.check(c.type(0).dtype == DType::f32 && c.shape(0) == c.shape(1), "an f32 state of x's shape");
  return {c.type(0)};
}

std::vector<Type> infer_adamw(const InferContext& c) {
  c.check_arity(5);
  for (size_t i = 0; i < 4; ++i) {
    c.check(c.type(i) == Type{DType::f32, c.shape(0)}, "parameter, m, v and gradient of one type");
  }
  c.check(c.type(4) == Type{DType::f32, {8}}, "8 f32 hyper-parameters");
  return {c.type(0)};
}

}  // namespace

const Op op_accumulate{.name = "accumulate", .infer = infer_accumulate, .alias = 0, .effect = true};
const Op op_adamw{.name = "adamw", .infer = infer_adamw, .alias = 0, .effect = true};

Value ops::accumulate(Graph& g, Value state, Value x) {
  return g.add(op_accumulate, {state, x});
}

Value ops::adamw(Graph& g, Value parameter, Value m, Value v, Value gradient, Value hyper,
                 double weight_decay) {
  return g.add(op_adamw, {parameter, m, v, gradient, hyper}, {{"weight_decay", weight_decay}});
}

}  // namespace bantam
