#include "train/training_graph.h"

#include "base/error.h"
#include "cpu/backend.h"
#include "graph/gradient.h"
#include "graph/op.h"
#include "graph/passes.h"
#include "models/architectures.h"

namespace bantam {

namespace {

std::shared_ptr<const Plan> plan(const Graph& g, int threads) {
  return std::make_shared<Plan>(g, cpu_backend(), std::vector<int64_t>{}, threads);
}

BuildOptions build_options(const TrainerOptions& o) {
  BuildOptions b;
  b.compute = o.compute;
  b.rows = o.rows();
  b.sequence_length = o.length;
  b.source_rows = o.source_rows();
  b.source_length = o.source_rows() / o.sequences;
  return b;
}

Builder student_builder(Graph& g, const TrainerOptions& o, double dropout) {
  BuildOptions b = build_options(o);
  b.dropout = dropout;
  return Builder(g, b);
}

Value teacher_logits(Graph& g, const TrainerOptions& o, const Model& teacher) {
  BuildOptions b = build_options(o);
  b.prefix = "teacher.";
  b.weight_type = [&](std::string_view) { return BuildOptions::Storage{o.compute}; };
  b.has_weight = [&](std::string_view name) { return teacher.weights.contains(name); };
  Builder builder(g, b);
  const Value logits = build_model(builder, teacher.config);
  g.set_segment(-1);
  return logits;
}

Value targets_input(Graph& g, const TrainerOptions& o) {
  return g.input("targets", {DType::i32, {o.rows()}});
}

Graph gradient_graph(const ModelConfig& config, const TrainerOptions& o, const Model* teacher,
                     const std::optional<DistillOptions>& distill) {
  Graph g;
  // The teacher goes first: its activations are gone before the student's are kept.
  const Value taught = teacher != nullptr ? teacher_logits(g, o, *teacher) : Value{};
  Builder b = student_builder(g, o, o.dropout);
  const Value logits = build_model(b, config);
  const Value targets = targets_input(g, o);
  const double mean = 1.0 / static_cast<double>(o.tokens_per_step());
  const Value ce = ops::scale(g, ops::sum(g, ops::cross_entropy(g, logits, targets)), mean);
  Value loss = ce;
  if (taught.defined()) {
    const Value d =
        ops::divergence(g, logits, taught, targets, distill->temperature, distill->divergence);
    loss = ops::add(g, ops::scale(g, ops::sum(g, d), mean * distill->alpha),
                    ops::scale(g, ce, 1 - distill->alpha));
  }
  const Value balance = b.expert_balance_loss();
  if (balance.defined() && o.expert_balance > 0) {
    const double share = o.expert_balance / static_cast<double>(o.accumulation);
    loss = ops::add(g, loss, ops::scale(g, balance, share));
  }
  g.output("ce", ce);
  g.output("loss", loss);

  std::vector<Value> parameters;
  for (const WeightShape& w : required_weights(config)) parameters.push_back(g.find_leaf(w.name));
  const std::vector<Value> gradients = gradient(g, loss, parameters);
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!gradients[i].defined()) continue;  // what only decides (a correction of routing) stays
    const Value state = g.state(fmt::format("grad.{}", g.node(parameters[i]).name),
                                {DType::f32, g.shape(parameters[i])});
    ops::accumulate(g, state, gradients[i]);
  }
  g = optimize(g, true);
  return o.checkpoint_activations ? checkpoint_activations(g) : std::move(g);
}

Graph norm_graph(const ModelConfig& config) {
  Graph g;
  Value total;
  for (const WeightShape& w : required_weights(config)) {
    const Value squares = ops::sum_squares(g, g.state("grad." + w.name, {DType::f32, w.shape}));
    total = total.defined() ? ops::add(g, total, squares) : squares;
  }
  g.output("squares", total);
  return g;
}

Graph update_graph(const ModelConfig& config, const TrainerOptions& o) {
  Graph g;
  const Value hyper = g.input("hyper", {DType::f32, {8}});
  for (const WeightShape& w : required_weights(config)) {
    const Type type{DType::f32, w.shape};
    const double decay = w.f32_only ? 0 : o.weight_decay;
    ops::adamw(g, g.state(w.name, type), g.state("m." + w.name, type), g.state("v." + w.name, type),
               g.state("grad." + w.name, type), hyper, decay);
  }
  return g;
}

Graph evaluation_graph(const ModelConfig& config, const TrainerOptions& o) {
  Graph g;
  Builder b = student_builder(g, o, 0);
  const Value logits = build_model(b, config);
  g.output("ce", ops::sum(g, ops::cross_entropy(g, logits, targets_input(g, o))));
  return optimize(g, true);
}

}  // namespace

TrainingPlans make_training_plans(const ModelConfig& config, const TrainerOptions& o,
                                  const Model* teacher,
                                  const std::optional<DistillOptions>& distill, int threads) {
  return {plan(gradient_graph(config, o, teacher, distill), threads),
          plan(norm_graph(config), threads), plan(update_graph(config, o), threads),
          plan(evaluation_graph(config, o), threads)};
}

}  // namespace bantam
