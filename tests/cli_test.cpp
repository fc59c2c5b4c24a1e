// The program as a user meets it: exit codes, messages, files.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "program_fixture.h"
#include "shared_files.h"

#ifdef BANTAM_PROGRAM

namespace bantam {
namespace {

using test::Program;

size_t lines(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST_F(Program, ShowsItsCommandsByPurpose) {
  const Outcome o = bantam("--help");
  EXPECT_EQ(o.code, 0);
  for (const char* text : {"Use a model:", "Make a model:", "  run ", "  quantize ", "Examples:"}) {
    EXPECT_NE(o.output.find(text), std::string::npos) << text;
  }
}

TEST_F(Program, ExitsWith2WhenUsedWrongly) {
  for (const char* wrong : {"", "no-such-command", "run --no-such-option x", "logits",
                            "--isa no-such-isa isa", "--threads many isa"}) {
    const Outcome o = bantam(wrong);
    EXPECT_EQ(o.code, 2) << wrong << "\n" << o.output;
    EXPECT_TRUE(o.output.starts_with("bantam: ")) << o.output;
  }
  EXPECT_EQ(bantam("logits " + model_ + " --tokens 1,x --out " + path("o")).code, 2);
  EXPECT_EQ(bantam("quantize " + model_ + " " + path("o.gguf") + " --type q3").code, 2);
}

TEST_F(Program, NamesAMissingFileInOneLine) {
  const Outcome o = bantam("inspect " + path("missing.gguf"));
  EXPECT_EQ(o.code, 1);
  EXPECT_EQ(lines(o.output), 1u) << o.output;
  EXPECT_NE(o.output.find("missing.gguf"), std::string::npos) << o.output;
}

TEST_F(Program, NamesBothLengthsWhenAPromptIsTooLong) {
  const Outcome o = bantam("run " + model_ + " -p 012345678901234567890123456789");
  EXPECT_EQ(o.code, 2);
  EXPECT_NE(o.output.find("24 tokens"), std::string::npos) << o.output;
  EXPECT_NE(o.output.find("31 tokens"), std::string::npos) << o.output;
}

TEST_F(Program, WritesTheSameWithBoundThreads) {
  const std::string command = "run " + model_ + " -p abc -n 5 --greedy --ignore-eos";
  const Outcome bound = bantam("--pin " + command), free = bantam(command);
  EXPECT_EQ(bound.code, 0) << bound.output;
  EXPECT_TRUE(bound.output.ends_with(free.output)) << bound.output;
}

TEST_F(Program, MakesARandomModelWithATokenizerFromAFile) {
  const std::string model = path("random.gguf"), command = "make-random --like stories15m -o ";
  ASSERT_EQ(bantam(command + model + " --tokenizer " + model_).code, 0);
  const Outcome o = bantam("tokenize " + model + " abc"),
                same = bantam("tokenize " + model_ + " abc");
  EXPECT_EQ(o.code, 0);
  EXPECT_EQ(o.output, same.output);
  EXPECT_EQ(bantam("run " + model + " abc -n 2").code, 0);
  const Outcome none = bantam(command + path("x.gguf") + " --tokenizer " + path("missing.gguf"));
  EXPECT_EQ(none.code, 1);
  EXPECT_NE(none.output.find("missing.gguf"), std::string::npos) << none.output;
}

TEST_F(Program, ShowsATableOfWhatWouldFit) {
  const std::string model = path("random.gguf");
  ASSERT_EQ(bantam("make-random --like stories15m --context 4096 -o " + model).code, 0);
  const Outcome o = bantam("run " + model + " --memory 24M --context 4096 x");
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.output.find("--memory: expected at least"), std::string::npos) << o.output;
  EXPECT_NE(o.output.find("would fit:\n  context "), std::string::npos) << o.output;
}

TEST_F(Program, WritesTheLogitsOfEveryPositionHoweverTheyAreSplit) {
  const std::string common = "logits " + model_ + " --tokens 5,6,7,8,9 --out ";
  ASSERT_EQ(bantam(common + path("whole")).code, 0);
  ASSERT_EQ(bantam(common + path("split") + " --split 2").code, 0);
  const std::vector<float> whole = test::read_floats(path("whole"));
  EXPECT_EQ(whole.size(), 5u * kByteVocabulary);
  EXPECT_EQ(whole, test::read_floats(path("split")));
}

TEST_F(Program, ContinuesTheSameTextFromAnArgumentAFileAndAPipe) {
  const std::string options = "run " + model_ + " -n 5 --seed 3 ";
  const Outcome argument = bantam(options + "abc");
  EXPECT_EQ(argument.code, 0) << argument.output;
  EXPECT_EQ(bantam(options + "-p abc").output, argument.output);
  EXPECT_EQ(bantam(options, "abc").output, argument.output);
  EXPECT_EQ(bantam(options + "--ids 1,100,101,102").output, argument.output);
  EXPECT_EQ(bantam(options + "abc --echo").output, "abc" + argument.output);
}

TEST_F(Program, QuantisesMeasuresAndInspects) {
  FILE* text = std::fopen(path("text.txt").c_str(), "w");
  ASSERT_NE(text, nullptr);
  std::fputs("some_words_to_measure_on,_and_a_few_more_of_them", text);
  std::fclose(text);
  const Outcome q = bantam("quantize " + model_ + " " + path("small.gguf") +
                           " --type q8_0 --json --text " + path("text.txt"));
  ASSERT_EQ(q.code, 0) << q.output;
  const auto report = nlohmann::json::parse(q.output);
  EXPECT_LT(report["bytes_after"], report["bytes_before"]);
  EXPECT_EQ(report["tokens"], 48);
  EXPECT_GT(report["mean_kl"], 0.0);
  const Outcome p = bantam("perplexity " + path("small.gguf") + " --json --cache-type f32 --text " +
                           path("text.txt") + " --compare " + model_);
  ASSERT_EQ(p.code, 0) << p.output;
  EXPECT_EQ(nlohmann::json::parse(p.output)["mean_kl"], report["mean_kl"]);
  const Outcome i = bantam("inspect --json " + path("small.gguf"));
  ASSERT_EQ(i.code, 0) << i.output;
  EXPECT_EQ(nlohmann::json::parse(i.output)["metadata"]["bantam.quantize.mean_kl"],
            report["mean_kl"]);
}

TEST_F(Program, QuantisesToMixturesAndNamesWhatItCannotWrite) {
  const Outcome q = bantam("quantize " + model_ + " " + path("mixed.gguf") + " --type Q4_K_M");
  ASSERT_EQ(q.code, 0) << q.output;
  const Outcome i = bantam("inspect --json " + path("mixed.gguf"));
  ASSERT_EQ(i.code, 0) << i.output;
  EXPECT_EQ(nlohmann::json::parse(i.output)["metadata"]["bantam.quantize.type"], "q4_k_m");
  const Outcome unknown = bantam("quantize " + model_ + " " + path("o.gguf") + " --type q3");
  EXPECT_EQ(unknown.code, 2);
  for (const char* name : {"iq4_xs", "mxfp4", "q4_k_m"}) {
    EXPECT_NE(unknown.output.find(name), std::string::npos) << unknown.output;
  }
  const Outcome read_only = bantam("quantize " + model_ + " " + path("o.gguf") + " --type iq2_xs");
  EXPECT_EQ(read_only.code, 2);
  EXPECT_NE(read_only.output.find("read but not written"), std::string::npos) << read_only.output;
}

TEST_F(Program, TurnsTextToTokensAndBack) {
  EXPECT_EQ(bantam("tokenize " + model_ + " ab --ids").output, "1,100,101\n");
  EXPECT_EQ(bantam("tokenize " + model_ + " --decode 100,101").output, "ab\n");
}

TEST_F(Program, SuggestsAsManyWordsAsAskedFor) {
  const Outcome o = bantam("suggest " + model_ + " 'some ' -n 3 --json");
  ASSERT_EQ(o.code, 0) << o.output;
  EXPECT_LE(nlohmann::json::parse(o.output).size(), 3u);
}

TEST_F(Program, SaysSoWhereItHasNothingToSuggest) {
  const Outcome o = bantam("suggest " + model_ + " -n 0 some");
  EXPECT_EQ(o.code, 0);
  EXPECT_EQ(o.output, "no suggestion\n");
}

TEST_F(Program, TypesATextLetterByLetter) {
  Outcome o = bantam("suggest " + model_ + " --type --json", "a b\303\251");
  ASSERT_EQ(o.code, 0) << o.output;
  const auto json = nlohmann::json::parse(o.output);
  ASSERT_EQ(json["typed"].size(), 4u);
  EXPECT_EQ(json["typed"][3]["text"], "a b\xC3\xA9");
  EXPECT_GE(json["p99_seconds"], json["p50_seconds"]);
  EXPECT_GT(json["peak_rss_bytes"], 0);
  o = bantam("suggest " + model_ + " --type --summary abc");
  EXPECT_EQ(o.code, 0);
  EXPECT_TRUE(o.output.starts_with("3 keystrokes: p50 ")) << o.output;
  EXPECT_EQ(bantam("suggest " + model_).code, 2);
}

}  // namespace
}  // namespace bantam

#endif
