// What the program says of files: models in parts, what a model is, and files that are wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "formats/gguf_writer.h"
#include "models/config_gguf.h"
#include "program_fixture.h"
#include "shared_files.h"

#ifdef BANTAM_PROGRAM

namespace bantam {
namespace {

using Json = nlohmann::json;
using test::Program;

bool has(const Outcome& o, std::string_view text) {
  return o.output.find(text) != std::string::npos;
}

TEST_F(Program, WritesAModelInPartsAndReadsItByTheNameOfAny) {
  const std::string out = path("parts.gguf");
  const Outcome q = bantam("quantize " + model_ + " " + out + " --type f32 --split-max-size 20K");
  ASSERT_EQ(q.code, 0) << q.output;
  EXPECT_TRUE(has(q, "parts-00001-of-0000")) << q.output;
  std::vector<std::string> parts;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    if (entry.path().filename().string().starts_with("parts-")) parts.push_back(entry.path());
  }
  ASSERT_GE(parts.size(), 3u);
  std::sort(parts.begin(), parts.end());
  const std::string options = " --seed 3 -n 6 -p abc";
  const std::string expected = bantam("run " + model_ + options).output;
  for (const std::string& part : parts) EXPECT_EQ(bantam("run " + part + options).output, expected);
  const Outcome i = bantam("inspect " + parts.back());
  EXPECT_EQ(i.code, 0) << i.output;
  EXPECT_TRUE(has(i, fmt::format("in {} parts", parts.size()))) << i.output;
  EXPECT_EQ(bantam("quantize " + parts[1] + " " + path("one.gguf") + " --type q8_0").code, 0);
  write_text_file(path("t.txt"), "some text to measure on");
  EXPECT_EQ(bantam("perplexity " + parts[1] + " --text " + path("t.txt")).code, 0);

