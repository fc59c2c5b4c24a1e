#include "models/architectures.h"

#include "base/error.h"
#include "graph/op.h"

namespace bantam {

#define BANTAM_ARCHITECTURE(name) extern const Architecture name##_architecture;
#include "models/architectures.inc"
#undef BANTAM_ARCHITECTURE

std::span<const Architecture* const> architectures() {
#define BANTAM_ARCHITECTURE(name) &name##_architecture,
  static constexpr const Architecture* kArchitectures[] = {
#include "models/architectures.inc"
  };
#undef BANTAM_ARCHITECTURE
  return kArchitectures;
}

const Architecture& find_architecture(std::string_view name, std::string_view where) {
  std::string known;
  for (const Architecture* a : architectures()) {
    if (a->name == name) return *a;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", a->name);
  }
  fail(ErrorKind::model, where, "general.architecture: expected one of {}, got \"{}\"", known,
       name);
}

Value build_model(Builder& b, const ModelConfig& config) {
  return find_architecture(config.architecture, "model").build(b, config);
}

std::vector<WeightShape> required_weights(const ModelConfig& config,
                                          const std::function<bool(std::string_view)>& has_weight) {
  Graph g;
  BuildOptions options;
  options.rows = 1;
  options.sequence_length = 1;
  options.source_rows = 1;
  options.source_length = 1;
  options.has_weight = has_weight;
  // A weight whose type the builder does not ask for is f32 only.
  options.weight_type = [](std::string_view) { return BuildOptions::Storage{DType::f16}; };
  Builder b(g, options);
  build_model(b, config);
  std::vector<WeightShape> weights;
  for (int32_t i = 0; i < g.size(); ++i) {
    const Node& n = g.node(i);
    if (n.op->name != "weight") continue;
    weights.push_back({n.name, n.outputs[0].shape.bind({}), n.outputs[0].dtype == DType::f32});
  }
  return weights;
}

std::set<std::string, std::less<>> f32_weights(const Model& model) {
  const auto has = [&](std::string_view name) { return model.weights.contains(name); };
  std::set<std::string, std::less<>> names;
  for (WeightShape& w : required_weights(model.config, has)) {
    if (w.f32_only) names.insert(std::move(w.name));
  }
  return names;
}

}  // namespace bantam
