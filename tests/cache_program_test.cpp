// What the program does with caches: states that are saved and gone on from, and less than all of
// a text kept.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "program_fixture.h"

#ifdef BANTAM_PROGRAM

namespace bantam {
namespace {

using Json = nlohmann::json;
using test::Program;

class CacheProgram : public Program {
 protected:
  Json json_of(const std::string& arguments) {
    const Outcome o = bantam(arguments + " --json");
    EXPECT_EQ(o.code, 0) << o.output;
    return o.code == 0 ? Json::parse(o.output) : Json();
  }
  void expect_refusal(const std::string& arguments, int code, std::string_view text) {
    const Outcome o = bantam(arguments);
    EXPECT_EQ(o.code, code);
    EXPECT_NE(o.output.find(text), std::string::npos) << o.output;
  }
};

TEST_F(CacheProgram, GoesOnFromASavedStateAsIfItHadNotStopped) {
  const std::string run = "run " + model_ + " --seed 4 --greedy --ignore-eos";
  const Json whole = json_of(run + " -p abc -n 12");
  const Json first = json_of(run + " -p abc -n 7 --save-state " + path("state"));
  const Json second = json_of(run + " -n 5 --load-state " + path("state"));
  Json both = first["tokens"];
  for (const Json& token : second["tokens"]) both.push_back(token);
  EXPECT_EQ(both, whole["tokens"]);
  // A prompt follows the text that was saved.
  const Json after = json_of(run + " -p xy -n 5 --load-state " + path("state"));
  EXPECT_EQ(after["prompt_tokens"], 2);
  EXPECT_NE(after["tokens"], second["tokens"]);
}

TEST_F(CacheProgram, RefusesStatesThatAreNotOfItsModelAndCache) {
  const std::string run = "run " + model_ + " -n 2 ";
  ASSERT_EQ(bantam(run + "-p abc --save-state " + path("state")).code, 0);
  expect_refusal(run + "--load-state " + model_, 1, "expected a saved state");
  expect_refusal(run + "--load-state " + path("none"), 1, "none");
  expect_refusal(run + "--cache-type f32 --load-state " + path("state"), 1, "f32 cache, got");
  expect_refusal(run + "--beams 2 --load-state " + path("state"), 2, "--beams");
  std::string bytes = read_text_file(path("state"));
  bytes.resize(bytes.size() / 2);
  write_text_file(path("state"), bytes);
  expect_refusal(run + "--load-state " + path("state"), 1, "bytes after the header");
}

TEST_F(CacheProgram, MeasuresWhatAWindowCosts) {
  write_text_file(path("t.txt"), "some text to measure on, and some more of it");
  const std::string measure = "perplexity " + model_ + " --text " + path("t.txt");
  const Json all = json_of(measure);
  const Json some = json_of(measure + " --cache-window 3 --cache-sinks 0 --compare " + model_);
  EXPECT_EQ(some["reference"]["perplexity"], all["perplexity"]);
  EXPECT_NE(some["perplexity"], all["perplexity"]);
  EXPECT_GT(some["mean_kl"], 0);
  // All of this text is within the first page.
  EXPECT_EQ(json_of(measure + " --cache-window 3")["perplexity"], all["perplexity"]);
  expect_refusal(measure + " --cache-sinks 64", 2, "--cache-window");
  // Without a model it is the one that the environment names.
  setenv("BANTAM_MODEL", model_.c_str(), 1);
  EXPECT_EQ(json_of("perplexity --text " + path("t.txt"))["perplexity"], all["perplexity"]);
  unsetenv("BANTAM_MODEL");
}

TEST_F(CacheProgram, MeasuresWhatHeavyHittersCost) {
  std::string text;
  while (text.size() < 400) text += "some text to measure on, and some more of it ";
  write_text_file(path("t.txt"), text);
  ModelConfig config = test::tiny_llama();
  config.context_length = 256;
  save_model(test::random_model(config), path("long.gguf"));
  const std::string measure = "perplexity " + path("long.gguf") + " --text " + path("t.txt");
  const std::string heavy = measure + " --cache-window 3 --cache-heavy ";
  const Json all = json_of(measure), few = json_of(heavy + "2");
  EXPECT_NE(few["perplexity"], all["perplexity"]);
  EXPECT_NE(json_of(heavy + "5")["perplexity"], few["perplexity"]);
  EXPECT_EQ(json_of(heavy + "4096")["perplexity"], all["perplexity"]);
  expect_refusal(heavy + "2 --cache-sinks 64", 2, "--cache-sinks");
  expect_refusal(measure + " --cache-heavy 2", 2, "--cache-window");
  const std::string run = "run " + model_ + " --greedy --ignore-eos -p abc -n 3 ";
  ASSERT_EQ(bantam(run + "--save-state " + path("state")).code, 0);
  expect_refusal(run + "--cache-window 3 --cache-heavy 2 --load-state " + path("state"), 1,
                 "2 heavy hitters");
}

}  // namespace
}  // namespace bantam

#endif
