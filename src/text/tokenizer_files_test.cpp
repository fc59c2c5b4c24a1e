#include "text/tokenizer_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "text/tokenizer.h"

namespace bantam {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<int32_t>;

class TokenizerFolder : public testing::Test {
 protected:
  TokenizerFolder()
      : folder_(fs::temp_directory_path() / fmt::format("bantam-tokenizer-{}", ::getpid())) {
    fs::create_directories(folder_);
  }
  ~TokenizerFolder() override { fs::remove_all(folder_); }
  void write(const std::string& name, const std::string& text) const {
    write_text_file(folder_ / name, text);
  }
  [[nodiscard]] std::unique_ptr<Tokenizer> open() const {
    return make_tokenizer(read_folder_tokenizer(folder_), "folder");
  }

  fs::path folder_;
};

TEST_F(TokenizerFolder, WordPiecesMayStandInALineEach) {
  write("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n##s\nworld\r\n");
  const auto tokenizer = open();
  EXPECT_EQ(tokenizer->encode("Hellos world"), (Ids{2, 5, 6, 7, 3}));
  EXPECT_EQ(tokenizer->encode("worlds ?"), (Ids{2, 7, 6, 1, 3}));
  EXPECT_EQ(tokenizer->type(4), TokenType::control);
  write("tokenizer_config.json", R"({"do_lower_case":false})");
  EXPECT_EQ(open()->encode("Hello hello"), (Ids{2, 1, 5, 3}));
}

TEST_F(TokenizerFolder, WithoutAFileSaysWhichWouldDo) {
  try {
    (void)open();
    FAIL() << "expected an error";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("vocab.txt"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace bantam
