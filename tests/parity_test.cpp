// The whole forward pass against logits of another runtime.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>

#include "eval/logits.h"
#include "models/import_llama2c.h"
#include "runtime/pack.h"
#include "runtime/session.h"
#include "shared_files.h"

namespace bantam {
namespace {

std::vector<int32_t> fixture_ids() {
  std::vector<int32_t> ids;
  for (int32_t i = 0; i < 24; ++i) ids.push_back((i * 37 + 11) % 320);
  return ids;
}

std::vector<float> logits_of(const Model& model, int64_t split) {
  const auto engine = make_logits_engine(std::make_shared<Model>(model), 24, 2, DType::f32);
  return sequence_logits(*engine, fixture_ids(), split);
}

double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return INFINITY;
  double most = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double difference = std::fabs(a[i] - b[i]);
    if (!(difference <= most)) most = difference;  // NaN too
  }
  return most;
}

Model in_f32(Model model) {
  for (auto& [unused, t] : model.weights) t = t.to(DType::f32);
  return model;
}

// The reference takes GELU from a half-precision table; the others must agree to float's own
// exactness. Logits range over about 20.
double tolerance(const std::string& fixture) {
  static const std::pair<std::string_view, double> kCoarse[] = {
      {"gemma", 5e-3}, {"phi2", 6e-3}, {"gpt2", 6e-3}, {"gptneox", 9e-3}};
  for (const auto& [name, most] : kCoarse)
    if (fixture.starts_with(name)) return most;
  return 5e-5;
}

class Architecture : public testing::TestWithParam<const char*> {};

TEST_P(Architecture, GivesTheReferenceLogits) {
  const std::string path = test::shared_file(std::string("fixtures/architectures/") + GetParam());
  BANTAM_NEED_SHARED(path + ".gguf");
  const std::vector<float> expected = test::read_floats(path + ".logits");
  const Model model = load_model(path + ".gguf");
  EXPECT_LT(largest_difference(logits_of(model, 0), expected), tolerance(GetParam()));
}

TEST_P(Architecture, GivesTheSameBitsHoweverTheTextIsSplit) {
  const std::string path = test::shared_file(std::string("fixtures/architectures/") + GetParam());
  BANTAM_NEED_SHARED(path + ".gguf");
  const Model model = load_model(path + ".gguf");
  const std::vector<float> whole = logits_of(model, 0);
  for (const int64_t split : {1, 5, 16}) EXPECT_EQ(logits_of(model, split), whole) << split;
}

TEST_P(Architecture, IsWrittenAsItWasRead) {
  const std::string path = test::shared_file(std::string("fixtures/architectures/") + GetParam());
  BANTAM_NEED_SHARED(path + ".gguf");
  const Model model = load_model(path + ".gguf");
  const std::string copy = testing::TempDir() + "/bantam_" + GetParam() + ".gguf";
  save_model(model, copy);
  const GgufFile before = GgufFile::open(path + ".gguf"), after = GgufFile::open(copy);
  for (const auto& [key, value] : before.metadata()) {
    if (key.starts_with("general.")) continue;
    ASSERT_NE(after.find(key), nullptr) << key;
    EXPECT_EQ(*after.find(key), value) << key;
  }
  const Model again = load_model(copy);
  EXPECT_EQ(again.config, model.config);
  EXPECT_EQ(logits_of(again, 0), logits_of(model, 0));
  std::filesystem::remove(copy);
}

INSTANTIATE_TEST_SUITE_P(Fixtures, Architecture,
                         testing::Values("llama", "llama-bias", "llama-rope3", "exaone4", "gemma",
                                         "gemma2", "gemma3", "gpt2", "gptneox", "gptneox-seq",
                                         "granite", "olmo2", "phi2", "phi3", "phi3-longrope",
                                         "qwen2", "qwen3", "smollm3", "stablelm"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::erase(name, '-');
                           return name;
                         });

INSTANTIATE_TEST_SUITE_P(Experts, Architecture,
                         testing::Values("mixtral", "olmoe", "qwen2moe", "qwen3moe", "gpt-oss",
                                         "deepseek2-mla"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::erase(name, '-');
                           return name;
                         });
