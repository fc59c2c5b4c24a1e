#include "graph/op.h"
#include "graph/ops.h"

// The first half of a gated feed-forward block (Shazeer 2020), where both products and what is made
// of them would only be written to be read again.

namespace bantam {
namespace {

std::vector<Type> infer(const InferContext& c) {
  c.check_arity(3);
  c.check(c.type(0).dtype == DType::q8a, "activations in q8a");
  c.check(c.shape(1) == c.shape(2) && c.shape(1).rank() == 2, "two matrices of one shape");
  for (const size_t w : {size_t{1}, size_t{2}}) {
    c.check(dtype_info(c.type(w).dtype).quantized, "quantised weights");
  }
  c.check(c.shape(1)[1] == c.shape(0)[-1], "the same inner extent");
  SymShape shape = c.shape(0);
  shape[-1] = c.shape(1)[0];
  return {{DType::q8a, shape}};
}

std::vector<Value> fallback(Graph& g, const Node& n) {
  const Value gate = ops::linear(g, n.inputs[0], n.inputs[1]);
  const Value up = ops::linear(g, n.inputs[0], n.inputs[2]);
  const bool gelu = n.attributes.integer("gelu") != 0;
  return {ops::quantize(g, gelu ? ops::mul(g, ops::gelu(g, gate), up) : ops::swiglu(g, gate, up))};
}

}  // namespace

extern const Op op_gated_linear;
const Op op_gated_linear{
    .name = "gated_linear", .infer = infer, .fallback = fallback, .reads_interleaved = true};

Value ops::gated_linear(Graph& g, Value x, Value gate, Value up, GatedUnit unit) {
  return g.add(op_gated_linear, {x, gate, up},
               {{"gelu", static_cast<int64_t>(unit == GatedUnit::gelu)}});
}

}  // namespace bantam
