#include "formats/gguf.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "formats/gguf_writer.h"
#include "formats/test_support.h"

namespace bantam {
namespace {

using test::Memory;
using test::message_of;
using Bytes = std::vector<std::byte>;

GgufFile parse(Bytes bytes) {
  const Memory memory(std::move(bytes));
  return GgufFile::parse(memory.span(), memory.owner, "model.gguf");
}

std::string parse_error(const Bytes& bytes) {
  return message_of([&] { static_cast<void>(parse(bytes)); });
}

GgufWriter small_writer() {
  GgufWriter out;
  out.set("general.architecture", "llama");
  out.set("llama.block_count", uint32_t{2});
  out.set("llama.rope.freq_base", 10000.0f);
  out.set("flag", true);
  out.set("tokenizer.ggml.tokens", std::vector<std::string>{"<unk>", "", "\xe2\x96\x81the"});
  out.set("tokenizer.ggml.scores", std::vector<float>{0, -1, -2.5f});
  out.add_tensor("a", Tensor::from(std::vector<float>{1, 2, 3, 4, 5, 6}, {2, 3}));
  out.add_tensor("b", Tensor::zeros(DType::q8_0, {2, 64}));
  return out;
}

template <typename T>
void patch(Bytes& bytes, size_t at, T value) {
  ASSERT_LE(at + sizeof(T), bytes.size());
  std::memcpy(bytes.data() + at, &value, sizeof(T));
}

// Where the name (with its length) of a key or tensor stands, and what follows it.
size_t after(const Bytes& bytes, std::string_view name) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const uint64_t length = name.size();
  std::string wanted(reinterpret_cast<const char*>(&length), 8);
  wanted += name;
  const size_t at = text.find(wanted);
  EXPECT_NE(at, std::string_view::npos);
  return at + wanted.size();
}

TEST(Gguf, NamesTensorsWhoseDataOverlap) {
  Bytes bytes = small_writer().bytes();
  // Extents' count, two extents and the type stand before the offset.
  patch(bytes, after(bytes, "b") + 4 + 2 * 8 + 4, uint64_t{0});
  const std::string error = parse_error(bytes);
  EXPECT_NE(error.find("overlap"), std::string::npos) << error;
  EXPECT_NE(error.find("\"a\""), std::string::npos) << error;
}

// Either parses, and then everything can be asked for, or throws a bantam::Error.
void parse_and_touch(const Bytes& bytes) {
  static_cast<void>(message_of([&] {
    const GgufFile file = parse(bytes);
    for (const auto& [key, value] : file.metadata()) ASSERT_EQ(file.find(key), &value);
    for (const GgufTensor& entry : file.tensors()) {
      if (!entry.dtype) continue;
      const Tensor tensor = file.tensor(entry.name);
      const auto* data = tensor.as<const volatile std::byte>();
      ASSERT_GT(tensor.bytes(), 0);
      static_cast<void>(data[0]);
      static_cast<void>(data[tensor.bytes() - 1]);
    }
  }));
}

TEST(Gguf, ReadsWhatTheWriterWrote) {
  GgufFile file = parse(small_writer().bytes());
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.alignment(), 32u);
  EXPECT_EQ(file.text("general.architecture"), "llama");
  EXPECT_EQ(file.integer("llama.block_count"), 2);
  EXPECT_EQ(file.real("llama.rope.freq_base"), 10000.0);
  EXPECT_TRUE(file.boolean("flag"));
  ASSERT_EQ(file.strings("tokenizer.ggml.tokens").size(), 3u);
  EXPECT_EQ(file.strings("tokenizer.ggml.tokens")[2], "\xe2\x96\x81the");
  EXPECT_EQ(file.reals("tokenizer.ggml.scores"), (std::vector<double>{0, -1, -2.5}));

  ASSERT_EQ(file.tensors().size(), 2u);
  EXPECT_EQ(file.tensors()[1].name, "b");
  const Tensor a = file.tensor("a");
  EXPECT_EQ(a.shape(), Shape({2, 3}));
  EXPECT_EQ(a.as<float>()[5], 6.0f);
  EXPECT_EQ(file.tensor("b").dtype(), DType::q8_0);
}

