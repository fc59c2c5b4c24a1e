#include "tensor/tensor.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "base/error.h"
#include "tensor/attributes.h"

namespace bantam {
namespace {

TEST(Shape, CountsElementsAndRows) {
  EXPECT_EQ(Shape().elements(), 1);
  EXPECT_EQ(Shape().rows(), 1);
  const Shape shape{2, 3, 4};
  EXPECT_EQ(shape.elements(), 24);
  EXPECT_EQ(shape.rows(), 6);
  EXPECT_EQ(shape[-1], 4);
  EXPECT_EQ(shape.str(), "[2, 3, 4]");
  EXPECT_TRUE(shape == (Shape{2, 3, 4}));
  EXPECT_FALSE(shape == (Shape{2, 3}));
  EXPECT_EQ((Shape{0, 4}).elements(), 0);
}

TEST(Tensor, ZerosAreZeroAlignedAndShared) {
  const Tensor a = Tensor::zeros(DType::f32, {3, 5});
  EXPECT_EQ(reinterpret_cast<uintptr_t>(a.data()) % 64, 0u);
  const Tensor b = a, c = a.clone();
  a.as<float>()[14] = 7.0f;
  EXPECT_EQ(b.as<float>()[14], 7.0f);
  EXPECT_EQ(c.as<float>()[14], 0.0f);
  EXPECT_TRUE(Tensor::zeros(DType::f32, {0, 5}).defined());
  EXPECT_FALSE(Tensor().defined());
}

TEST(Tensor, ConvertsThroughFloatAcrossManyPieces) {
  std::vector<float> values(100 * 96);
  std::iota(values.begin(), values.end(), -4000.0f);
  for (float& v : values) v = static_cast<float>(static_cast<int>(v) % 120);
  const Tensor x = Tensor::from(values, {100, 96});
  const Tensor back = x.to(DType::bf16).to(DType::f32);
  for (size_t i = 0; i < values.size(); ++i) ASSERT_EQ(back.as<float>()[i], values[i]);
  EXPECT_EQ(x.to(DType::q8_0).bytes(), 100 * 3 * 34);
}

TEST(Tensor, RowsThatCutABlockAreRefused) {
  EXPECT_THROW(Tensor::zeros(DType::q8_0, {2, 40}), Error);
  EXPECT_THROW(Tensor::zeros(DType::q4_k, {8, 32}), Error);
  const Tensor x = Tensor::zeros(DType::q8_0, {2, 64});
  EXPECT_THROW(static_cast<void>(x.reshaped({8, 16})), Error);
  EXPECT_THROW(static_cast<void>(x.reshaped({2, 96})), Error);
  EXPECT_EQ(x.reshaped({4, 32}).data(), x.data());
}

TEST(Tensor, WrapKeepsTheOwnerAlive) {
  auto owner = std::make_shared<std::vector<float>>(4, 2.0f);
  const std::weak_ptr<std::vector<float>> watch = owner;
  Tensor x = Tensor::wrap(DType::f32, {4}, owner->data(), owner);
  owner.reset();
  EXPECT_EQ(x.as<float>()[3], 2.0f);
  x = Tensor();
  EXPECT_TRUE(watch.expired());
}

TEST(Attributes, LookUpsFindWhatWasSetAndDefaultsFillIn) {
  Attributes a{{"eps", 1e-5}, {"axis", int64_t{2}}, {"mode", std::string("causal")}};
  EXPECT_EQ(a.real("eps"), 1e-5);
  EXPECT_EQ(a.integer("axis"), 2);
  EXPECT_EQ(a.real("axis"), 2.0);
  EXPECT_EQ(a.text("mode"), "causal");
  EXPECT_EQ(a.integer("absent", 9), 9);
  EXPECT_EQ(a.real("absent", 0.5), 0.5);
  a.set("axis", int64_t{3});
  EXPECT_EQ(a.integer("axis"), 3);
  EXPECT_EQ(a.entries().size(), 3u);
  EXPECT_THROW(static_cast<void>(a.integer("absent")), Error);
  EXPECT_THROW(static_cast<void>(a.integer("mode")), Error);
}

}  // namespace
}  // namespace bantam
