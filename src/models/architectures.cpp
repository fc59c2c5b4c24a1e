#include "models/architectures.h"

#include "base/error.h"
#include "graph/op.h"
#include "models/llama.h"

namespace bantam {

std::span<const Architecture> architectures() {
  static constexpr Architecture kArchitectures[] = {
      {"llama", ops::RopePairs::interleaved, build_llama},
  };
  return kArchitectures;
}

const Architecture& find_architecture(std::string_view name, std::string_view where) {
  std::string known;
  for (const Architecture& a : architectures()) {
    if (a.name == name) return a;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", a.name);
  }
  fail(ErrorKind::model, where, "general.architecture: expected one of {}, got \"{}\"", known,
       name);
}

Value build_model(Builder& b, const ModelConfig& config) {
  return find_architecture(config.architecture, "model").build(b, config);
}

std::vector<WeightShape> required_weights(const ModelConfig& config) {
  Graph g;
  BuildOptions options;
  options.rows = 1;
  options.sequence_length = 1;
  Builder b(g, options);
  build_model(b, config);
  std::vector<WeightShape> weights;
  for (int32_t i = 0; i < g.size(); ++i) {
    if (g.node(i).op->name != "weight") continue;
    weights.push_back({g.node(i).name, g.node(i).outputs[0].shape.bind({})});
  }
  return weights;
}

}  // namespace bantam
