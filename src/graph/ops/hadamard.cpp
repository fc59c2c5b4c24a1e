#include "graph/op.h"
#include "graph/ops.h"

// y = H x / sqrt(B) for each block of B columns, with Sylvester's Hadamard matrix H: a rotation
// that spreads outliers over a block, so that few bits hold it better. Products of two rotated
// vectors are those of the vectors themselves (Ashkboos et al. 2024, QuaRot). H is symmetric: the
// rotation is its own inverse and its own gradient.

namespace bantam {

extern const Op op_hadamard;

namespace {

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(1);
  const int64_t block = c.attributes.integer("block");
  const Extent columns = c.shape(0)[-1];
  c.check(c.type(0).dtype == DType::f32, "f32");
  c.check(block > 0 && (block & (block - 1)) == 0, "a block of a power of two");
  c.check(columns.symbol < 0 && columns.factor % block == 0, "rows of whole blocks");
  return {c.type(0)};
}

std::vector<Value> gradient(const GradientContext& c) {
  return {c.graph.add(op_hadamard, {c.output_gradients[0]}, c.attributes())};
}

}  // namespace

const Op op_hadamard{.name = "hadamard", .infer = infer, .gradient = gradient, .inplace = 0};

Value ops::hadamard(Graph& g, Value x, int64_t block) {
  return g.add(op_hadamard, {x}, {{"block", block}});
}

}  // namespace bantam