  std::filesystem::remove(parts[1]);
  const Outcome missing = bantam("run " + parts[0] + options);
  EXPECT_EQ(missing.code, 1);
  EXPECT_TRUE(has(missing, "expected part 2 of")) << missing.output;
  EXPECT_EQ(bantam("quantize " + model_ + " " + out + " --split-max-size many").code, 2);
}

class Inspect : public Program {
 protected:
  Json facts(const std::string& file) {
    const Outcome o = bantam("inspect --json " + file);
    EXPECT_EQ(o.code, 0) << o.output;
    return o.code == 0 ? Json::parse(o.output) : Json();
  }
};

TEST_F(Inspect, TellsAPersonWhatAModelIs) {
  Model model = test::random_model(test::tiny_llama());
  model.metadata.emplace_back("general.license", std::string("apache-2.0"));
  model.metadata.emplace_back(
      "tokenizer.chat_template",
      std::string("{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"));
  save_model(model, path("chat.gguf"));
  const Outcome o = bantam("inspect " + path("chat.gguf"));
  ASSERT_EQ(o.code, 0) << o.output;
  for (const char* text :
       {"architecture    llama", "licence         apache-2.0", "parameters      17.", "layers  ",
        "2 of 16, 1 for keys and values", "24 tokens", "259 tokens", "file  ", "32.00 bits each",
        "feed-forward", "attention", "memory at context", "program", "[user] What is a bantam?"}) {
    EXPECT_TRUE(has(o, text)) << text << "\n" << o.output;
  }
  const Json json = facts(path("chat.gguf"));
  EXPECT_EQ(json["memory"].back()["context"], 24);
  EXPECT_GT(json["memory"].back()["total_bytes"], json["weight_bytes"]);
  EXPECT_EQ(json["licence"], "apache-2.0");
  for (const Json& at : json["memory"]) {
    int64_t sum = 0;
    for (const char* part : {"weights", "cache", "activations", "process"}) {
      sum += at[fmt::format("{}_bytes", part)].get<int64_t>();
    }
    EXPECT_EQ(at["total_bytes"], sum);
  }
  int64_t parameters = 0;
  for (const Json& group : json["groups"]) parameters += group["parameters"].get<int64_t>();
  EXPECT_EQ(parameters, json["parameters"]);
}

TEST_F(Inspect, NamesThePartsOfOtherKindsOfModels) {
  ModelConfig mixture = test::tiny_llama();
  mixture.experts = {.count = 4, .used = 2, .feed_forward_length = 24};
  save_model(test::random_model(mixture), path("m.gguf"));
  const Outcome m = bantam("inspect " + path("m.gguf"));
  EXPECT_TRUE(has(m, "4, of which each token uses 2; feed-forward 24 in each")) << m.output;
  EXPECT_TRUE(has(m, "routers")) << m.output;
  const Json counts = facts(path("m.gguf"));
  for (const Json& group : counts["groups"]) {
    if (group["group"] != "experts") continue;
    const int64_t idle = group["parameters"].get<int64_t>() / 2;
    EXPECT_EQ(counts["active_parameters"], counts["parameters"].get<int64_t>() - idle);
  }
  ModelConfig mamba{
      .architecture = "mamba",
      .context_length = 24,
      .embedding_length = 32,
      .block_count = 2,
      .vocab_size = kByteVocabulary,
      .ssm = {.conv_kernel = 4, .inner_size = 64, .state_size = 8, .time_step_rank = 2}};
  save_model(test::random_model(mamba), path("s.gguf"));
  const Outcome s = bantam("inspect " + path("s.gguf"));
  EXPECT_TRUE(has(s, "64 channels, states of 8, convolution over 4")) << s.output;
  EXPECT_FALSE(has(s, "for keys and values")) << s.output;
  EXPECT_FALSE(has(s, "feed-forward")) << s.output;
  EXPECT_TRUE(has(s, "licence         not stated in the file")) << s.output;
  ModelConfig bert = test::tiny_llama();
  bert.architecture = "bert";
  bert.head_count_kv = 2;
  bert.causal = false;
  bert.pooling = Pooling::first;
  save_model(test::random_model(bert), path("b.gguf"));
  const Outcome b = bantam("inspect " + path("b.gguf"));
  EXPECT_TRUE(has(b, "first token")) << b.output;
  EXPECT_FALSE(has(b, "chat")) << b.output;
}

class InspectFixture : public testing::TestWithParam<const char*> {};

TEST_P(InspectFixture, HasFactsOfEveryKind) {
  const std::string file =
      test::shared_file(fmt::format("fixtures/architectures/{}.gguf", GetParam()));
  BANTAM_NEED_SHARED(file);
  const Outcome o = bantam("inspect --json " + file);
  ASSERT_EQ(o.code, 0) << o.output;
  const Json json = Json::parse(o.output);
  EXPECT_EQ(json["vocab_size"], 320);
  EXPECT_GT(json["parameters"], 10000);
  EXPECT_FALSE(json["groups"].empty());
  for (const Json& at : json["memory"]) EXPECT_GT(at["total_bytes"], 0);
  EXPECT_EQ(bantam("inspect " + file).code, 0);
}

INSTANTIATE_TEST_SUITE_P(All, InspectFixture,
                         testing::Values("llama", "gemma3", "mixtral", "jamba", "gpt-oss", "mamba",
                                         "deepseek2-mla", "granitehybrid"),
                         [](const auto& param) {
                           std::string name = param.param;
                           std::erase(name, '-');
                           return name;
                         });

class WrongFile : public Inspect {
 protected:
  // Inspects the model's file after a change to what is written.
  Outcome inspect(const std::function<void(GgufWriter&)>& change, std::string_view lost = "") {
    const Model model = test::random_model(test::tiny_llama());
    GgufWriter out;
    out.set("general.architecture", std::string("llama"));
    write_config(model.config, out);
    write_tokenizer(model.tokenizer->spec(), out);
    for (const auto& [name, t] : model.weights)
      if (name != lost) out.add_tensor(name, t);
    change(out);
    out.write(path("wrong.gguf"));
    return bantam("inspect " + path("wrong.gguf"));
  }

