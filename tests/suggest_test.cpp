// Suggestions against a search that keeps nothing and looks into one path at a time.
#include "runtime/suggest.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <queue>

#include "base/error.h"
#include "runtime/branches.h"
#include "runtime/default_model.h"
#include "runtime/session.h"
#include "runtime/word_pieces.h"
#include "tiny_model.h"
#include "tiny_t5.h"

namespace bantam {
namespace {

// Words of a, b and c, in one piece or several.
TokenizerSpec few_words() {
  TokenizerSpec spec;
  spec.model = "llama";
  spec.tokens = {"<unk>", "<s>", "</s>"};
  spec.types = {TokenType::unknown, TokenType::control, TokenType::control};
  for (const char* piece :
       {"▁",  "a",   "b",   "c",    ",",     "'",   "▁a", "▁b", "▁c",  "ab", "ba", "ca",
        "bb", "▁ab", "▁ba", "▁cab", "▁abba", "abc", "é",  "▁,", "▁b,", ",▁", "▁▁"}) {
    spec.tokens.push_back(piece);
    spec.types.push_back(TokenType::normal);
  }
  for (size_t i = 0; i < spec.tokens.size(); ++i) spec.scores.push_back(-static_cast<float>(i));
  spec.unk = 0;
  spec.bos = 1;
  spec.eos = 2;
  spec.add_bos = true;
  spec.add_space_prefix = true;
  return spec;
}

std::shared_ptr<const Model> model_of(const char* architecture) {
  ModelConfig c = tiny_decoder_config(architecture);
  c.vocab_size = static_cast<int64_t>(few_words().tokens.size());
  Model model = filled_model(c);
  model.tokenizer = make_tokenizer(few_words());
  return std::make_shared<Model>(std::move(model));
}

class PlainSearch {
 public:
  explicit PlainSearch(const std::shared_ptr<const Model>& model)
      : engine_(std::make_shared<Engine>(model)), tokenizer_(*model->tokenizer) {}

  std::vector<Suggestion> suggest(std::string_view text, size_t count = 5) {
    const size_t space = text.find_last_of(" \n\t\r");
    const size_t cut = space == std::string_view::npos ? 0 : space;
    open_ = text.substr(cut);
    if (cut == 0 && space != 0 && tokenizer_.spec().add_space_prefix) open_ = " " + open_;
    const std::vector<int32_t> context = prompt_ids(engine_->model(), text.substr(0, cut));
    words_.clear();
    total_ = open_.empty() ? 1 : 0;
    std::priority_queue<Path> paths;
    paths.push({1, context, ""});
    for (int runs = 0; runs < 32 && !paths.empty(); ++runs) {
      const Path path = paths.top();
      if (path.probability <= least_useful(count)) break;
      paths.pop();
      for (Path& longer : expand(path)) paths.push(std::move(longer));
    }
    std::vector<Suggestion> best;
    for (const auto& [key, p] : words_) best.push_back({key.first, p / total_, key.second});
    std::stable_sort(best.begin(), best.end(),
                     [](const auto& a, const auto& b) { return a.probability > b.probability; });
    best.resize(std::min(best.size(), count));
    return best;
  }

 private:
  struct Path {
    double probability;
    std::vector<int32_t> tokens;
    std::string text;
    bool operator<(const Path& other) const { return probability < other.probability; }
  };

  std::vector<Path> expand(const Path& path) {
    Session session(engine_);
    const std::span<const float> logits = session.feed(path.tokens);
    double sum = 0;
    for (const float x : logits) sum += std::exp(x);
    std::vector<Path> longer;
    double boundary = 0;
    for (int32_t id = 0; id < tokenizer_.vocab_size(); ++id) {
      const double p = std::exp(logits[static_cast<size_t>(id)]) / sum;
      const bool ends =
          tokenizer_.type(id) == TokenType::control || tokenizer_.type(id) == TokenType::unknown;
      const std::string piece(ends ? "" : tokenizer_.piece(id));
      if (ends || !in_word(piece.front())) boundary += p;
      Path next{path.probability * p, path.tokens, path.text + piece};
      next.tokens.push_back(id);
      if (ends || next.probability < 1e-7 || !agrees(next.text)) continue;
      if (path.text.size() < open_.size() && next.text.size() >= open_.size())
        total_ += next.probability;
      const bool is_typed = path.text.size() <= open_.size();
      if (!is_typed && !in_word(piece.front())) continue;
      if (path.text.size() == open_.size() && !in_word(piece.front()) && piece.front() != ' ')
        continue;
      if (is_word(next.text)) longer.push_back(std::move(next));
    }
    if (path.text.size() > open_.size()) {
      const auto [word, completes] = word_of(path.text);
      if (!word.empty()) words_[{word, completes}] += path.probability * boundary;
    }
    return longer;
  }

  [[nodiscard]] bool agrees(const std::string& text) const {
    return text.starts_with(open_) || open_.starts_with(text);
  }
  [[nodiscard]] bool is_word(const std::string& text) const {
    if (text.size() <= open_.size()) return true;
    const std::string added = text.substr(open_.size() + (is_space(text[open_.size()]) ? 1 : 0));
    return std::all_of(added.begin(), added.end(), in_word);
  }
  [[nodiscard]] std::pair<std::string, bool> word_of(const std::string& text) const {
    if (is_space(text[open_.size()])) return {text.substr(open_.size() + 1), false};
    size_t typed = open_.size();
    while (typed > 0 && in_word(open_[typed - 1])) --typed;
    return {text.substr(typed), typed < open_.size()};
  }
  [[nodiscard]] double least_useful(size_t count) const {
    std::vector<double> p;
    for (const auto& [word, probability] : words_) p.push_back(probability);
    std::sort(p.rbegin(), p.rend());
    return p.size() < count ? 1e-7 : p[count - 1];
  }

