// What the program predicts of its memory against what it then takes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/random.h"
#include "base/sanitizers.h"
#include "program.h"

#ifdef BANTAM_PROGRAM

namespace bantam {
namespace {

using Json = nlohmann::json;

class Memory : public testing::Test {
 protected:
  void SetUp() override {
    if (kSanitized)
      GTEST_SKIP() << "missing: a build without sanitizers, which hold memory of their own";
    folder_ =
        std::filesystem::path(testing::TempDir()) / ("bantam_memory_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override {
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }

  static Json json_of(const std::string& arguments) {
    const Outcome o =
        run_command("'" BANTAM_PROGRAM "' --threads 2 " + arguments + " 2>/dev/null </dev/null");
    EXPECT_EQ(o.code, 0) << arguments;
    return Json::parse(o.output, nullptr, false);
  }

  // Within 2 % and 4 MiB, both ways.
  static void expect_close(double predicted, double peak) {
    const double mib = 1 << 20;
    EXPECT_LE(std::abs(predicted - peak), 0.02 * peak + 4 * mib)
        << "predicted " << predicted / mib << " MiB, took " << peak / mib << " MiB";
  }

  std::filesystem::path folder_;
};

// Enough words that no text repeats; a fixed seed.
std::string some_text() {
  static constexpr const char* kWords[] = {"the", "cat",  "sat",  "on",   "a",    "mat",
                                           "and", "then", "went", "home", "with", "its"};
  Random random(7, 1);
  std::string text;
  for (int document = 0; document < 60; ++document) {
    for (int i = 0; i < 200; ++i) {
      text += kWords[random.next() % std::size(kWords)];
      text += i % 12 == 11 ? ". " : " ";
    }
    text += "\n<|endoftext|>\n";
  }
  return text;
}

TEST_F(Memory, OfTrainingAndOfTheModelThatItMadeIsAsPlanned) {
  write_text_file(path("text.txt"), some_text());
  write_text_file(path("recipe.toml"), R"(
name = "memory"
output = "out"
[data]
train = ["text.txt"]
held_out_every = 10
[tokenizer]
vocabulary = 300
[model]
layers = 4
width = 256
heads = 4
feed_forward = 1024
context = 512
[train]
steps = 3
sequences = 8
length = 128
learning_rate = 1e-3
sample_prompts = ["the cat"]
)");
  const Json training = json_of("train '" + path("recipe.toml") + "' --json");
  ASSERT_TRUE(training.is_object());
  const double peak = training["peak_rss_bytes"];
  if (peak == 0) GTEST_SKIP() << "missing: a system that tells how much memory a process takes";
  EXPECT_GT(peak, 64 << 20);
  expect_close(training["predicted_bytes"], peak);

  const Json run = json_of("run '" + path("out/model.gguf") +
                           "' -p 'the cat sat on' -n 500 --ignore-eos --json");
  ASSERT_TRUE(run.is_object());
  expect_close(run["memory"]["predicted_bytes"], run["memory"]["peak_bytes"]);

  // A ceiling that leaves room for a narrow batch only.
  std::string prompt;
  for (int i = 0; i < 60; ++i) prompt += "the cat sat on ";
  const std::string arguments =
      "run '" + path("out/model.gguf") + "' -p '" + prompt + "' -n 20 --ignore-eos --json";
  const Json wide = json_of(arguments);
  ASSERT_TRUE(wide.is_object());
  const int64_t ceiling = wide["memory"]["predicted_bytes"].get<int64_t>() - (1 << 20);
  const Json held = json_of(arguments + " --memory " + std::to_string(ceiling));
  ASSERT_TRUE(held.is_object());
  EXPECT_LT(held["memory"]["activations_bytes"], wide["memory"]["activations_bytes"]);
  EXPECT_LE(held["memory"]["peak_bytes"], ceiling);
  EXPECT_EQ(held["text"], wide["text"]);

  const Json bench = json_of("bench '" + path("out/model.gguf") + "' -p 400 -n 100 -r 1 --json");
  ASSERT_TRUE(bench.is_object());
  expect_close(bench["predicted_bytes"], bench["peak_rss_bytes"]);
}

// Most of such a file is used where it is mapped: what is copied besides is in memory twice.
TEST_F(Memory, OfWeightsThatStayInTheirFileIsAsPlanned) {
  const std::string model = path("random.gguf");
  const std::string program = "'" BANTAM_PROGRAM "' ";
  ASSERT_EQ(run_command(program + "make-random --like smollm2-135m --type f16 -o " + model).code,
            0);
  const Json run = json_of("run " + model + " -p word -n 8 --context 512 --ignore-eos --json");
  ASSERT_TRUE(run.is_object());
  if (run["memory"]["peak_bytes"] == 0)
    GTEST_SKIP() << "missing: a system that tells how much memory a process takes";
  expect_close(run["memory"]["predicted_bytes"], run["memory"]["peak_bytes"]);
}

}  // namespace
}  // namespace bantam

#endif
