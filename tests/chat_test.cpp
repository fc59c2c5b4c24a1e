// Chats: the format that a model wants, the conversation, and `bantam chat` as a process.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/random.h"
#include "models/architectures.h"
#include "program.h"
#include "runtime/chat.h"

namespace bantam {
namespace {

constexpr const char* kChatMl =
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

// Bytes and the tokens of ChatML; random weights.
Model tiny_chat_model(const std::string& chat_template) {
  TokenizerSpec spec;
  spec.model = "llama";
  spec.tokens = {"<unk>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<turn-over>"};
  spec.types = {TokenType::unknown, TokenType::control, TokenType::control,
                TokenType::control, TokenType::control, TokenType::control};
  for (int i = 0; i < 256; ++i) {
    spec.tokens.push_back(fmt::format("<0x{:02X}>", i));
    spec.types.push_back(TokenType::byte);
  }
  spec.scores.assign(spec.tokens.size(), 0);
  spec.unk = 0;
  spec.bos = 1;
  spec.eos = 2;
  spec.add_bos = true;
  Model model;
  model.name = "tiny";
  model.config = {.context_length = 200,
                  .embedding_length = 32,
                  .block_count = 1,
                  .feed_forward_length = 64,
                  .head_count = 2,
                  .head_count_kv = 1,
                  .head_size = 16,
                  .vocab_size = static_cast<int64_t>(spec.tokens.size()),
                  .rope_dims = 16};
  Random random(7);
  for (const WeightShape& w : required_weights(model.config)) {
    Tensor t = Tensor::zeros(DType::f32, w.shape);
    for (int64_t i = 0; i < w.shape.elements(); ++i) t.as<float>()[i] = random.normal();
    model.weights[w.name] = t;
  }
  model.tokenizer = make_tokenizer(spec);
  if (!chat_template.empty()) {
    model.metadata.emplace_back("tokenizer.chat_template", chat_template);
  }
  model.metadata.emplace_back("tokenizer.ggml.eot_token_id", uint32_t{5});
  return model;
}

std::shared_ptr<const Model> shared(Model model) {
  return std::make_shared<const Model>(std::move(model));
}

std::shared_ptr<Engine> engine_of(const std::string& chat_template) {
  return std::make_shared<Engine>(shared(tiny_chat_model(chat_template)),
                                  EngineOptions{.threads = 1});
}

GenerateOptions greedy(int64_t tokens) {
  GenerateOptions options;
  options.max_tokens = tokens;
  options.sampler.temperature = 0;
  return options;
}

TEST(ChatFormat, WritesOneBosWhetherOrNotTheTemplateDoes) {
  const std::vector<ChatMessage> chat = {{"user", "hi"}};
  const std::vector<int32_t> without = ChatFormat(shared(tiny_chat_model(kChatMl))).encode(chat, 1);
  const std::vector<int32_t> with =
      ChatFormat(shared(tiny_chat_model(std::string("{{ bos_token }}") + kChatMl))).encode(chat, 1);
  EXPECT_EQ(with, without);
  ASSERT_GE(with.size(), 3u);
  EXPECT_EQ(with[0], 1);
  EXPECT_EQ(with[1], 3);
}

TEST(ChatFormat, KnowsTheTokensThatEndAReply) {
  const ChatFormat format(shared(tiny_chat_model(kChatMl)));
  EXPECT_TRUE(format.own());
  EXPECT_EQ(format.end_of_turn(), 4);
  EXPECT_EQ(format.end_tokens(), (std::vector<int32_t>{2, 5, 4}));
  // A template that closes nothing: the check says so.
  const ChatFormat open(
      shared(tiny_chat_model("{% for m in messages %}{{ m.content }} {% endfor %}")));
  EXPECT_EQ(open.end_of_turn(), std::nullopt);
}

TEST(ChatFormat, FallsBackToAPlainTranscript) {
  const ChatFormat format(shared(tiny_chat_model("")));
  EXPECT_FALSE(format.own());
  EXPECT_EQ(format.render(std::vector<ChatMessage>{{"system", "Be kind."}, {"user", "hi"}}, true),
            "Be kind.\n\nUser: hi\nAssistant:");
  EXPECT_EQ(format.stops(), std::vector<std::string>{"\nUser:"});
}

TEST(ChatFormat, NamedTemplatesAreChosenByName) {
  Model model = tiny_chat_model(kChatMl);
  model.metadata.emplace_back("tokenizer.chat_template.loud",
                              "{% for m in messages %}{{ m.content | upper }}{% endfor %}");
  const auto both = shared(std::move(model));
  EXPECT_EQ(ChatFormat(both, "loud").render(std::vector<ChatMessage>{{"user", "hi"}}, true), "HI");
  EXPECT_THROW(ChatFormat(both, "quiet"), Error);
}

TEST(Chat, AnswersAsIfItHadReadTheWholeHistoryAndReadsOnlyWhatIsNew) {
  const auto engine = engine_of(kChatMl);
  Chat chat(engine);
  chat.set_system("Be brief.");
  chat.say("hello", greedy(5));
  const std::vector<ChatMessage> history = chat.messages();
  ASSERT_EQ(history.size(), 3u);
  const GenerateResult second = chat.say("more", greedy(5));

  Chat fresh(engine_of(kChatMl));
  fresh.set_messages(history);
  const GenerateResult again = fresh.say("more", greedy(5));
  EXPECT_EQ(second.tokens, again.tokens);
  EXPECT_EQ(chat.messages(), fresh.messages());
  EXPECT_LT(second.prompt_tokens, again.prompt_tokens);
}

TEST(Chat, TakesBackAndTriesAgain) {
  Chat chat(engine_of(kChatMl));
  EXPECT_THROW(chat.retry(greedy(3)), Error);
  EXPECT_EQ(chat.undo(), "");
  const GenerateResult first = chat.say("hello", greedy(4));
  EXPECT_EQ(chat.retry(greedy(4)).tokens, first.tokens);
  EXPECT_EQ(chat.messages().size(), 2u);
  EXPECT_EQ(chat.undo(), "hello");
  EXPECT_TRUE(chat.messages().empty());
}

TEST(Chat, AFailedTurnLeavesTheChatAsItWas) {
  Chat chat(engine_of(kChatMl));
  chat.say("hello", greedy(3));
  const std::vector<ChatMessage> before = chat.messages();
  EXPECT_THROW(chat.say(std::string(500, 'x'), greedy(3)), Error);
  EXPECT_EQ(chat.messages(), before);
}

TEST(Chat, IsReadBackFromItsJson) {
  const std::vector<ChatMessage> chat = {{"system", "a\n\"b\""}, {"user", "\u00FC"}};
  EXPECT_EQ(chat_from_json(chat_to_json(chat), "x"), chat);
  EXPECT_THROW(chat_from_json("{}", "x"), Error);
  EXPECT_THROW(chat_from_json(R"([{"role": "user"}])", "x"), Error);
}

#ifdef BANTAM_PROGRAM

class ChatProgram : public testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::path(testing::TempDir()) / ("bantam_chat_" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
    save_model(tiny_chat_model(kChatMl), path("chat.gguf"));
    save_model(tiny_chat_model(""), path("base.gguf"));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] Outcome chat(const std::string& model, const std::string& input) const {
    return bantam("chat " + path(model) + " --greedy -n 4 --system sys", input);
  }

