#include "graph/op.h"
#include "graph/ops.h"
#include "graph/passes.h"
#include "graph/passes/rewrite.h"
#include "tensor/layout.h"

namespace bantam {

std::optional<Graph> screen_head(const Graph& g) {
  const Value logits = g.find_output("logits");
  if (!logits.defined()) return {};
  const Node& head = g.node(logits);
  if (head.op->name != "linear" || g.dtype(head.inputs[0]) != DType::q8a) return {};
  const Type& w = g.type(head.inputs[1]);
  const bool screened = w.dtype == DType::q8_0 || w.dtype == DType::q6_k;
  if (!screened || g.node(head.inputs[1]).op->name != "weight") return {};
  for (int32_t i = 0; i < g.size(); ++i) {
    for (const Value& v : g.node(i).inputs) {
      if (v == logits) return {};
    }
  }
  Rewrite r(g);
  for (int32_t i = 0; i < g.size(); ++i) {
    if (i != logits.node) {
      if (!r.is_mapped({i, 0})) r.keep(i);
      continue;
    }
    Graph& to = r.to();
    Type codes{DType::q4_0, w.shape};
    if (can_interleave(codes.dtype, codes.shape.bind({}))) codes.layout = Layout::interleaved;
    const Value x = r.map(head.inputs[0]);
    const Value best = to.input(kBestInput, {DType::i32, {to.shape(x)[0]}});
    r.set(logits, ops::screened_linear(to, x, r.map(head.inputs[1]), to.weight(kHeadScreen, codes),
                                       to.weight(kHeadBounds, {DType::f32, {w.shape[0]}}), best));
  }
  return r.finish();
}

}  // namespace bantam
