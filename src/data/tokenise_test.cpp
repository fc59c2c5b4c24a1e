#include "data/tokenise.h"

#include <gtest/gtest.h>

#include "base/thread_pool.h"
#include "data/data_test_kit.h"

namespace bantam {
namespace {

using namespace data_test;

// Bytes are tokens, 256 ends a document.
DocumentEncoder byte_encoder() {
  return {[](std::string_view text) {
            std::vector<int32_t> ids;
            for (const char c : text) ids.push_back(static_cast<uint8_t>(c));
            return ids;
          },
          256,
          {257, 42}};
}

class Tokenise : public testing::Test {
 protected:
  Tokenise() {
    std::string text;
    for (int i = 0; i < 500; ++i) text += fmt::format("story {}\n<|endoftext|>\n", i);
    write_text_file(directory_.file("stories.txt"), text);
    write_text_file(directory_.file("talk.jsonl"), R"({"text": "last"})");
  }
  TokeniseReport run(const std::string& name, int threads) const {
    ThreadPool pool(threads);
    return tokenise(
        {{.path = directory_.file("stories.txt")}, {.path = directory_.file("talk.jsonl")}},
        byte_encoder(),
        {.train_path = directory_.file(name),
         .held_out_path = directory_.file(name + ".held"),
         .held_out_every = 10},
        pool);
  }
  TemporaryDirectory directory_;
};

TEST_F(Tokenise, WritesEveryDocumentToOneOfTheShards) {
  const TokeniseReport report = run("train", 1);
  EXPECT_EQ(report.train.documents + report.held_out.documents, 501);
  EXPECT_NEAR(static_cast<double>(report.held_out.documents), 50, 25);
  EXPECT_EQ(report.train.tokens, report.train.bytes + report.train.documents);
  for (const auto& [name, part] :
       {std::pair("train", report.train), std::pair("train.held", report.held_out)}) {
    const Shard shard(directory_.file(name));
    EXPECT_EQ(shard.vocabulary(), (ShardVocabulary{257, 42}));
    EXPECT_EQ(shard.tokens(), part.tokens);
    const auto starts = shard.document_starts();
    EXPECT_EQ(starts.size(), part.documents);
    std::vector<int32_t> ids(shard.tokens());
    shard.read(0, ids);
    for (size_t d = 1; d < starts.size(); ++d) EXPECT_EQ(ids[starts[d] - 1], 256);
    EXPECT_EQ(ids.back(), 256);
  }
}

TEST_F(Tokenise, DoesNotDependOnTheNumberOfThreads) {
  run("one", 1);
  run("three", 3);
  EXPECT_EQ(read_text_file(directory_.file("one")), read_text_file(directory_.file("three")));
  EXPECT_EQ(read_text_file(directory_.file("one.held")),
            read_text_file(directory_.file("three.held")));
}

}  // namespace
}  // namespace bantam
