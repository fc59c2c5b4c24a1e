#include "graph/op.h"
#include "graph/ops.h"

// Losses over a vocabulary, one value per row. Rows whose target is negative give 0 and no
// gradient.

namespace bantam {

extern const Op op_cross_entropy, op_cross_entropy_grad, op_divergence, op_divergence_grad;

namespace {

bool is_float(DType t) {
  return t == DType::f32 || t == DType::bf16;
}

// loss = lse - logits[target],  lse = log sum exp(logits)
std::vector<Type> infer_cross_entropy(const InferContext& c) {
  c.check_arity(2);
  c.check(is_float(c.type(0).dtype) && c.shape(0).rank() == 2, "f32 or bf16 logits [N, V]");
  const Extent rows = c.shape(0)[0];
  c.check(c.type(1) == Type{DType::i32, {rows}}, "an i32 target for each row");
  return {{DType::f32, {rows}}, {DType::f32, {rows}}};
}

// dlogits = (softmax(logits) - onehot(target)) dloss
std::vector<Value> gradient_cross_entropy(const GradientContext& c) {
  return {c.graph.add(op_cross_entropy_grad,
                      {c.input(0), c.input(1), c.outputs[1], c.output_gradients[0]}),
          {}};
}

std::vector<Type> infer_cross_entropy_grad(const InferContext& c) {
  c.check_arity(4);
  return {c.type(0)};
}

// loss = T^2 D(softmax(teacher / T), softmax(student / T)) with D one of KL(t, s), KL(s, t) and
// Jensen-Shannon: (KL(t, m) + KL(s, m)) / 2, m = (t + s) / 2.
std::vector<Type> infer_divergence(const InferContext& c) {
  c.check_arity(3);
  c.check(is_float(c.type(0).dtype) && is_float(c.type(1).dtype) && c.shape(0) == c.shape(1) &&
              c.shape(0).rank() == 2,
          "logits [N, V] of student and teacher");
  const Extent rows = c.shape(0)[0];
  c.check(c.type(2) == Type{DType::i32, {rows}}, "an i32 target for each row");
  c.check(c.attributes.real("temperature") > 0, "a positive temperature");
  return {{DType::f32, {rows}}};
}

std::vector<Value> gradient_divergence(const GradientContext& c) {
  return {c.graph.add(op_divergence_grad,
                      {c.input(0), c.input(1), c.input(2), c.output_gradients[0]}, c.attributes()),
          {},
          {}};
}

std::vector<Type> infer_divergence_grad(const InferContext& c) {
  c.check_arity(4);
  return {c.type(0)};
}

}  // namespace

const Op op_cross_entropy{.name = "cross_entropy",
                          .infer = infer_cross_entropy,
                          .gradient = gradient_cross_entropy,
                          .onnx = "SoftmaxCrossEntropyLoss"};
const Op op_cross_entropy_grad{
    .name = "cross_entropy_grad", .infer = infer_cross_entropy_grad, .inplace = 0};
const Op op_divergence{
    .name = "divergence", .infer = infer_divergence, .gradient = gradient_divergence};
const Op op_divergence_grad{
    .name = "divergence_grad", .infer = infer_divergence_grad, .inplace = 0};

Value ops::cross_entropy(Graph& g, Value logits, Value targets) {
  return g.add(op_cross_entropy, {logits, targets});
}

Value ops::divergence(Graph& g, Value student, Value teacher, Value targets, double temperature,
                      Divergence kind) {
  return g.add(op_divergence, {student, teacher, targets},
               {{"temperature", temperature}, {"kind", static_cast<int64_t>(kind)}});
}

}  // namespace bantam
