// Files whose weights are interleaved ahead of time.
#include "runtime/pack.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "base/error.h"
#include "compress/quantize.h"
#include "formats/gguf.h"
#include "runtime/session.h"
#include "tests/tiny_model.h"

namespace bantam {
namespace {

class Pack : public testing::TestWithParam<DType> {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }
  // Through a file and back.
  std::shared_ptr<const Model> stored(const Model& model) {
    save_model(model, path_);
    return std::make_shared<const Model>(load_model(path_));
  }
  std::string path_ = fmt::format("{}/bantam_pack_{}.gguf", testing::TempDir(), getpid());
  ThreadPool pool_{2};
};

std::vector<float> logits(const std::shared_ptr<const Model>& model, bool interleave) {
  EngineOptions options;
  options.interleave = interleave;
  Session session(std::make_shared<Engine>(model, options));
  const std::vector<int32_t> ids{5, 17, 300, 0, 44, 44, 9};
  const auto last = session.feed(ids);
  return {last.begin(), last.end()};
}

TEST_P(Pack, GivesTheBitsOfThePlainFileAndComesBackToItsBytes) {
  const auto model = tiny_model(GetParam());
  const std::vector<float> expected = logits(model, false);
  EXPECT_EQ(logits(model, true), expected);
  const auto packed = stored(pack_model(*model, pool_));
  EXPECT_EQ(packed->weights.at("blk.0.ffn_down.weight").layout(), Layout::interleaved);
  EXPECT_EQ(packed->weight_bytes(), model->weight_bytes());
  EXPECT_EQ(logits(packed, true), expected);
  EXPECT_EQ(logits(packed, false), expected);
  const auto again = stored(unpack_model(*packed));
  for (const auto& [name, weight] : model->weights) {
    const Tensor& w = again->weights.at(name);
    ASSERT_EQ(w.layout(), Layout::rows) << name;
    ASSERT_EQ(w.bytes(), weight.bytes()) << name;
    EXPECT_EQ(std::memcmp(w.data(), weight.data(), static_cast<size_t>(w.bytes())), 0) << name;
  }
}

TEST_P(Pack, IsQuantisedLikeThePlainModel) {
  const auto model = tiny_model(GetParam());
  const Model packed = pack_model(*model, pool_);
  for (const DType type : {GetParam(), DType::q8_0, DType::f16}) {
    QuantizeOptions options;
    options.type = type;
    const QuantizeResult expected = quantize(*model, options), got = quantize(packed, options);
    for (const auto& [name, weight] : expected.model.weights) {
      const Tensor& w = got.model.weights.at(name);
      ASSERT_EQ(w.layout(), Layout::rows) << name;
      ASSERT_EQ(w.bytes(), weight.bytes()) << name;
      EXPECT_EQ(std::memcmp(w.data(), weight.data(), static_cast<size_t>(w.bytes())), 0) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Pack,
                         testing::Values(DType::q8_0, DType::q4_0, DType::q4_k, DType::q5_k,
                                         DType::q6_k, DType::q2_k, DType::q3_k, DType::iq4_nl,
                                         DType::iq4_xs, DType::mxfp4, DType::tq2_0),
                         [](const auto& info) { return std::string(dtype_info(info.param).name); });

// The type numbers of a packed file are none of GGUF's, so that nobody takes it for a plain one.
TEST(PackedFile, HasTypesThatOtherRuntimesDoNotKnow) {
  const std::string path = fmt::format("{}/bantam_packed_{}.gguf", testing::TempDir(), getpid());
  ThreadPool pool(1);
  save_model(pack_model(*tiny_model(DType::q4_0), pool), path);
  const auto file = MappedFile::open(path);
  std::string_view bytes(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  const std::string_view name = "blk.0.ffn_down.weight";
  const size_t at = bytes.find(name);
  ASSERT_NE(at, std::string_view::npos);
  uint32_t rank, type;
  std::memcpy(&rank, bytes.data() + at + name.size(), sizeof rank);
  std::memcpy(&type, bytes.data() + at + name.size() + sizeof rank + 8 * rank, sizeof type);
  EXPECT_EQ(type, kGgufInterleaved + 2);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace bantam
