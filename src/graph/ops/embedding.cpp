#include "graph/op.h"
#include "graph/ops.h"

// Row n of the result is row ids[n] of the table, whatever type the table is stored in.

namespace bantam {

extern const Op op_embedding, op_embedding_grad;

namespace {

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(2);
  c.check(c.shape(0).rank() == 2 && c.type(1).dtype == DType::i32 && c.shape(1).rank() == 1,
          "a table [V, C] and i32 ids [N]");
  const auto out = static_cast<DType>(c.attributes.integer("out"));
  c.check(out == DType::f32 || out == DType::bf16, "an f32 or bf16 result");
  return {{out, {c.shape(1)[0], c.shape(0)[1]}}};
}

// dtable[v] = sum of dy[n] over the rows n with ids[n] = v
std::vector<Value> gradient(const GradientContext& c) {
  return {c.graph.add(op_embedding_grad, {c.input(1), c.output_gradients[0]},
                      {{"vocab", c.graph.shape(c.input(0))[0].factor}}),
          {}};
}

std::vector<Type> infer_grad(const InferContext& c) {
  c.check_arity(2);
  c.check(c.shape(0)[0] == c.shape(1)[0], "one id for each row");
  return {{DType::f32, {c.attributes.integer("vocab"), c.shape(1)[1]}}};
}

}  // namespace

const Op op_embedding{.name = "embedding",
                      .infer = infer,
                      .gradient = gradient,
                      .reads_interleaved = true,
                      .onnx = "Gather"};
const Op op_embedding_grad{.name = "embedding_grad", .infer = infer_grad};

Value ops::embedding(Graph& g, Value table, Value ids, DType out) {
  return g.add(op_embedding, {table, ids}, {{"out", static_cast<int64_t>(out)}});
}

}  // namespace bantam
