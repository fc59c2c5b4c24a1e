#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "base/thread_pool.h"
#include "tests/tiny_model.h"
#include "train/run.h"

namespace bantam {
namespace {

namespace fs = std::filesystem;

// A folder of its own for each test, with a text to learn.
class Training : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(BANTAM_BINARY_DIR) / "training_test" /
              testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    write_text_file((folder_ / "text.txt").string(), make_text());
  }

  static std::string make_text() {
    const std::string who[] = {"The dog", "A cat", "My friend", "The old man", "Her sister"};
    const std::string does[] = {"likes", "sees", "finds", "wants", "has"};
    const std::string what[] = {"a red ball", "the big tree", "some water", "a small house"};
    Random random(3);
    std::string text;
    for (int i = 0; i < 3000; ++i) {
      text += fmt::format("{} {} {}.", who[random.below(5)], does[random.below(5)],
                          what[random.below(4)]);
      text += i % 5 == 4 ? "\n\n" : " ";
    }
    return text;
  }

  std::string recipe(const std::string& output, const std::string& more = "") {
    return fmt::format(R"(
name = "tiny"
output = "{}"
output_type = "f32"
[data]
train = ["text.txt"]
held_out_every = 10
[tokenizer]
vocabulary = 300
[model]
layers = 2
width = 64
heads = 2
kv_heads = 1
feed_forward = 128
context = 32
[train]
steps = 24
sequences = 4
length = 32
accumulation = 2
learning_rate = 3e-3
warmup_steps = 4
dropout = 0.1
eval_every = 12
checkpoint_every = 4
log_every = 4
{})",
                       output, more);
  }

  Recipe parse(const std::string& output, const std::string& more = "") {
    return parse_recipe(recipe(output, more), (folder_ / "recipe.toml").string());
  }

  fs::path folder_;
};

TEST_F(Training, LearnsAndResumesToTheSameBits) {
  const RunResult whole = run_training(parse("whole"));
  ASSERT_TRUE(whole.finished);
  // 300 tokens at random have perplexity 300.
  EXPECT_LT(whole.validation.perplexity_token, 60);

  int steps = 0;
  RunEvents interrupted;
  interrupted.should_stop = [&] { return ++steps == 7; };
  const RunResult first = run_training(parse("parts"), interrupted);
  EXPECT_FALSE(first.finished);
  EXPECT_EQ(first.steps, 7);
  // The recipe names another folder, which is no part of what is learnt.
  const RunResult second = run_training(parse("parts"));
  ASSERT_TRUE(second.finished);
  EXPECT_EQ(read_text_file(whole.model_path), read_text_file(second.model_path));
}

TEST_F(Training, LearnsTheKindOfTokenizerThatTheRecipeNames) {
  const auto parsed = [&](const std::string& kind) {
    std::string text = recipe("unigram");
    const std::string key = "[tokenizer]\n";
    text.insert(text.find(key) + key.size(), fmt::format("kind = \"{}\"\n", kind));
    return parse_recipe(text, (folder_ / "recipe.toml").string());
  };
  ThreadPool pool(2);
  const PreparedData data = prepare_data(parsed("unigram"), {}, pool);
  EXPECT_EQ(data.tokenizer->spec().model, "t5");
  EXPECT_LE(data.tokenizer->vocab_size(), 300);
  EXPECT_GT(data.valid_words, 0);
  EXPECT_EQ(data.tokenizer->decode(data.tokenizer->encode("The dog likes", {.special = false})),
            "The dog likes");
  try {
    parsed("bytes");
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("tokenizer.kind"), std::string::npos) << e.what();
  }
}

TEST_F(Training, GivesTheSameBitsForAnyNumberOfThreads) {
  Recipe one = parse("one"), three = parse("three");
  one.trainer.threads = 1;
  three.trainer.threads = 3;
  EXPECT_EQ(read_text_file(run_training(one).model_path),
            read_text_file(run_training(three).model_path));
}

TEST_F(Training, CheckpointingActivationsGivesTheSameBitsInLessMemory) {
  const RunResult plain = run_training(parse("plain"));
  const RunResult again = run_training(parse("again", "checkpoint_activations = true\n"));
  EXPECT_LT(again.memory.activations, plain.memory.activations);
  EXPECT_EQ(read_text_file(plain.model_path), read_text_file(again.model_path));
}

TEST_F(Training, ADistilledStudentNeedsTheTeachersVocabulary) {
  const RunResult teacher = run_training(parse("teacher"));
  Recipe student = parse("student");
  student.teacher = teacher.model_path;
  student.tokenizer_model = teacher.model_path;
  const RunResult good = run_training(student);
  EXPECT_TRUE(good.finished);
  EXPECT_LT(good.validation.perplexity_token, 60);

  Recipe bad = parse("bad");
  bad.teacher = teacher.model_path;
  bad.vocabulary = 290;
  try {
    run_training(bad);
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("300"), std::string::npos) << e.what();
    EXPECT_NE(std::string(e.what()).find("290"), std::string::npos) << e.what();
  }
}

TEST_F(Training, ARecipeWithAMisspeltKeyNamesFileAndKey) {
  try {
    parse("x", "learning_rat = 1\n");
    FAIL() << "expected an error";
  } catch (const Error& e) {
    const std::string what = e.what();
    EXPECT_EQ(e.kind(), ErrorKind::usage);
    EXPECT_NE(what.find("recipe.toml"), std::string::npos) << what;
    EXPECT_NE(what.find("train.learning_rat"), std::string::npos) << what;
  }
}

TEST_F(Training, ARecipeWithoutAContextNamesTheKeyOfTheRecipe) {
  std::string text = recipe("x");
  text.erase(text.find("context = 32"), std::string_view("context = 32").size());
  try {
    parse_recipe(text, "recipe.toml");
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("[recipe.toml] model.context: expected a positive number"),
              std::string::npos)
        << e.what();
  }
}

#ifdef BANTAM_PROGRAM
pid_t start(const std::string& recipe) {
  const pid_t child = fork();
  if (child == 0) {
    if (std::freopen("/dev/null", "w", stdout) == nullptr) _exit(126);
    if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(126);
    execl(BANTAM_PROGRAM, "bantam", "train", recipe.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  return child;
}

int wait_for(pid_t child) {
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST_F(Training, SurvivesKillNineToTheSameBits) {
  const std::string path = (folder_ / "recipe.toml").string();
  write_text_file(path, recipe("killed"));
  const fs::path checkpoint = folder_ / "killed" / "checkpoint.gguf";
  const pid_t child = start(path);
  ASSERT_GT(child, 0);
  for (int i = 0; i < 60000 && !fs::exists(checkpoint); ++i) {
    if (waitpid(child, nullptr, WNOHANG) != 0) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  kill(child, SIGKILL);
  wait_for(child);
  ASSERT_TRUE(fs::exists(checkpoint));
  ASSERT_EQ(wait_for(start(path)), 0);

  const RunResult whole = run_training(parse_recipe(recipe("killed"), path));
  const std::string resumed = read_text_file(whole.model_path);
  fs::remove_all(folder_ / "killed");
  const RunResult fresh = run_training(parse_recipe(recipe("killed"), path));
  EXPECT_EQ(resumed, read_text_file(fresh.model_path));
}
#endif

}  // namespace
}  // namespace bantam
