#include "formats/gguf_writer.h"

#include <gtest/gtest.h>

#include "formats/gguf.h"
#include "formats/test_support.h"

namespace bantam {
namespace {

using test::message_of;

TEST(GgufWriter, WritesTheSameBytesToFileAndMemory) {
  GgufWriter out;
  out.set("general.name", "small");
  out.add_tensor("w", Tensor::from(std::vector<float>{1, 2, 3}, {3}));
  const std::string path = testing::TempDir() + "bantam_gguf_writer_test.gguf";
  out.write(path);
  const std::vector<std::byte> bytes = out.bytes();
  const std::shared_ptr<MappedFile> file = MappedFile::open(path);
  EXPECT_TRUE(std::ranges::equal(file->bytes(), bytes));
  EXPECT_EQ(bytes.size() % 32, 0u);
  std::filesystem::remove(path);
}

TEST(GgufWriter, ReplacesAValueInItsPlace) {
  GgufWriter out;
  out.set("a", uint32_t{1});
  out.set("b", uint32_t{2});
  out.set("a", "text");
  const test::Memory memory(out.bytes());
  const GgufFile file = GgufFile::parse(memory.span(), memory.owner, "memory");
  ASSERT_EQ(file.metadata().size(), 2u);
  EXPECT_EQ(file.metadata()[0].first, "a");
  EXPECT_EQ(file.text("a"), "text");
}

TEST(GgufWriter, TakesTensorsInPieces) {
  GgufWriter out;
  out.add_tensor("lazy", DType::i32, {4, 2}, [](const GgufWriter::Emit& emit) {
    for (int32_t row = 0; row < 4; ++row) {
      const int32_t values[] = {row, -row};
      emit(std::as_bytes(std::span(values)));
    }
  });
  out.add_tensor("after", Tensor::from(std::vector<float>{8}, {1}));
  const test::Memory memory(out.bytes());
  const GgufFile file = GgufFile::parse(memory.span(), memory.owner, "memory");
  EXPECT_EQ(file.tensor("lazy").as<int32_t>()[7], -3);
  EXPECT_EQ(file.tensor("after").as<float>()[0], 8.0f);
}

TEST(GgufWriter, NoticesAProducerThatGivesTooLittleAndLeavesNoFile) {
  GgufWriter out;
  out.add_tensor("short", DType::f32, {2}, [](const GgufWriter::Emit& emit) {
    const float one = 1;
    emit(std::as_bytes(std::span(&one, 1)));
  });
  const std::string path = testing::TempDir() + "bantam_gguf_writer_short.gguf";
  EXPECT_EQ(message_of([&] { out.write(path); }),
            "[gguf writer] tensor \"short\": expected 8 bytes from its producer, got 4");
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(GgufWriter, RefusesWhatOtherReadersWouldRefuse) {
  GgufWriter out;
  const auto error = [&](std::string_view name, DType dtype, const Shape& shape) {
    return message_of([&] { out.add_tensor(name, dtype, shape, [](const auto&) {}); });
  };
  EXPECT_EQ(error("w", DType::f32, {2}), "");
  EXPECT_EQ(error("w", DType::f32, {2}),
            "[gguf writer] tensor \"w\": expected each name once, got it twice");
  EXPECT_NE(error(std::string(64, 'n'), DType::f32, {2}), "");
  EXPECT_EQ(error(std::string(63, 'n'), DType::f32, {2}), "");
  EXPECT_NE(error("", DType::f32, {2}), "");
  EXPECT_EQ(error("q", DType::q4_k, {2, 128}),
            "[gguf writer] tensor \"q\": expected rows of whole q4_k blocks of 256, got [2, 128]");
  EXPECT_NE(error("rank", DType::f32, {1, 1, 1, 1, 2}), "");
  EXPECT_NE(error("empty", DType::f32, {0, 2}), "");
  EXPECT_NE(error("inner", DType::q8a, {32}), "");
  EXPECT_NE(message_of([&] { out.set("", true); }), "");
}

}  // namespace
}  // namespace bantam
