#include <map>

#include "graph/op.h"
#include "graph/ops.h"
#include "graph/passes.h"
#include "graph/passes/rewrite.h"

// A step of decoding is a few microseconds of work: what lies between steps counts. Small ones join
// their neighbours.

namespace bantam {
namespace {

class Fusion {
 public:
  explicit Fusion(const Graph& g) : g_(g), rewrite_(g) {
    for (int32_t i = 0; i < g.size(); ++i) {
      for (const Value& v : g.node(i).inputs) readers_[v].push_back(i);
    }
    for (const Graph::Output& o : g.outputs()) readers_[o.value].push_back(g.size());
  }

  Graph run() {
    for (int32_t i = 0; i < g_.size(); ++i) {
      if (rewrite_.is_mapped({i, 0})) continue;
      rewrite_.to().set_segment(g_.node(i).segment);
      if (!join_sum_and_norm(i) && !join_gated_unit(i) && !join_quantize(i)) rewrite_.keep(i);
    }
    return rewrite_.finish();
  }

 private:
  // The only reader of a value, if it is this op; else -1.
  int32_t only_reader(Value v, std::string_view op) const {
    const auto found = readers_.find(v);
    if (found == readers_.end() || found->second.size() != 1) return -1;
    const int32_t reader = found->second[0];
    return reader < g_.size() && g_.node(reader).op->name == op ? reader : -1;
  }

  // The type in which the only reader wants a value, and that reader's own value.
  struct Wanted {
    DType dtype;
    Value value;
  };
  Wanted wanted(Value v) const {
    const int32_t reader = only_reader(v, "quantize");
    if (reader < 0) return {g_.dtype(v), v};
    return {DType::q8a, {reader, 0}};
  }

  // norm(x) and quantize(norm(x)): the norm gives what the products read.
  bool join_quantize(int32_t i) {
    const Node& n = g_.node(i);
    const std::string_view op = n.op->name;
    if (op != "rms_norm" && op != "layer_norm" && op != "swiglu") return false;
    const Wanted to = wanted({i, 0});
    if (to.dtype != DType::q8a || g_.dtype(n.inputs[0]) != DType::f32) return false;
    Attributes a = n.attributes;
    a.set("out", static_cast<int64_t>(to.dtype));
    rewrite_.set(to.value, rewrite_.to().add(*n.op, rewrite_.map(n.inputs), std::move(a)));
    return true;
  }

  // The sum goes on as the residual stream, its norm into the block. Of several norms the first.
  bool join_sum_and_norm(int32_t i) {
    const Node& n = g_.node(i);
    if (n.op->name != "add" || g_.type(n.inputs[0]) != g_.type(n.inputs[1])) return false;
    if (n.outputs[0].dtype != DType::f32) return false;
    for (const int32_t reader : readers_[{i, 0}]) {
      if (reader == g_.size()) continue;
      const Node& norm = g_.node(reader);
      const bool normed = norm.op->name == "rms_norm" && norm.inputs[0] == Value{i, 0} &&
                          g_.node(norm.inputs[1]).op->leaf;
      if (!normed || norm.outputs[0].dtype != DType::f32) continue;
      const Wanted to = wanted({reader, 0});
      const auto both =
          ops::add_rms_norm(rewrite_.to(), rewrite_.map(n.inputs[0]), rewrite_.map(n.inputs[1]),
                            rewrite_.map(norm.inputs[1]), norm.attributes.real("eps"), to.dtype);
      rewrite_.set({i, 0}, both[0]);
      rewrite_.set({reader, 0}, both[1]);
      rewrite_.set(to.value, both[1]);
      return true;
    }
    return false;
  }

  // Two products whose gated unit is quantised: swiglu(gate, up) or gelu(gate) * up.
  bool join_gated_unit(int32_t i) {
    const Node& n = g_.node(i);
    if (n.op->name != "linear_group" || n.inputs.size() != 3) return false;
    if (g_.dtype(n.inputs[0]) != DType::q8a) return false;
    const Value gate{i, 0}, up{i, 1};
    const int32_t activated = only_reader(gate, "gelu");
    const bool gelu = activated >= 0;
    const int32_t unit = gelu ? only_reader(up, "mul") : only_reader(up, "swiglu");
    if (unit < 0) return false;
    const Value left = gelu ? Value{activated, 0} : gate;
    const std::vector<Value>& read = g_.node(unit).inputs;
    const bool fits =
        (read[0] == left && read[1] == up) || (gelu && read[0] == up && read[1] == left);
    if (!fits || only_reader(left, g_.node(unit).op->name) != unit) return false;
    const Wanted to = wanted({unit, 0});
    if (to.dtype != DType::q8a || !(g_.type(gate) == g_.type(up))) return false;
    const std::vector<Value> inputs = rewrite_.map(n.inputs);
    const Value y = ops::gated_linear(rewrite_.to(), inputs[0], inputs[1], inputs[2],
                                      gelu ? ops::GatedUnit::gelu : ops::GatedUnit::silu);
    for (const Value& inner : {gate, up, left, Value{unit, 0}, to.value}) rewrite_.set(inner, y);
    return true;
  }

  const Graph& g_;
  Rewrite rewrite_;
  std::map<Value, std::vector<int32_t>> readers_;
};

}  // namespace

Graph fuse_steps(const Graph& g) {
  return Fusion(g).run();
}

}  // namespace bantam