INSTANTIATE_TEST_SUITE_P(StateSpaces, Architecture,
                         testing::Values("mamba", "mamba2", "mamba2-g2", "jamba", "granitehybrid",
                                         "falcon-h1", "lfm2"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::erase(name, '-');
                           return name;
                         });

std::vector<float> exact_logits_of(const std::shared_ptr<const Model>& model, int64_t split) {
  EngineOptions options;
  options.threads = 2;
  options.context = 24;
  options.cache_type = DType::f32;
  options.exact = true;
  return sequence_logits(*make_logits_engine(model, options), fixture_ids(), split);
}

class WeightType : public testing::TestWithParam<const char*> {};

TEST_P(WeightType, DequantisesToTheReferenceLogits) {
  const std::string path = test::shared_file(std::string("fixtures/types/llama-") + GetParam());
  BANTAM_NEED_SHARED(path + ".gguf");
  const std::vector<float> expected = test::read_floats(path + ".logits");
  EXPECT_LT(largest_difference(logits_of(in_f32(load_model(path + ".gguf")), 0), expected), 1e-3);
}

TEST_P(WeightType, GivesTheReferenceLogitsWhereActivationsAreNotRounded) {
  const std::string path = test::shared_file(std::string("fixtures/types/llama-") + GetParam());
  BANTAM_NEED_SHARED(path + ".gguf");
  const auto model = std::make_shared<Model>(load_model(path + ".gguf"));
  const std::vector<float> got = exact_logits_of(model, 0);
  EXPECT_LT(largest_difference(got, test::read_floats(path + ".logits")), 1e-3);
  EXPECT_EQ(exact_logits_of(model, 5), got) << "split";
  ThreadPool pool(1);
  EXPECT_EQ(exact_logits_of(std::make_shared<Model>(pack_model(*model, pool)), 0), got) << "packed";
}

// Products with 8-bit activations: the reference runtime's own differ from its float32 by as much.
TEST_P(WeightType, StaysNearTheReferenceInItsOwnArithmetic) {
  const std::string path = test::shared_file(std::string("fixtures/types/llama-") + GetParam());
  BANTAM_NEED_SHARED(path + ".gguf");
  const std::vector<float> expected = test::read_floats(path + ".logits");
  const Model model = load_model(path + ".gguf");
  const double most = dtype_info(model.main_type()).quantized ? 0.45 : 0.054;
  const std::vector<float> got = logits_of(model, 0);
  EXPECT_LT(largest_difference(got, expected), most);
  EXPECT_EQ(logits_of(model, 7), got) << "split";
}

INSTANTIATE_TEST_SUITE_P(Types, WeightType,
                         testing::Values("f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1",
                                         "q2_k", "q3_k_s", "q4_k_s", "q5_k_s", "q6_k", "iq1_s",
                                         "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq2_m", "iq3_xxs",
                                         "iq3_s", "iq4_nl", "iq4_xs", "tq1_0", "tq2_0",
                                         "mxfp4_moe"),
                         [](const auto& param) { return std::string(param.param); });

// 200 greedy tokens of a trained model, as llama2.c gives them.
TEST(Stories260K, ContinuesAsItsReferenceDoes) {
  const std::string folder = test::shared_file("data/weights/stories260K/");
  BANTAM_NEED_SHARED(folder + "stories260K.bin");
  std::vector<int32_t> expected;
  std::ifstream in(folder + "expected-greedy-200.ids");
  for (int32_t id = 0; in >> id;) {
    expected.push_back(id);
    in.ignore(1);
  }
  ASSERT_EQ(expected.size(), 200u);
  for (const char* file : {"stories260K.bin", "stories260K-v1.bin"}) {
    const auto model =
        std::make_shared<Model>(import_llama2c(folder + file, folder + "tok512.bin"));
    EngineOptions options;
    options.cache_type = DType::f32;
    Session session(std::make_shared<Engine>(model, options));
    GenerateOptions generate;
    generate.max_tokens = 200;
    generate.sampler.temperature = 0;
    generate.ignore_eos = true;
    const std::vector<int32_t> bos{model->tokenizer->bos()};
    const GenerateResult r = session.generate(bos, generate);
    EXPECT_EQ(r.tokens, expected) << file;
  }
}

}  // namespace
}  // namespace bantam
