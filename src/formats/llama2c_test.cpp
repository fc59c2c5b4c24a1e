#include "formats/llama2c.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <map>

#include "formats/test_support.h"

namespace bantam {
namespace {

using test::Memory;
using test::message_of;
using Bytes = std::vector<std::byte>;

template <typename T>
void put(Bytes& bytes, T value) {
  const auto* raw = reinterpret_cast<const std::byte*>(&value);
  bytes.insert(bytes.end(), raw, raw + sizeof(T));
}

// dim 4, hidden 6, 2 layers, 2 heads, 1 key/value head, vocabulary 3, 5 positions; every float is
// its index in the file's weights.
constexpr int kDim = 4, kHidden = 6, kLayers = 2, kHeads = 2, kKv = 1, kVocab = 3, kSeq = 5;
constexpr int kNorms = kLayers * kDim;
constexpr int kQ = kLayers * kDim * kDim, kK = kLayers * 2 * kDim, kF = kLayers * kHidden * kDim;
constexpr int kTables = kSeq * kDim / kHeads;
constexpr int kFloats = kVocab * kDim + 2 * kNorms + 2 * kQ + 2 * kK + 3 * kF + kDim;

Bytes small_file(bool version1, bool shared) {
  Bytes bytes;
  if (version1) {
    put(bytes, uint32_t{0x616b3432});
    put(bytes, int32_t{1});
  }
  for (const int field :
       {kDim, kHidden, kLayers, kHeads, kKv, version1 || shared ? kVocab : -kVocab, kSeq})
    put(bytes, field);
  if (version1) {
    put(bytes, static_cast<uint8_t>(shared));
    bytes.resize(256);
  }
  const int floats = kFloats + (version1 ? 0 : kTables) + (shared ? 0 : kVocab * kDim);
  for (int i = 0; i < floats; ++i) put(bytes, static_cast<float>(i));
  return bytes;
}

Llama2cModel parse(Bytes bytes) {
  const Memory memory(std::move(bytes));
  return parse_llama2c(memory.span(), memory.owner, "model.bin");
}

std::string parse_error(const Bytes& bytes) {
  return message_of([&] { static_cast<void>(parse(bytes)); });
}

std::map<std::string, Tensor> by_name(const Llama2cModel& model) {
  return {model.tensors.begin(), model.tensors.end()};
}

float first(const Llama2cModel& model, const std::string& name) {
  return by_name(model).at(name).as<float>()[0];
}

TEST(Llama2c, FindsTheWeightsInTheLegacyOrder) {
  const Llama2cModel model = parse(small_file(false, false));
  EXPECT_EQ(model.config, (Llama2cConfig{4, 6, 2, 2, 1, 3, 5, false}));
  EXPECT_EQ(model.tensors.size(), 3u + 2 * 9);
  const int attention = kVocab * kDim;
  const int feed = attention + kNorms + kQ + kK + kK + kQ;
  EXPECT_EQ(first(model, "token_embd.weight"), 0);
  EXPECT_EQ(first(model, "blk.1.attn_norm.weight"), attention + kDim);
  EXPECT_EQ(first(model, "blk.0.attn_k.weight"), attention + kNorms + kQ);
  EXPECT_EQ(first(model, "blk.1.ffn_norm.weight"), feed + kDim);
  EXPECT_EQ(first(model, "blk.0.ffn_down.weight"), feed + kNorms + kF);
  EXPECT_EQ(first(model, "blk.0.ffn_up.weight"), feed + kNorms + 2 * kF);
  EXPECT_EQ(first(model, "output_norm.weight"), kFloats - kDim);
  EXPECT_EQ(first(model, "output.weight"), kFloats + kTables);
  EXPECT_EQ(by_name(model).at("blk.0.attn_k.weight").shape(), Shape({2, 4}));
  EXPECT_EQ(by_name(model).at("blk.0.ffn_down.weight").shape(), Shape({4, 6}));
}

TEST(Llama2c, FindsTheWeightsInTheOrderOfVersion1) {
  const Llama2cModel model = parse(small_file(true, true));
  EXPECT_EQ(model.config, (Llama2cConfig{4, 6, 2, 2, 1, 3, 5, true}));
  EXPECT_EQ(model.tensors.size(), 2u + 2 * 9);
  const int embedding = 2 * kNorms + kDim;
  EXPECT_EQ(first(model, "blk.0.attn_norm.weight"), 0);
  EXPECT_EQ(first(model, "blk.0.ffn_norm.weight"), kNorms);
  EXPECT_EQ(first(model, "output_norm.weight"), 2 * kNorms);
  EXPECT_EQ(first(model, "token_embd.weight"), embedding);
  EXPECT_EQ(first(model, "blk.0.attn_q.weight"), embedding + kVocab * kDim);
  EXPECT_EQ(first(model, "blk.1.ffn_up.weight"), kFloats - kF / 2);
}

TEST(Llama2c, SaysInOneSentenceWhatIsWrong) {
  EXPECT_EQ(parse_error({}), "[llama2.c model.bin] expected a header of 28 bytes, got a file of 0");
  Bytes bytes = small_file(true, true);
  bytes.push_back({});
  EXPECT_EQ(parse_error(bytes),
            "[llama2.c model.bin] expected 1,088 bytes of weights after the header, got 1,089");
  const int32_t version = 2;
  std::memcpy(bytes.data() + 4, &version, 4);
  EXPECT_EQ(parse_error(bytes),
            "[llama2.c model.bin] expected version 1 (float32), got version 2; export the model "
            "with --version 0 or 1");
}

TEST(Llama2c, RefusesSizesThatMakeNoSense) {
  const Bytes good = small_file(false, true);
  const int32_t wrong[] = {0, -1, 7, std::numeric_limits<int32_t>::max(),
                           std::numeric_limits<int32_t>::min()};
  for (size_t field = 0; field < 7; ++field) {
    for (const int32_t value : wrong) {
      Bytes bytes = good;
      std::memcpy(bytes.data() + field * 4, &value, 4);
      EXPECT_NE(parse_error(bytes), "") << "field " << field << " = " << value;
    }
  }
  // All at their largest: the number of floats does not fit 64 bits.
  Bytes bytes = good;
  const int32_t huge[] = {0x7ffffffe, 0x7fffffff, 0x7fffffff, 1, 1, 0x7fffffff, 0x7fffffff};
  std::memcpy(bytes.data(), huge, sizeof(huge));
  EXPECT_NE(parse_error(bytes).find("more than any file"), std::string::npos);
}

TEST(Llama2c, SurvivesTruncationAndBitFlipsOfItsHeader) {
  for (const bool version1 : {false, true}) {
    const Bytes good = small_file(version1, true);
    for (size_t size = 0; size < good.size(); ++size)
      EXPECT_NE(parse_error(Bytes(good.begin(), good.begin() + static_cast<ptrdiff_t>(size))), "");
    for (size_t bit = 0; bit < (version1 ? 256u : 28u) * 8; ++bit) {
      Bytes bytes = good;
      bytes[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
      static_cast<void>(message_of([&] {
        for (const auto& [name, tensor] : parse(bytes).tensors)
          static_cast<void>(tensor.as<const volatile float>()[tensor.shape().elements() - 1]);
      }));
    }
  }
}

TEST(Llama2c, ReadsTheSameWeightsFromBothVersionsOfStories260K) {
  const std::string legacy_path = test::shared_path("data/weights/stories260K/stories260K.bin");
  const std::string version1_path =
      test::shared_path("data/weights/stories260K/stories260K-v1.bin");
  BANTAM_NEEDS(legacy_path);
  BANTAM_NEEDS(version1_path);
  const Llama2cModel legacy = read_llama2c(legacy_path);
  const Llama2cModel version1 = read_llama2c(version1_path);
  EXPECT_EQ(legacy.config, (Llama2cConfig{64, 172, 5, 8, 4, 512, 512, true}));
  EXPECT_EQ(legacy.config, version1.config);
  ASSERT_EQ(legacy.tensors.size(), version1.tensors.size());
  for (size_t i = 0; i < legacy.tensors.size(); ++i) {
    const auto& [name, a] = legacy.tensors[i];
    const auto& [same, b] = version1.tensors[i];
    ASSERT_EQ(name, same);
    ASSERT_EQ(a.shape(), b.shape()) << name;
    EXPECT_EQ(std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())), 0) << name;
  }
}

}  // namespace
}  // namespace bantam