TEST(Gguf, KeepsEveryMetadataTypeThroughWriterAndReader) {
  const std::vector<GgufFile::Entry> entries = {
      {"u8", uint8_t{255}},
      {"i8", int8_t{-128}},
      {"u16", uint16_t{65535}},
      {"i16", int16_t{-32768}},
      {"u32", std::numeric_limits<uint32_t>::max()},
      {"i32", std::numeric_limits<int32_t>::min()},
      {"f32", 1.5f},
      {"bool", false},
      {"string", std::string("a\0b", 3)},
      {"u64", std::numeric_limits<uint64_t>::max()},
      {"i64", std::numeric_limits<int64_t>::min()},
      {"f64", 0.1},
      {"bools", std::vector<bool>{true, false, true}},
      {"none", std::vector<std::string>{}},
      {"i64s", std::vector<int64_t>{-1, 2}},
      {"nested", std::vector<GgufArray>{std::vector<uint8_t>{1, 2}, std::vector<std::string>{"x"}}},
  };
  GgufWriter out;
  for (const auto& [key, value] : entries) out.set(key, value);
  const GgufFile file = parse(out.bytes());
  ASSERT_EQ(file.metadata().size(), entries.size());
  for (size_t i = 0; i < entries.size(); ++i) EXPECT_EQ(file.metadata()[i], entries[i]);
}

TEST(Gguf, TensorsOutliveTheFileObject) {
  Tensor a;
  {
    const GgufFile file = parse(small_writer().bytes());
    a = file.tensor("a");
  }
  EXPECT_EQ(a.as<float>()[0], 1.0f);
}

TEST(Gguf, NamesKeyAndTypesWhenAValueIsNotWhatWasAsked) {
  const GgufFile file = parse(small_writer().bytes());
  EXPECT_EQ(message_of([&] { static_cast<void>(file.integer("general.architecture")); }),
            "[gguf model.gguf] metadata key \"general.architecture\": expected an integer below "
            "2^63, got string");
  EXPECT_EQ(
      message_of([&] { static_cast<void>(file.strings("tokenizer.ggml.scores")); }),
      "[gguf model.gguf] metadata key \"tokenizer.ggml.scores\": expected an array of string, "
      "got array of f32");
  EXPECT_EQ(message_of([&] { static_cast<void>(file.integer("absent")); }),
            "[gguf model.gguf] expected metadata key \"absent\", found none");
  EXPECT_EQ(message_of([&] { static_cast<void>(file.tensor("absent")); }),
            "[gguf model.gguf] expected tensor \"absent\", found none");
  // A default stands in for an absent key, not for a wrong type.
  EXPECT_EQ(file.integer("absent", 7), 7);
  EXPECT_NE(message_of([&] { static_cast<void>(file.integer("flag", 7)); }), "");
}

TEST(Gguf, TakesASingleNumberForAnArrayOfOne) {
  const GgufFile file = parse(small_writer().bytes());
  EXPECT_EQ(file.integers("llama.block_count"), std::vector<int64_t>{2});
  EXPECT_EQ(file.reals("llama.rope.freq_base"), std::vector<double>{10000.0});
}

TEST(Gguf, ReadsVersion2) {
  Bytes bytes = small_writer().bytes();
  patch(bytes, 4, uint32_t{2});
  EXPECT_EQ(parse(bytes).version(), 2u);
}

TEST(Gguf, RefusesOtherFilesAndVersionsInOneSentence) {
  Bytes bytes = small_writer().bytes();
  patch(bytes, 4, uint32_t{1});
  EXPECT_EQ(parse_error(bytes), "[gguf model.gguf] header: expected version 2 or 3, got 1");
  patch(bytes, 4, uint32_t{0x03000000});
  EXPECT_EQ(parse_error(bytes),
            "[gguf model.gguf] header: expected a little-endian file, got a big-endian one");
  patch(bytes, 0, uint32_t{0x04034b50});
  EXPECT_EQ(parse_error(bytes),
            "[gguf model.gguf] header: expected the magic bytes \"GGUF\", got \"PK\\x03\\x04\"");
  EXPECT_EQ(parse_error({}),
            "[gguf model.gguf] header: expected 4 bytes at offset 0, but the file ends at 0");
}

TEST(Gguf, RefusesAbsurdCountsBeforeItAllocates) {
  const Bytes good = small_writer().bytes();
  const uint64_t absurd[] = {uint64_t{1} << 20, uint64_t{1} << 40, ~uint64_t{0}};
  for (const uint64_t count : absurd) {
    for (const size_t at :
         {size_t{8}, size_t{16}, after(good, "tokenizer.ggml.tokens") + 8,
          after(good, "tokenizer.ggml.scores") + 8, after(good, "general.architecture") + 4}) {
      Bytes bytes = good;
      patch(bytes, at, count);
      EXPECT_NE(parse_error(bytes), "") << "offset " << at;
    }
  }
}