  std::filesystem::path folder_;
};

TEST_F(ChatProgram, TakesMessagesAndCommandsFromAPipe) {
  const Outcome o = chat("chat.gguf", "hello\\n/undo\\n/system\\nagain\\n/save " + path("c.json") +
                                          "\\n/params top-k 7\\n/params\\n/stats\\n/quit\\nno\\n");
  EXPECT_EQ(o.code, 0) << o.output;
  EXPECT_NE(o.output.find("took back: hello"), std::string::npos) << o.output;
  EXPECT_NE(o.output.find("sys\n"), std::string::npos) << o.output;
  EXPECT_NE(o.output.find("top-k               7"), std::string::npos) << o.output;
  EXPECT_NE(o.output.find("of 200 tokens"), std::string::npos) << o.output;
  std::ifstream in(path("c.json"));
  const std::string saved{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const std::vector<ChatMessage> messages = chat_from_json(saved, "c.json");
  ASSERT_EQ(messages.size(), 3u) << saved;
  EXPECT_EQ(messages[0], (ChatMessage{"system", "sys"}));
  EXPECT_EQ(messages[1], (ChatMessage{"user", "again"}));
}

TEST_F(ChatProgram, SaysOnceThatABaseModelHasNoTemplate) {
  const Outcome o = chat("base.gguf", "one\\ntwo\\n");
  EXPECT_EQ(o.code, 0) << o.output;
  const size_t first = o.output.find("no chat template");
  ASSERT_NE(first, std::string::npos) << o.output;
  EXPECT_EQ(o.output.find("no chat template", first + 1), std::string::npos) << o.output;
}

TEST_F(ChatProgram, GoesOnAfterAWrongCommandAndExitsWith2) {
  const Outcome o = chat("chat.gguf", "/nonsense\\nhello\\n/load /no/such/file\\n");
  EXPECT_EQ(o.code, 2) << o.output;
  EXPECT_NE(o.output.find("/nonsense"), std::string::npos) << o.output;
  EXPECT_NE(o.output.find("/no/such/file"), std::string::npos) << o.output;
}

#endif

}  // namespace
}  // namespace bantam
