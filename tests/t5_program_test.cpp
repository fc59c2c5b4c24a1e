// Encoder-decoders as a user of the program meets them.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "byte_tokenizer.h"
#include "program.h"
#include "shared_files.h"
#include "tiny_t5.h"

#ifdef BANTAM_PROGRAM

namespace bantam {
namespace {

using Json = nlohmann::json;

class T5Program : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("bantam_t5_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    ModelConfig c = tiny_t5_config(true);
    c.vocab_size = kByteVocabulary;
    c.embedding_length = 32;
    c.feed_forward_length = 64;
    Model model = filled_model(c);
    TokenizerSpec spec = byte_tokenizer();
    spec.add_bos = false;
    spec.add_eos = true;
    model.tokenizer = make_tokenizer(spec);
    save_model(model, path("t5.gguf"));
    write_text_file(path("pairs.tsv"), "abc\tcba\nde\tyes_and_no\n");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

  static Json json_of(const std::string& arguments) {
    const Outcome o = bantam(arguments + " --json");
    EXPECT_EQ(o.code, 0) << o.output;
    return Json::parse(o.output, nullptr, false);
  }

  std::filesystem::path folder_;
};

TEST_F(T5Program, WritesTheSameTextFromAnArgumentAFileAndAPipe) {
  const std::string options = "run " + path("t5.gguf") + " -n 6 --greedy ";
  write_text_file(path("prompt.txt"), "abc");
  const Json whole = json_of(options + "abc");
  EXPECT_EQ(whole["prompt_tokens"], 4);  // with its end
  EXPECT_EQ(whole["tokens"].size(), 6u);
  const Outcome argument = bantam(options + "abc");
  EXPECT_EQ(bantam(options + "-f " + path("prompt.txt")).output, argument.output);
  EXPECT_EQ(bantam(options, "abc").output, argument.output);
  EXPECT_EQ(bantam(options + "--ids 100,101,102,2").output, argument.output);
  EXPECT_EQ(bantam(options + "abc --echo").output, "abc\n" + argument.output);
}

TEST_F(T5Program, SearchesWithBeams) {
  const std::string options = "run " + path("t5.gguf") + " abc -n 6 ";
  const Json r = json_of(options + "--beams 4 --best 3 --length-penalty 0.5");
  ASSERT_EQ(r["hypotheses"].size(), 3u);
  EXPECT_EQ(r["text"], r["hypotheses"][0]["text"]);
  EXPECT_GE(r["hypotheses"][0]["score"], r["hypotheses"][2]["score"]);
  const Outcome lines = bantam(options + "--beams 4 --best 3");
  EXPECT_NE(lines.output.find('\t'), std::string::npos) << lines.output;
  EXPECT_EQ(bantam(options + "--beams 2 --temperature 1").code, 2);
  EXPECT_EQ(bantam(options + "--beams 2 --best 3").code, 2);
  EXPECT_EQ(bantam(options + "--beams 0").code, 2);
}

TEST_F(T5Program, MeasuresTargetsGivenTheirSources) {
  const Json p = json_of("perplexity " + path("t5.gguf") + " --text " + path("pairs.tsv"));
  EXPECT_EQ(p["tokens"], 3 + 1 + 10 + 1);
  EXPECT_EQ(p["words"], 2);
  EXPECT_GT(p["perplexity"], 1.0);
  write_text_file(path("text.txt"), "no pairs\n");
  const Outcome o = bantam("perplexity " + path("t5.gguf") + " --text " + path("text.txt"));
  EXPECT_EQ(o.code, 1);
  EXPECT_NE(o.output.find("text.txt, line 1] expected a source and a target"), std::string::npos)
      << o.output;
  write_text_file(path("long.tsv"), "a\t" + std::string(50, 'b') + "\n");
  const Outcome too_long = bantam("perplexity " + path("t5.gguf") + " --text " + path("long.tsv"));
  EXPECT_EQ(too_long.code, 2);
  EXPECT_NE(too_long.output.find("at most 40 tokens"), std::string::npos) << too_long.output;
}

TEST_F(T5Program, IsQuantisedInspectedAndTimed) {
  const Json q = json_of("quantize " + path("t5.gguf") + " " + path("small.gguf") +
                         " --type q8_0 --text " + path("pairs.tsv"));
  EXPECT_EQ(q["tokens"], 15);
  EXPECT_LT(q["mean_kl"], 1);
  const Json i = json_of("inspect " + path("small.gguf"));
  EXPECT_EQ(i["architecture"], "t5");
  EXPECT_EQ(i["decoder_block_count"], 3);
  EXPECT_NE(bantam("inspect " + path("small.gguf")).output.find("2 that read, 3 that write"),
            std::string::npos);
  EXPECT_EQ(bantam("bench " + path("small.gguf") + " -p 8 -n 4 -r 1").code, 0);
  const Outcome sustained =
      bantam("bench " + path("small.gguf") + " -p 8 -n 4 -r 1 --markdown --sustain 0.02");
  EXPECT_EQ(sustained.code, 0);
  EXPECT_NE(sustained.output.find("| --- | ---: |"), std::string::npos) << sustained.output;
  EXPECT_NE(sustained.output.find("% of the first"), std::string::npos) << sustained.output;
  EXPECT_EQ(bantam("profile " + path("small.gguf")).code, 0);
}

TEST_F(T5Program, GivesLogitsForASourceAndSaysWhereOneIsMissing) {
  const std::string common = "logits " + path("t5.gguf") + " --tokens 2,5,6 --out " + path("l");
  EXPECT_EQ(bantam(common).code, 2);
  ASSERT_EQ(bantam(common + " --source 100,101,102,100,2").code, 0);
  EXPECT_EQ(test::read_floats(path("l")).size(), 3u * kByteVocabulary);
  for (const std::string& arguments :
       {"suggest " + path("t5.gguf") + " abc", "chat " + path("t5.gguf")}) {
    const Outcome o = bantam(arguments);
    EXPECT_EQ(o.code, 1) << arguments;
    EXPECT_NE(o.output.find("encoder-decoder"), std::string::npos) << o.output;
  }
  const std::string source(60, 'a');
  const Outcome o = bantam("run " + path("t5.gguf") + " -n 3 " + source);
  EXPECT_EQ(o.code, 2);
  EXPECT_NE(o.output.find("1 to 40 tokens, got 61"), std::string::npos) << o.output;
}

}  // namespace
}  // namespace bantam

#endif