TEST(Gguf, RefusesTensorsThatLieOutsideTheFile) {
  Bytes bytes = small_writer().bytes();
  const size_t entry = after(bytes, "a");
  const size_t offset = entry + 4 + 2 * 8 + 4;
  patch(bytes, offset, uint64_t{18446744073709551584u});
  EXPECT_EQ(parse_error(bytes),
            "[gguf model.gguf] tensor \"a\": offset 18446744073709551584 lies outside the file (" +
                std::to_string(bytes.size()) + " bytes)");
  patch(bytes, offset, uint64_t{4});
  EXPECT_EQ(parse_error(bytes),
            "[gguf model.gguf] tensor \"a\": expected an offset that is a multiple of 32, got 4");
  patch(bytes, offset, uint64_t{0});
  patch(bytes, entry + 4, uint64_t{1000000});  // the innermost extent
  EXPECT_NE(parse_error(bytes).find("tensor \"a\": 8,000,000 bytes at offset"), std::string::npos)
      << parse_error(bytes);
}

TEST(Gguf, RefusesShapesThatOverflow) {
  Bytes bytes = small_writer().bytes();
  const size_t entry = after(bytes, "a");
  patch(bytes, entry + 4, uint64_t{1} << 62);
  patch(bytes, entry + 12, uint64_t{1} << 62);
  EXPECT_NE(parse_error(bytes).find("is larger than any file"), std::string::npos);
  patch(bytes, entry + 4, uint64_t{1} << 63);
  EXPECT_NE(parse_error(bytes).find("expected extents of"), std::string::npos);
  patch(bytes, entry + 4, uint64_t{0});
  EXPECT_NE(parse_error(bytes).find("expected extents of"), std::string::npos);
  patch(bytes, entry, uint32_t{5});
  EXPECT_EQ(parse_error(bytes),
            "[gguf model.gguf] tensor \"a\": expected at most 4 dimensions, got 5");
}

TEST(Gguf, RefusesRowsOfBrokenBlocks) {
  Bytes bytes = small_writer().bytes();
  patch(bytes, after(bytes, "b") + 4, uint64_t{33});
  EXPECT_EQ(
      parse_error(bytes),
      "[gguf model.gguf] tensor \"b\": expected rows of whole q8_0 blocks of 32, got a row of "
      "33");
}

TEST(Gguf, RefusesNamesGivenTwice) {
  Bytes bytes = small_writer().bytes();
  patch(bytes, after(bytes, "b") - 1, 'a');
  EXPECT_EQ(parse_error(bytes),
            "[gguf model.gguf] tensor \"a\": expected each name once, got it twice");

  GgufWriter out;
  out.set("x", true);
  out.set("y", true);
  bytes = out.bytes();
  patch(bytes, after(bytes, "y") - 1, 'x');
  EXPECT_EQ(parse_error(bytes),
            "[gguf model.gguf] metadata key \"x\": expected each key once, got it twice");
}

TEST(Gguf, RefusesAlignmentsThatAreNoPowerOfTwo) {
  GgufWriter out;
  out.set("general.alignment", uint32_t{64});
  out.add_tensor("a", Tensor::zeros(DType::f32, {3}));
  out.add_tensor("b", Tensor::zeros(DType::f32, {3}));
  Bytes bytes = out.bytes();
  const GgufFile file = parse(bytes);
  EXPECT_EQ(file.alignment(), 64u);
  EXPECT_EQ(file.tensors()[1].offset % 64, 0u);
  for (const uint32_t wrong : {0u, 4u, 48u, 1u << 31}) {
    patch(bytes, after(bytes, "general.alignment") + 4, wrong);
    EXPECT_NE(parse_error(bytes).find("expected a power of two"), std::string::npos);
  }
}

TEST(Gguf, ListsTensorsOfUnknownTypesAndRefusesOnlyThese) {
  Bytes bytes = small_writer().bytes();
  const size_t type = after(bytes, "a") + 4 + 2 * 8;
  patch(bytes, type, uint32_t{77});
  {
    const GgufFile file = parse(bytes);
    ASSERT_EQ(file.tensors().size(), 2u);
    EXPECT_EQ(file.tensors()[0].type, 77u);
    EXPECT_EQ(file.tensor("b").shape(), Shape({2, 64}));
    EXPECT_EQ(message_of([&] { static_cast<void>(file.tensor("a")); }),
              "[gguf model.gguf] tensor \"a\": expected a supported type, got an unknown one (GGUF "
              "type 77)");
  }
  patch(bytes, type, uint32_t{25});  // i16: in the specification, of no use here
  EXPECT_EQ(parse(bytes).tensors()[0].bytes, 12u);
  EXPECT_EQ(message_of([&] { static_cast<void>(parse(bytes).tensor("a")); }),
            "[gguf model.gguf] tensor \"a\": expected a supported type, got i16 (GGUF type 25)");
}

