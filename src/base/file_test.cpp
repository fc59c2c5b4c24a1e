#include "base/file.h"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zstd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace bantam {
namespace {

class FileTest : public testing::Test {
 protected:
  void SetUp() override {
    const auto* info = testing::UnitTest::GetInstance()->current_test_info();
    directory_ = std::filesystem::path(testing::TempDir()) /
                 (std::string("bantam_") + info->name() + std::to_string(::getpid()));
    std::filesystem::create_directory(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  [[nodiscard]] std::string path(const std::string& name) const { return directory_ / name; }
  [[nodiscard]] size_t files() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(directory_), {}));
  }
  std::filesystem::path directory_;
};

TEST_F(FileTest, TextComesBackAsWritten) {
  write_text_file(path("a"), "first");
  write_text_file(path("a"), "second\n");
  EXPECT_EQ(read_text_file(path("a")), "second\n");
  write_text_file(path("empty"), "");
  EXPECT_EQ(read_text_file(path("empty")), "");
  EXPECT_TRUE(MappedFile::open(path("empty"))->bytes().empty());
  EXPECT_EQ(files(), 2u);
}

TEST_F(FileTest, NothingIsLeftWithoutCommit) {
  write_text_file(path("kept"), "old");
  {
    AtomicFile out(path("kept"));
    out.write("new");
    EXPECT_EQ(read_text_file(path("kept")), "old");
    EXPECT_EQ(files(), 2u);
  }
  EXPECT_EQ(read_text_file(path("kept")), "old");
  EXPECT_EQ(files(), 1u);
}

TEST_F(FileTest, WritesLargerThanTheBufferArriveWhole) {
  std::string text;
  for (int i = 0; i < 400000; ++i) text += std::to_string(i);
  AtomicFile out(path("large"));
  for (size_t at = 0; at < text.size(); at += 77777) {
    out.write(std::string_view(text).substr(at, 77777));
  }
  EXPECT_EQ(out.position(), text.size());
  out.commit();
  EXPECT_EQ(read_text_file(path("large")), text);
}

TEST_F(FileTest, ZstdFilesAreDecompressedAndTruncationIsNoticed) {
  for (const size_t size : {size_t{0}, size_t{10}, ZSTD_DStreamOutSize(), size_t{500000}}) {
    std::string text(size, 'x');
    for (size_t i = 0; i < size; i += 3) text[i] = static_cast<char>('a' + i % 23);
    std::string packed(ZSTD_compressBound(size), '\0');
    packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), size, 3));
    write_text_file(path("t.zst"), packed);
    EXPECT_EQ(read_text_file(path("t.zst")), text);
    write_text_file(path("two.zst"), packed + packed);
    EXPECT_EQ(read_text_file(path("two.zst")), text + text);
    write_text_file(path("cut.zst"), packed.substr(0, packed.size() - 2));
    EXPECT_THROW(read_text_file(path("cut.zst")), Error);
  }
  write_text_file(path("not.zst"), "plain text");
  EXPECT_THROW(read_text_file(path("not.zst")), Error);
}

TEST_F(FileTest, MissingFilesAndDirectoriesAreFileErrorsThatNameThePath) {
  for (const std::string& bad : {path("absent"), directory_.string()}) {
    try {
      MappedFile::open(bad);
      ADD_FAILURE() << "opened " << bad;
    } catch (const Error& e) {
      EXPECT_EQ(e.kind(), ErrorKind::file);
      EXPECT_NE(std::string(e.what()).find(bad), std::string::npos);
    }
  }
  EXPECT_THROW(AtomicFile(path("no/such/folder")), Error);
}

}  // namespace
}  // namespace bantam