  static void expect_one_error(const Outcome& o, std::string_view names,
                               std::string_view file = "wrong.gguf") {
    EXPECT_EQ(o.code, 1) << o.output;
    EXPECT_EQ(std::count(o.output.begin(), o.output.end(), '\n'), 1) << o.output;
    EXPECT_TRUE(has(o, names)) << o.output;
    EXPECT_TRUE(has(o, file)) << o.output;
  }
};

TEST_F(WrongFile, IsFineWithoutAChange) {
  EXPECT_EQ(inspect([](GgufWriter&) {}).code, 0);
}

TEST_F(WrongFile, NamesATensorThatIsMissingOrOfAnotherShape) {
  const std::string name = "blk.0.ffn_up.weight";
  expect_one_error(inspect([](GgufWriter&) {}, name),
                   "expected a tensor \"blk.0.ffn_up.weight\" of shape [64, 32], got none");
  expect_one_error(inspect(
                       [&](GgufWriter& out) {
                         out.add_tensor(name, Tensor::zeros(DType::f32, {32, 64}));
                       },
                       name),
                   "tensor \"blk.0.ffn_up.weight\": expected the shape [64, 32], got [32, 64]");
}

TEST_F(WrongFile, NamesAnUnknownArchitecture) {
  expect_one_error(
      inspect([](GgufWriter& out) { out.set("general.architecture", std::string("rwkv9")); }),
      "general.architecture: expected one of");
}

TEST_F(WrongFile, NamesNumbersThatMakeNoModel) {
  const auto with = [&](const char* key, uint32_t value) {
    return inspect([=](GgufWriter& out) { out.set(key, value); });
  };
  expect_one_error(with("llama.block_count", 4000000000U), "block_count");
  expect_one_error(with("llama.attention.head_count", 0), "head_count");
  expect_one_error(with("llama.attention.head_count_kv", 7), "head_count_kv");
  expect_one_error(with("llama.rope.dimension_count", 15), "rope.dimension_count");
  expect_one_error(with("llama.vocab_size", 4000000000U), "token_embd.weight");
}

TEST_F(WrongFile, NamesAnAbsurdVocabulary) {
  const std::vector<std::string> tokens(100000, "x");
  expect_one_error(inspect([&](GgufWriter& out) {
                     out.set("tokenizer.ggml.tokens", GgufArray(tokens));
                     out.set("tokenizer.ggml.scores", GgufArray(std::vector<float>(100000)));
                     out.set("tokenizer.ggml.token_type",
                             GgufArray(std::vector<int32_t>(100000, 1)));
                   }),
                   "tokens");
}

// A template does not keep a model from being looked at: the error stands where the chat would.
TEST_F(WrongFile, NamesATemplateThatCallsItselfWithoutEnd) {
  const std::string endless = "{% macro a(x) %}{{ a(x) }}{% endmacro %}{{ a(1) }}";
  const auto with = [](const std::string& text) {
    return [text](GgufWriter& out) { out.set("tokenizer.chat_template", text); };
  };
  const Outcome o = inspect(with(endless));
  EXPECT_EQ(o.code, 0) << o.output;
  EXPECT_TRUE(has(o, "chat: [")) << o.output;
  EXPECT_TRUE(has(o, "tokenizer.chat_template")) << o.output;
  EXPECT_TRUE(has(inspect(with("{% for x in range(99999999999) %}{% endfor %}")), "chat: ["));
  EXPECT_TRUE(has(inspect(with("{% if %}")), "chat: ["));
  // A chat is refused at once, in one line.
  expect_one_error(bantam("chat " + path("wrong.gguf"), "hello"), "tokenizer.chat_template", "");
}

TEST_F(WrongFile, NamesATemplateThatIsNoText) {
  const Outcome o =
      inspect([](GgufWriter& out) { out.set("tokenizer.chat_template", uint32_t{5}); });
  EXPECT_TRUE(has(o, "tokenizer.chat_template: expected string, got u32")) << o.output;
  expect_one_error(bantam("chat " + path("wrong.gguf"), "hello"),
                   "tokenizer.chat_template: expected string, got u32", "");
}

TEST_F(WrongFile, NamesATokenizerThatBantamLacks) {
  const Outcome o =
      inspect([](GgufWriter& out) { out.set("tokenizer.ggml.model", std::string("rwkv")); });
  EXPECT_EQ(o.code, 0) << o.output;
  EXPECT_TRUE(has(o, "a tokenizer that Bantam does not know: rwkv")) << o.output;
  write_text_file(path("t.txt"), "some text");
  for (const std::string& command :
       {"run " + path("wrong.gguf") + " abc", "chat " + path("wrong.gguf"),
        "perplexity " + path("wrong.gguf") + " --text " + path("t.txt")}) {
    expect_one_error(bantam(command, "hello"), "tokenizer.ggml.model: expected \"gpt2\"", "");
  }
}

TEST_F(WrongFile, NamesATokenIdOutsideOfTheVocabulary) {
  expect_one_error(
      inspect([](GgufWriter& out) { out.set("tokenizer.ggml.eos_token_id", uint32_t{4000}); }),
      "tokenizer.ggml.eos_token_id");
}

TEST_F(WrongFile, CommandsNoTerminal) {
  const Outcome o = inspect([](GgufWriter& out) {
    out.set("general.name", std::string("a\x1b[31m\nb"));
    out.set("general.license", std::string("c\x1b]0;d\x07"));
    out.set("some.key", std::string("\x1b[2J"));
    out.set("tokenizer.chat_template", std::string("e\x1b[1m{{ messages[-1].content }}"));
  });
  EXPECT_EQ(o.code, 0) << o.output;
  EXPECT_EQ(o.output.find('\x1b'), std::string::npos) << o.output;
  EXPECT_TRUE(has(o, "name            a\\x1b[31m b\n")) << o.output;
  EXPECT_TRUE(has(o, "e\\x1b[1mWhat is a bantam?")) << o.output;
  const Outcome refused = inspect([](GgufWriter& out) {
    out.set("general.architecture", std::string("x\x1b[31m\nbantam: all is well"));
  });
  expect_one_error(refused, "x\\x1b[31m bantam");
}

TEST_F(Program, LearnsTokenizersOfBothKinds) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += "The reader reads what the teacher wrote, and talks.\n\n";
  write_text_file(path("text.txt"), text);
  for (const auto& [kind, model] : {std::pair{"bpe", "gpt2"}, std::pair{"unigram", "t5"}}) {
    const std::string out = path("tokenizer.gguf");
    const Outcome o = bantam(fmt::format(
        "train-tokenizer {} -o {} --kind {} --vocabulary 300 --json", path("text.txt"), out, kind));
    ASSERT_EQ(o.code, 0) << o.output;
    EXPECT_EQ(Json::parse(o.output)["model"], model);
    EXPECT_GT(Json::parse(o.output)["bytes_per_token"], 2.0);
    const Outcome ids = bantam("tokenize " + out + " 'the reader talks' --ids --no-special");
    ASSERT_EQ(ids.code, 0) << ids.output;
    std::string list = ids.output.substr(0, ids.output.find('\n'));
    EXPECT_LT(std::count(list.begin(), list.end(), ','), 11) << list;
    EXPECT_EQ(bantam("tokenize " + out + " --decode " + list).output, "the reader talks\n") << list;
  }
  EXPECT_EQ(bantam("train-tokenizer " + path("text.txt") + " -o x.gguf --kind bytes").code, 2);
  EXPECT_EQ(bantam("train-tokenizer " + path("none.txt") + " -o x.gguf").code, 1);
}

