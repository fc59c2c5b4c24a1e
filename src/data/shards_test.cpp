#include "data/shards.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <numeric>

#include "data/data_test_kit.h"

namespace bantam {
namespace {

using namespace data_test;

class Shards : public testing::Test {
 protected:
  // Opens a copy of a good shard with the bytes changed.
  template <typename Change>
  std::string error_after(Change change) const {
    std::string bytes = good_;
    change(bytes);
    std::ofstream(directory_.file("bad"), std::ios::binary) << bytes;
    return error_of(ErrorKind::format, [&] { Shard shard(directory_.file("bad")); });
  }
  TemporaryDirectory directory_;
  std::string good_ = read_text_file(counting_shard(directory_.file("good"), 0, 25));
};

void put(std::string& bytes, size_t at, uint64_t value, size_t size) {
  std::memcpy(bytes.data() + at, &value, size);
}

TEST_F(Shards, GiveBackWhatWasWritten) {
  for (const int64_t vocabulary : {1000, 65536, 65537}) {
    const std::string path =
        counting_shard(directory_.file("a.shard"), 900, 37, {vocabulary, 0x1234});
    const Shard shard(path);
    EXPECT_EQ(shard.tokens(), 37);
    EXPECT_EQ(shard.vocabulary(), (ShardVocabulary{vocabulary, 0x1234}));
    const auto starts = shard.document_starts();
    EXPECT_EQ(std::vector(starts.begin(), starts.end()), (std::vector<uint64_t>{0, 10, 20, 30}));
    std::vector<int32_t> read(30), expected(30);
    std::iota(expected.begin(), expected.end(), 905);
    shard.read(5, read);
    EXPECT_EQ(read, expected);
  }
}

TEST_F(Shards, AppearOnlyWhenFinished) {
  {
    ShardWriter writer(directory_.file("a.shard"), {10, 0});
    writer.add(std::vector<int32_t>{1, 2});
  }
  EXPECT_FALSE(std::filesystem::exists(directory_.file("a.shard")));
}

TEST_F(Shards, WithoutTokensAreRefused) {
  ShardWriter writer(directory_.file("a.shard"), {10, 0});
  error_of(ErrorKind::usage, [&] { writer.finish(); });
}

TEST_F(Shards, TruncatedAtAnyByteGiveOneError) {
  for (size_t kept = 0; kept < good_.size(); ++kept) {
    EXPECT_FALSE(error_after([&](std::string& bytes) { bytes.resize(kept); }).empty());
  }
}

// 25 tokens: magic 8, tokens 50, padding 6, three starts 24, footer 40.
TEST_F(Shards, WithDamageNameWhatIsWrong) {
  const auto expect = [&](size_t at, uint64_t value, size_t size, std::string_view text) {
    const std::string message =
        error_after([&](std::string& bytes) { put(bytes, at, value, size); });
    EXPECT_NE(message.find(text), std::string::npos) << message;
  };
  expect(0, 0, 1, "another kind of file");
  expect(8 + 2 * 7, 60000, 2, "token 7: expected an id below 60000, got 60000.");
  expect(64, 1, 8, "document 0: expected a start");
  expect(72, 20, 8, "document 2: expected a start after the one before and below 25, got 20.");
  expect(80, 25, 8, "document 2");
  expect(88, 24, 8, "a file that holds 24 tokens and 3 documents");
  expect(88, ~uint64_t{0}, 8, "truncated or damaged");
  expect(88, uint64_t{1} << 63, 8, "truncated or damaged");
  expect(96, 2, 8, "25 tokens and 2 documents");
  expect(96, 26, 8, "1 to 25 documents, got 26.");
  expect(96, 0, 8, "1 to 25 documents, got 0.");
  expect(112, 0, 4, "vocabulary");
  expect(112, 70000, 4, "expected 4 bytes per token, got 2.");
  expect(116, 4, 4, "expected 2 bytes per token, got 4.");
  expect(120, 2, 4, "shard version 1, got 2.");
  expect(124, 0, 4, "the footer of a token shard");
}

TEST_F(Shards, AreReadAsOneRing) {
  const ShardSet set({counting_shard(directory_.file("a"), 0, 13),
                      counting_shard(directory_.file("b"), 13, 1),
                      counting_shard(directory_.file("c"), 14, 6)});
  EXPECT_EQ(set.tokens(), 20);
  EXPECT_EQ(set.documents(), 4);
  for (uint64_t begin = 0; begin < 45; ++begin) {
    std::vector<int32_t> read(30);
    set.read(begin, read);
    for (size_t i = 0; i < read.size(); ++i) {
      EXPECT_EQ(read[i], static_cast<int32_t>((begin + i) % 20));
    }
  }
}

TEST_F(Shards, OfDifferentTokenizersDoNotMix) {
  const std::vector<std::string> paths = {counting_shard(directory_.file("a"), 0, 5, {100, 1}),
                                          counting_shard(directory_.file("b"), 0, 5, {100, 2})};
  const std::string message = error_of(ErrorKind::format, [&] { ShardSet set(paths); });
  EXPECT_NE(message.find("expected the tokenizer of"), std::string::npos) << message;
}

}  // namespace
}  // namespace bantam