TEST(Gguf, LimitsHowDeepArraysNest) {
  GgufArray array = std::vector<uint8_t>{1};
  for (int depth = 1; depth < kGgufArrayDepth; ++depth) array = std::vector<GgufArray>{array};
  GgufWriter out;
  out.set("deep", array);
  Bytes bytes = out.bytes();
  EXPECT_EQ(parse(bytes).metadata()[0].second, GgufValue(array));
  // One level more: the innermost u8 array becomes an empty array of arrays with bytes to spare.
  out.set("deep", std::vector<GgufArray>{array});
  EXPECT_NE(message_of([&] { static_cast<void>(out.bytes()); }), "");

  const auto put = [&](auto number) {
    const auto* raw = reinterpret_cast<const std::byte*>(&number);
    bytes.insert(bytes.end(), raw, raw + sizeof(number));
  };
  bytes.resize(after(bytes, "deep"));
  for (int i = 0; i < 100000; ++i) {
    put(uint32_t{9});
    if (i > 0) put(uint64_t{1});
  }
  EXPECT_NE(parse_error(bytes).find("nested at most"), std::string::npos);
}

TEST(Gguf, SurvivesTruncationAtEveryByte) {
  const Bytes good = small_writer().bytes();
  const GgufFile whole = parse(good);
  // Whatever stands before the last byte of the last tensor is needed.
  const uint64_t needed = whole.tensors()[1].offset + whole.tensors()[1].bytes;
  for (size_t size = 0; size < needed; ++size)
    EXPECT_NE(parse_error(Bytes(good.begin(), good.begin() + static_cast<ptrdiff_t>(size))), "")
        << "cut to " << size << " bytes";
}

TEST(Gguf, SurvivesEveryBitFlip) {
  const Bytes good = small_writer().bytes();
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes bytes = good;
    bytes[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
    parse_and_touch(bytes);
  }
}

TEST(Gguf, KnowsTheSizesOfTheTypesThatBantamComputesWith) {
  for (uint32_t id = 0; id < 256; ++id) {
    const std::optional<DType> dtype = dtype_from_gguf(id);
    if (!dtype) continue;
    const GgufTensorType* type = gguf_tensor_type(id);
    ASSERT_NE(type, nullptr) << id;
    EXPECT_EQ(type->name, dtype_info(*dtype).name);
    EXPECT_EQ(type->block_length, dtype_info(*dtype).block_length);
    EXPECT_EQ(type->block_bytes, dtype_info(*dtype).block_bytes);
  }
}

TEST(Gguf, ReadsALlamaWrittenByAnotherRuntime) {
  const std::string path = test::shared_path("fixtures/architectures/llama.gguf");
  BANTAM_NEEDS(path);
  const GgufFile file = GgufFile::open(path);
  EXPECT_EQ(file.text("general.architecture"), "llama");
  const int64_t width = file.integer("llama.embedding_length");
  EXPECT_EQ(file.strings("tokenizer.ggml.tokens").size(), 320u);
  EXPECT_EQ(file.tensor("token_embd.weight").shape(), Shape({320, width}));
  for (const GgufTensor& entry : file.tensors())
    EXPECT_EQ(static_cast<uint64_t>(file.tensor(entry.name).bytes()), entry.bytes) << entry.name;
}

TEST(Gguf, ReadsEveryTypeThatAnotherRuntimeWrites) {
  const std::string folder = test::shared_path("fixtures/types");
  BANTAM_NEEDS(folder);
  int files = 0;
  for (const auto& found : std::filesystem::directory_iterator(folder)) {
    if (found.path().extension() != ".gguf") continue;
    const GgufFile file = GgufFile::open(found.path().string());
    EXPECT_EQ(file.text("general.architecture"), "llama");
    for (const GgufTensor& entry : file.tensors()) {
      // Known sizes put each tensor right before the next one.
      EXPECT_GT(entry.bytes, 0u) << found.path() << " " << entry.name;
      if (&entry == &file.tensors().back()) continue;
      const uint64_t end = entry.offset + entry.bytes;
      EXPECT_LT((&entry + 1)->offset - end, 32u) << found.path() << " " << entry.name;
    }
    ++files;
  }
  EXPECT_GT(files, 0);
}

TEST(Gguf, CopiesAFileOfAnotherRuntimeWithoutLoss) {
  const std::string path = test::shared_path("fixtures/architectures/llama.gguf");
  BANTAM_NEEDS(path);
  const GgufFile file = GgufFile::open(path);
  GgufWriter out;
  for (const auto& [key, value] : file.metadata()) out.set(key, value);
  for (const GgufTensor& entry : file.tensors())
    out.add_tensor(entry.name, file.tensor(entry.name));
  const std::shared_ptr<MappedFile> original = MappedFile::open(path);
  const Bytes copy = out.bytes();
  ASSERT_EQ(copy.size(), original->bytes().size());
  EXPECT_EQ(std::memcmp(copy.data(), original->bytes().data(), copy.size()), 0);
}

}  // namespace
}  // namespace bantam
