// Every architecture in the form that is trained: whole sequences without a cache.
#include <gtest/gtest.h>

#include <cmath>

#include "base/thread_pool.h"
#include "cpu/backend.h"
#include "graph/gradient.h"
#include "graph/op.h"
#include "graph/passes.h"
#include "graph/plan.h"
#include "models/architectures.h"
#include "runtime/engine.h"
#include "shared_files.h"
#include "tiny_t5.h"

namespace bantam {
namespace {

constexpr int64_t kRows = 24;

// A model's loss on the ids of its fixture, with the gradient of every weight.
class TrainedForm {
 public:
  explicit TrainedForm(const Model& model) : weights_(model.weights), pool_(2) {
    for (auto& [unused, w] : weights_) w = w.to(DType::f32).clone();
    Graph g;
    BuildOptions options;
    options.rows = kRows;
    options.sequence_length = kRows;
    options.source_rows = 2 * kRows;
    options.source_length = 2 * kRows;
    options.has_weight = [&](std::string_view name) { return weights_.contains(name); };
    Builder b(g, options);
    const Value logits = build_model(b, model.config);
    const Value targets = g.input("targets", {DType::i32, {kRows}});
    const Value loss = ops::scale(g, ops::sum(g, ops::cross_entropy(g, logits, targets)),
                                  1.0 / static_cast<double>(kRows));
    g.output("logits", logits);
    g.output("loss", loss);
    std::vector<Value> parameters;
    for (int32_t i = 0; i < g.size(); ++i) {
      if (g.node(i).op->name == "weight") parameters.push_back({i, 0});
    }
    const auto gradients = gradient(g, loss, parameters);
    for (size_t i = 0; i < parameters.size(); ++i) {
      const std::string& name = g.node(parameters[i]).name;
      if (!gradients[i].defined()) continue;
      names_.push_back(name);
      g.output("d " + name, gradients[i]);
    }
    executor_ =
        std::make_unique<Executor>(std::make_shared<Plan>(optimize(g, true), cpu_backend(),
                                                          std::vector<int64_t>{}, pool_.size()),
                                   pool_);
    bind();
  }

  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  [[nodiscard]] Tensor weight(const std::string& name) const { return weights_.at(name); }
  double loss() {
    executor_->run();
    return *executor_->output("loss").as<float>();
  }
  [[nodiscard]] std::vector<float> output(const std::string& name) const {
    const TensorView v = executor_->output(name);
    return {v.as<float>(), v.as<float>() + v.shape.elements()};
  }

 private:
  void bind() {
    for (const char* name : {"ids", "targets", "sequences", "positions"}) {
      inputs_.push_back(Tensor::zeros(DType::i32, {kRows}));
      if (executor_->has_leaf(name)) executor_->bind(name, inputs_.back().view());
    }
    for (int32_t i = 0; i < kRows; ++i) {
      inputs_[0].as<int32_t>()[i] = (i * 37 + 11) % 320;
      inputs_[1].as<int32_t>()[i] = (i * 53 + 7) % 320;
      inputs_[3].as<int32_t>()[i] = i;
    }
    bind_source();
    for (const auto& [name, w] : weights_) {
      if (executor_->has_leaf(name)) executor_->bind(name, w.view());
    }
  }

  // A source that is shorter than its row of the batch.
  void bind_source() {
    if (!executor_->has_leaf("source_ids")) return;
    const int32_t length = kRows + 5;
    const auto input = [&](const char* name, int64_t rows, const auto& value) {
      inputs_.push_back(Tensor::zeros(DType::i32, {rows}));
      for (int32_t i = 0; i < rows; ++i) inputs_.back().as<int32_t>()[i] = value(i);
      executor_->bind(name, inputs_.back().view());
    };
    input("source_ids", 2 * kRows, [](int32_t i) { return (i * 29 + 5) % 320; });
    input("source_sequences", 2 * kRows, [&](int32_t i) { return i < length ? 0 : -1; });
    input("source_positions", 2 * kRows, [](int32_t i) { return i; });
    input("source_ends", 2 * kRows, [&](int32_t) { return length - 1; });
    input("seen_ends", kRows, [&](int32_t) { return length - 1; });
  }

  Weights weights_;
  ThreadPool pool_;
  std::unique_ptr<Executor> executor_;
  std::vector<Tensor> inputs_;
  std::vector<std::string> names_;
};

class TrainedArchitecture : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    path_ = test::shared_file(std::string("fixtures/architectures/") + GetParam());
    BANTAM_NEED_SHARED(path_ + ".gguf");
    form_ = std::make_unique<TrainedForm>(load_model(path_ + ".gguf"));
  }
  std::string path_;
  std::unique_ptr<TrainedForm> form_;
};

