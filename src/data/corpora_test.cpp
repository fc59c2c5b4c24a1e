#include "data/corpora.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "data/data_test_kit.h"

namespace bantam {
namespace {

using namespace data_test;
using Documents = std::vector<std::string>;

class Corpora : public testing::Test {
 protected:
  SourceSpec source(const std::string& name, std::string_view text) const {
    write_text_file(directory_.file(name), text);
    return {.path = directory_.file(name)};
  }
  TemporaryDirectory directory_;
};

TEST_F(Corpora, SplitsTextAtSeparatorLines) {
  const SourceSpec spec = source(
      "a.txt", "one\nstill one\n<|endoftext|>\r\n\n  two \n<|endoftext|>\n<|endoftext|>\nthree");
  EXPECT_EQ(read_documents(spec), (Documents{"one\nstill one", "two", "three"}));
}

TEST_F(Corpora, CutsTextWithoutSeparatorsAtBlankLines) {
  SourceSpec spec = source("a.md", "aaaa\naaaa\n\nbb\n\ncccccccccc\n\ndd\n");
  spec.document_bytes = 8;
  EXPECT_EQ(read_documents(spec), (Documents{"aaaa\naaaa", "bb\n\ncccccccccc", "dd"}));
}

TEST_F(Corpora, CutsLongParagraphsAtLineEnds) {
  SourceSpec spec = source("a.txt", "111\n222\n333\n444\n555");
  spec.document_bytes = 4;
  EXPECT_EQ(read_documents(spec), (Documents{"111\n222", "333\n444", "555"}));
}

TEST_F(Corpora, ReadsTextFieldsOfJsonLines) {
  SourceSpec spec =
      source("a.jsonl", "{\"body\": \"it’s\"}\n\n{\"body\": \" \"}\n{\"body\": \"b\"}");
  spec.text_field = "body";
  EXPECT_EQ(read_documents(spec), (Documents{"it's", "b"}));
}

TEST_F(Corpora, RendersExchangesAndTurnsAsDialogue) {
  SourceSpec spec =
      source("a.jsonl", R"({"prompt": "Do.\n### Q:\nwhy?\n### A:\n", "response": "so"})");
  spec.records = SourceSpec::Records::exchange;
  spec.prompt_after = "### Q:";
  spec.prompt_before = "### A:";
  spec.dialogue = {"<u>", "\n", "<a>", "</a>\n"};
  EXPECT_EQ(read_documents(spec), Documents{"<u>why?\n<a>so</a>"});

  SourceSpec turns = source("b.jsonl", R"({"turns": ["hi", "hello", "bye"]})");
  turns.records = SourceSpec::Records::turns;
  EXPECT_EQ(read_documents(turns), Documents{"User: hi\nAssistant: hello\nUser: bye"});
}

TEST_F(Corpora, NamesTheLineOfABadRecord) {
  const auto message = [](const SourceSpec& spec) {
    return error_of(ErrorKind::format, [&] { read_documents(spec); });
  };
  const SourceSpec broken = source("a.jsonl", "{\"text\": \"a\"}\n{\"text\": ");
  EXPECT_EQ(message(broken),
            "[" + broken.path + "] line 2: expected a JSON object, got invalid JSON.");
  EXPECT_NE(message(source("b.jsonl", "{\"text\": 3}")).find("field \"text\", got number"),
            std::string::npos);
  EXPECT_NE(message(source("c.jsonl", "{}")).find("a field \"text\", got none"), std::string::npos);
  EXPECT_NE(message(source("d.jsonl", "[1]")).find("got array"), std::string::npos);
}

TEST(HeldOut, IsAboutOneInEveryAndDependsOnTheTextAlone) {
  int held = 0;
  for (int i = 0; i < 10000; ++i) held += is_held_out("document " + std::to_string(i), 20);
  EXPECT_NEAR(held, 500, 80);
  EXPECT_FALSE(is_held_out("document 1", 0));
  EXPECT_TRUE(is_held_out("document 1", 1));
}

}  // namespace
}  // namespace bantam
