#include "formats/gguf_split.h"

#include <gtest/gtest.h>

#include "base/file.h"
#include "formats/gguf.h"
#include "formats/test_support.h"

namespace bantam {
namespace {

namespace fs = std::filesystem;
using test::message_of;

GgufWriter model() {
  GgufWriter out;
  out.set("general.architecture", "llama");
  out.set("general.alignment", uint32_t{64});
  for (int i = 0; i < 5; ++i) {
    const std::vector<float> numbers(16, static_cast<float>(i));  // 64 bytes
    out.add_tensor(fmt::format("t{}", i), Tensor::from(numbers, {16}));
  }
  return out;
}

class SplitModel : public testing::Test {
 protected:
  SplitModel()
      : folder_(fs::path(testing::TempDir()) / fmt::format("bantam_split_{}", ::getpid())) {
    fs::create_directories(folder_);
    names_ = write_gguf_parts(model(), path("m.gguf"), 128);
  }
  ~SplitModel() override { fs::remove_all(folder_); }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] std::string error(size_t part) const {
    return message_of([&] { static_cast<void>(GgufFile::open(names_[part])); });
  }
  // Writes part 2 anew with other values of its keys.
  void change(const std::string& key, const GgufValue& value) {
    GgufWriter out = model().split(128)[1];
    out.set(key, value);
    out.write(names_[1]);
  }

  fs::path folder_;
  std::vector<std::string> names_;
};

TEST_F(SplitModel, IsOneModelByTheNameOfAnyPart) {
  const std::vector<std::string> expected = {
      path("m-00001-of-00003.gguf"), path("m-00002-of-00003.gguf"), path("m-00003-of-00003.gguf")};
  EXPECT_EQ(names_, expected);
  for (const std::string& name : names_) {
    const GgufFile file = GgufFile::open(name);
    ASSERT_EQ(file.tensors().size(), 5u);
    EXPECT_EQ(file.alignment(), 64u);
    for (int i = 0; i < 5; ++i) {
      EXPECT_EQ(file.tensor(fmt::format("t{}", i)).as<float>()[15], static_cast<float>(i));
    }
    EXPECT_EQ(file.text("general.architecture"), "llama");
    EXPECT_EQ(file.find("split.count"), nullptr);
  }
}

TEST_F(SplitModel, TensorsOutliveTheFile) {
  const Tensor t = GgufFile::open(names_[0]).tensor("t4");
  EXPECT_EQ(t.as<float>()[0], 4.0f);
}

TEST_F(SplitModel, IsOneFileWhereThatIsEnough) {
  const std::string whole = path("whole.gguf");
  EXPECT_EQ(write_gguf_parts(model(), whole, 320), std::vector<std::string>{whole});
  EXPECT_EQ(GgufFile::open(whole).tensors().size(), 5u);
  EXPECT_EQ(write_gguf_parts(model(), path("tiny.gguf"), 1).size(), 5u);
}

TEST_F(SplitModel, MayHaveOnePartOnly) {
  GgufWriter one = model();
  one.set("split.count", uint16_t{1});
  one.write(path("one.gguf"));
  const GgufFile file = GgufFile::open(path("one.gguf"));
  EXPECT_EQ(file.find("split.count"), nullptr);
  EXPECT_EQ(file.text("general.architecture"), "llama");
  EXPECT_EQ(file.tensor("t3").as<float>()[0], 3.0f);
}

TEST_F(SplitModel, NamesAMissingPart) {
  fs::remove(names_[2]);
  EXPECT_NE(error(0).find("m-00003-of-00003.gguf] expected part 3 of 3"), std::string::npos)
      << error(0);
}

TEST_F(SplitModel, NamesPartsThatDoNotBelongTogether) {
  change("split.count", uint16_t{2});
  EXPECT_NE(error(0).find("split.count: expected 3 in part 2 of 3, got 2"), std::string::npos);
  change("split.no", uint16_t{2});
  EXPECT_NE(error(2).find("split.no: expected 1 in part 2 of 3, got 2"), std::string::npos);
  change("split.tensors.count", int32_t{9});
  EXPECT_NE(error(0).find("split.tensors.count: expected 5 in part 2"), std::string::npos);
  change("split.count", "three");
  EXPECT_NE(error(0).find("split.count"), std::string::npos) << error(0);
}

TEST_F(SplitModel, NamesAPartThatTakesItselfForTheWhole) {
  GgufWriter alone = model().split(128)[0];
  alone.set("split.count", uint16_t{1});
  alone.write(names_[0]);
  EXPECT_NE(error(0).find("split.count: expected 3, as the name says, got 1"), std::string::npos)
      << error(0);
  GgufWriter numbered;
  numbered.set("split.no", uint16_t{1});
  numbered.write(names_[1]);
  EXPECT_NE(error(1).find("expected metadata key \"split.count\", found none"), std::string::npos)
      << error(1);
}

TEST_F(SplitModel, NamesTensorsThatAreTwiceThereOrMissing) {
  GgufWriter twice = model().split(128)[1];
  twice.add_tensor("t0", Tensor::zeros(DType::f32, {16}));
  twice.write(names_[1]);
  EXPECT_NE(error(0).find("tensor \"t0\": expected it in one part, found it in parts 1 and 2"),
            std::string::npos)
      << error(0);
  GgufWriter fewer = model().split(64)[2];  // one tensor less
  fewer.set("split.no", uint16_t{1});
  fewer.set("split.count", uint16_t{3});
  fewer.write(names_[1]);
  EXPECT_NE(error(0).find("split.tensors.count: expected 5 in 3 parts, found 4"), std::string::npos)
      << error(0);
}

TEST_F(SplitModel, AsksForANameThatTellsThePart) {
  fs::rename(names_[1], path("second.gguf"));
  names_[1] = path("second.gguf");
  EXPECT_NE(error(1).find("part 2 of a model in 3 parts: expected a name that ends with "
                          "\"-00002-of-00003.gguf\""),
            std::string::npos)
      << error(1);
}

TEST(GgufPartNames, TakesOnlyNamesOfParts) {
  EXPECT_EQ(gguf_part_names("a-00002-of-00002.gguf"),
            (std::vector<std::string>{"a-00001-of-00002.gguf", "a-00002-of-00002.gguf"}));
  for (const char* other : {"a.gguf", "a-00003-of-00002.gguf", "a-1-of-2.gguf", "-of-00002.gguf",
                            "a-00000-of-00000.gguf", "a-00001-of-00002.bin", "00001-of-00002.gguf"})
    EXPECT_EQ(gguf_part_names(other), std::vector<std::string>{other}) << other;
}

}  // namespace
}  // namespace bantam