TEST_P(TrainedArchitecture, GivesTheLogitsOfTheReference) {
  const std::vector<float> expected = test::read_floats(path_ + ".logits");
  form_->loss();
  const std::vector<float> got = form_->output("logits");
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) ASSERT_NEAR(got[i], expected[i], 3e-3) << i;
}

// Each weight is moved along its gradient by so much that the loss should change by as much as
// `change` says. A step may turn over which expert is chosen: then a smaller one is taken.
void expect_finite_differences(TrainedForm& form) {
  form.loss();
  std::vector<std::vector<float>> gradients;
  for (const std::string& name : form.names()) gradients.push_back(form.output("d " + name));
  ASSERT_FALSE(gradients.empty());
  for (size_t i = 0; i < gradients.size(); ++i) {
    const std::string& name = form.names()[i];
    double squares = 0;
    for (const float d : gradients[i]) squares += static_cast<double>(d) * static_cast<double>(d);
    ASSERT_GT(squares, 0) << name;
    const Tensor w = form.weight(name);
    const std::vector<float> kept(w.as<float>(), w.as<float>() + w.shape().elements());
    const auto moved = [&](double change) {
      for (size_t k = 0; k < kept.size(); ++k) {
        w.as<float>()[k] =
            static_cast<float>(kept[k] + change / squares * static_cast<double>(gradients[i][k]));
      }
      return form.loss();
    };
    double slope = 0;
    for (const double change : {2e-3, 4e-4, 1e-4}) {
      slope = (8 * (moved(change) - moved(-change)) - (moved(2 * change) - moved(-2 * change))) /
              (12 * change);
      if (std::fabs(slope - 1) < 0.02) break;
    }
    std::copy(kept.begin(), kept.end(), w.as<float>());
    EXPECT_NEAR(slope, 1, 0.02) << name;
  }
}

TEST_P(TrainedArchitecture, HasTheGradientOfFiniteDifferences) {
  expect_finite_differences(*form_);
}

TEST(TrainedT5, HasTheGradientOfFiniteDifferences) {
  for (const bool flan : {false, true}) {
    ModelConfig c = tiny_t5_config(flan);
    c.vocab_size = 320;
    TrainedForm form(filled_model(c));
    EXPECT_EQ(form.names().size(), required_weights(c).size());
    expect_finite_differences(form);
  }
}

// What stands in the source's row of the batch beyond its end changes nothing, and gets nothing.
TEST(TrainedT5, GivesTheLogitsOfARunWithItsSourceAlone) {
  ModelConfig c = tiny_t5_config(true);
  c.vocab_size = 320;
  c.context_length = 48;
  const Model model = filled_model(c);
  TrainedForm form(model);
  form.loss();
  const std::vector<float> trained = form.output("logits");
  EngineOptions o;
  o.all_logits = true;
  o.cache_type = DType::f32;
  Engine engine(std::make_shared<Model>(model), o);
  std::vector<int32_t> source;
  for (int32_t i = 0; i < kRows + 5; ++i) source.push_back((i * 29 + 5) % 320);
  const Engine::SourceText text{0, source};
  engine.read(std::span(&text, 1));
  std::vector<Engine::Row> rows;
  for (int32_t i = 0; i < kRows; ++i) rows.push_back({(i * 37 + 11) % 320, 0, i, true});
  std::vector<float> logits(kRows * 320);
  engine.run(rows, logits);
  ASSERT_EQ(trained.size(), logits.size());
  for (size_t i = 0; i < logits.size(); ++i) ASSERT_NEAR(trained[i], logits[i], 1e-4) << i;
}

std::string test_name(const testing::TestParamInfo<const char*>& param) {
  std::string name = param.param;
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Experts, TrainedArchitecture,
                         testing::Values("mixtral", "olmoe", "qwen2moe", "qwen3moe", "gpt-oss",
                                         "deepseek2-mla"),
                         test_name);
INSTANTIATE_TEST_SUITE_P(StateSpaces, TrainedArchitecture,
                         testing::Values("mamba", "mamba2", "mamba2-g2", "jamba", "granitehybrid",
                                         "falcon-h1", "lfm2"),
                         test_name);

}  // namespace
}  // namespace bantam