  std::shared_ptr<Engine> engine_;
  const Tokenizer& tokenizer_;
  std::string open_;
  std::map<std::pair<std::string, bool>, double> words_;
  double total_ = 0;
};

void expect_same(const std::vector<Suggestion>& words, const std::vector<Suggestion>& expected,
                 const std::string& text) {
  ASSERT_EQ(words.size(), expected.size()) << text;
  for (size_t i = 0; i < words.size(); ++i) {
    EXPECT_EQ(words[i].word, expected[i].word) << text;
    EXPECT_EQ(words[i].completes, expected[i].completes) << text;
    EXPECT_NEAR(words[i].probability, expected[i].probability, 2e-6 * expected[i].probability)
        << text << " " << words[i].word;
  }
}

void expect_plain_answers(const std::shared_ptr<const Model>& model, const std::string& text) {
  PlainSearch plain(model);
  Suggester keyboard(model);
  for (size_t end = 0; end <= text.size(); ++end) {
    const std::string typed = text.substr(0, end);
    expect_same(keyboard.suggest(typed), plain.suggest(typed), typed);
  }
}

std::shared_ptr<const Model> built_in_model() {
  try {
    return default_model();
  } catch (const Error&) {
    return nullptr;
  }
}

TEST(Suggester, AnswersAsAPlainSearchDoes) {
  const auto model = built_in_model();
  if (model == nullptr) GTEST_SKIP() << "built without a default model";
  expect_plain_answers(model, "I'm going to (the) sto,  \"Wha");
}

class SuggesterOf : public testing::TestWithParam<const char*> {
 protected:
  std::shared_ptr<const Model> model_ = model_of(GetParam());
};

TEST_P(SuggesterOf, AnswersAsAPlainSearchDoes) {
  expect_plain_answers(model_, "ab a, b'");
}

// The same bits, whatever the caches hold, and however many paths are run together.
TEST_P(SuggesterOf, AnswersByTheTextAlone) {
  SuggestOptions frugal;
  frugal.sequences = 2;
  frugal.memo_bytes = 0;
  frugal.threads = 2;
  Suggester keyboard(model_), other(model_, frugal);
  for (const char* text :
       {"a", "ab", "ab ", "ab c", "ab ", "ab", "", "b ca b", "ab ca b", "ab c"}) {
    const auto fresh = Suggester(model_).suggest(text);
    EXPECT_EQ(keyboard.suggest(text), fresh) << text;
    EXPECT_EQ(other.suggest(text), fresh) << text;
    keyboard.prepare(10);
    EXPECT_EQ(keyboard.suggest(text), fresh) << text;
  }
}

TEST_P(SuggesterOf, LooksAtTheEndOfATextThatIsTooLong) {
  Suggester keyboard(model_);
  std::string text;
  for (int i = 0; i < 60; ++i) {
    text += i % 3 == 0 ? "ab " : "c ";
    EXPECT_FALSE(keyboard.suggest(text).empty());
  }
  EXPECT_EQ(keyboard.suggest(text), Suggester(model_).suggest(text));
}

TEST_P(SuggesterOf, RunsNothingForATextThatItKnows) {
  Suggester keyboard(model_);
  const auto first = keyboard.suggest("ab c");
  const int64_t rows = keyboard.work().rows;
  EXPECT_EQ(keyboard.suggest("ab c"), first);
  EXPECT_EQ(keyboard.work().rows, rows);
}

// Texts that go on, go back and part again.
TEST_P(SuggesterOf, RunsBranchesToTheBitsOfASession) {
  EngineOptions options;
  options.sequences = 4;
  options.batch = 3;
  Branches branches(std::make_shared<Engine>(model_, options));
  const auto engine = std::make_shared<Engine>(model_);
  const auto V = static_cast<size_t>(engine->vocab_size());
  const std::vector<std::vector<int32_t>> texts = {
      {1, 4, 5}, {1, 4, 5, 6, 7, 8, 9, 10}, {1, 4, 5, 6, 7, 9}, {1, 4, 5, 8},
      {1, 5},    {1, 4, 5, 6, 7, 9, 11}};
  for (const auto& [shared, chosen] : std::vector<std::pair<size_t, std::vector<size_t>>>{
           {3, {0}}, {3, {1, 2}}, {3, {3, 5}}, {1, {4, 0, 1}}, {6, {5}}, {3, {2, 3, 0}}}) {
    std::vector<std::vector<int32_t>> together;
    for (const size_t i : chosen) together.push_back(texts[i]);
    const bool parted = std::all_of(together.begin(), together.end(),
                                    [&](auto& text) { return text.size() > shared; });
    if (!parted && together.size() > 1) continue;
    const auto logits = branches.run(together, shared);
    for (size_t i = 0; i < together.size(); ++i) {
      Session session(engine);
      const auto expected = session.feed(together[i]);
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), logits.begin() + i * V));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, SuggesterOf, testing::Values("llama", "mamba"),
                         [](const auto& info) { return std::string(info.param); });

TEST(Suggester, NeedsAModelThatContinuesText) {
  EXPECT_THROW(Suggester{std::make_shared<Model>(filled_model(tiny_t5_config(true)))}, Error);
}

}  // namespace
}  // namespace bantam