TEST_F(Program, InspectSaysWhatFits) {
  const auto fit = [&](const std::string& limit) {
    const Outcome o = bantam("inspect " + model_ + " --json --fit " + limit);
    EXPECT_EQ(o.code, 0) << o.output;
    return nlohmann::json::parse(o.output, nullptr, false)["fit"];
  };
  EXPECT_EQ(fit("1M").size(), 0u);
  const auto choices = fit("2G");
  ASSERT_GE(choices.size(), 2u);
  for (const auto& choice : choices) {
    EXPECT_EQ(choice["context"], 24) << choice;
    EXPECT_LT(choice["total_bytes"], int64_t{2} << 30) << choice;
  }
  EXPECT_NE(bantam("inspect " + model_ + " --fit 1M").output.find("no context"), std::string::npos);
  EXPECT_EQ(bantam("inspect " + model_ + " --fit much").code, 2);
}

TEST_F(Program, EmbedsWithThePromptsOfTheModel) {
  ModelConfig bert = test::tiny_llama();
  bert.architecture = "bert";
  bert.head_count_kv = 2;
  bert.causal = false;
  Model model = test::random_model(bert);
  model.metadata.emplace_back("bantam.embedding.prompt.query", std::string("q: "));
  model.metadata.emplace_back("bantam.embedding.normalise", false);
  save_model(model, path("b.gguf"));
  const std::string embed = "embed " + path("b.gguf") + " ";
  const Outcome plain = bantam(embed + "'q: ab'");
  ASSERT_EQ(plain.code, 0) << plain.output;
  EXPECT_EQ(bantam(embed + "ab --prompt query").output, plain.output);
  EXPECT_NE(bantam(embed + "ab").output, plain.output);
  EXPECT_EQ(bantam(embed + "'q: ab' --raw").output, plain.output);
  const Outcome unknown = bantam(embed + "ab --prompt title");
  EXPECT_EQ(unknown.code, 2);
  EXPECT_TRUE(has(unknown, "query")) << unknown.output;
}

}  // namespace
}  // namespace bantam

#endif
