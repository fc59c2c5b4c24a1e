#include "formats/safetensors.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "formats/test_support.h"

namespace bantam {
namespace {

using test::Memory;
using test::message_of;

Memory file_with(const std::string& header, size_t data_bytes, uint64_t claimed = 0) {
  std::vector<std::byte> bytes;
  bytes.reserve(8 + header.size() + data_bytes);
  const uint64_t size = claimed != 0 ? claimed : header.size();
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<std::byte>(size >> (8 * i) & 0xFF));
  for (const char c : header) bytes.push_back(static_cast<std::byte>(c));
  bytes.resize(bytes.size() + data_bytes);
  return Memory(std::move(bytes));
}

std::string error_of(const std::string& header, size_t data_bytes, uint64_t claimed = 0) {
  const Memory m = file_with(header, data_bytes, claimed);
  return message_of([&] { (void)SafetensorsFile::parse(m.span(), m.owner, "x"); });
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    path_ =
        (std::filesystem::temp_directory_path() / fmt::format("bantam-st-{}", ::getpid())).string();
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Tensor numbers(std::initializer_list<float> values) {
  const std::vector<float> v(values);
  return Tensor::from(v, Shape{static_cast<int64_t>(v.size())});
}

TEST(Safetensors, WhatIsWrittenIsReadBack) {
  const TemporaryFolder folder;
  const std::string path = folder.file("model.safetensors");
  const Tensor a = numbers({1, 2, 3});
  const Tensor b = numbers({0.5F, -4}).to(DType::bf16).reshaped({2, 1});
  write_safetensors(path, {{"z", a}, {"a.weight", b}});
  const auto file = SafetensorsFile::open(path);
  ASSERT_EQ(file.entries().size(), 2u);
  const Tensor z = file.tensor("z");
  EXPECT_EQ(z.as<float>()[2], 3.0F);
  const Tensor w = file.tensor("a.weight");
  EXPECT_EQ(w.shape(), (Shape{2, 1}));
  EXPECT_EQ(w.dtype(), DType::bf16);
  EXPECT_EQ(w.to(DType::f32).as<float>()[1], -4.0F);
  EXPECT_EQ(file.find("b"), nullptr);
  EXPECT_THROW((void)file.tensor("b"), Error);
  EXPECT_THROW(write_safetensors(path, {{"z", a}, {"z", a}}), Error);
}

TEST(Safetensors, AnIndexNamesTheShards) {
  const TemporaryFolder folder;
  write_safetensors(folder.file("one.safetensors"), {{"a", numbers({1})}});
  write_safetensors(folder.file("two.safetensors"), {{"b", numbers({2})}});
  const std::string index = folder.file("model.safetensors.index.json");
  write_text_file(index, R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
  const auto all = SafetensorsFolder::open(folder.path());
  EXPECT_EQ(all.names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(all.tensor("b").as<float>()[0], 2.0F);
  write_text_file(index, R"({"weight_map":{"a":"two.safetensors","b":"two.safetensors"}})");
  EXPECT_NE(message_of([&] {
              (void)SafetensorsFolder::open(folder.path());
            }).find("expected tensor \"a\" in two.safetensors"),
            std::string::npos);
  write_text_file(index, R"({"weight_map":{"a":"../one.safetensors"}})");
  EXPECT_NE(message_of([&] {
              (void)SafetensorsFolder::open(folder.path());
            }).find("weight_map.a: expected the name of a file"),
            std::string::npos);
}

TEST(Safetensors, AnIndexNamesAllThatTheShardsHold) {
  const TemporaryFolder folder;
  write_safetensors(folder.file("one.safetensors"), {{"a", numbers({1})}, {"b", numbers({2})}});
  const auto error = [&](const std::string& index) {
    write_text_file(folder.file("model.safetensors.index.json"), index);
    return message_of([&] { (void)SafetensorsFolder::open(folder.path()); });
  };
  EXPECT_EQ(error(R"({"weight_map":{"a":"one.safetensors","b":"one.safetensors"}})"), "");
  EXPECT_NE(error(R"({"weight_map":{"a":"one.safetensors"}})")
                .find("weight_map: expected one.safetensors for tensor \"b\", which it holds, got "
                      "nothing"),
            std::string::npos);
  write_safetensors(folder.file("two.safetensors"), {{"b", numbers({3})}});
  EXPECT_NE(error(R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})")
                .find("expected one.safetensors for tensor \"b\", which it holds, got "
                      "two.safetensors"),
            std::string::npos);
  EXPECT_NE(error(R"({"weight_map":{"a":"one.safetensors\u0000x"}})")
                .find("weight_map.a: expected the name of a file"),
            std::string::npos);
}

TEST(Safetensors, DataThatIsNotAlignedIsCopied) {
  const Memory m = file_with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}} )", 4);
  const auto file = SafetensorsFile::parse(m.span(), m.owner, "x");
  EXPECT_EQ(file.tensor("a").as<float>()[0], 0.0F);
}

TEST(Safetensors, TypesThatBantamLacksAreListedButNotRead) {
  const Memory m = file_with(R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})", 8);
  const auto file = SafetensorsFile::parse(m.span(), m.owner, "x");
  EXPECT_FALSE(file.find("a")->dtype);
  EXPECT_NE(message_of([&] { (void)file.tensor("a"); }).find("got I64"), std::string::npos);
}

TEST(Safetensors, EveryFaultIsNamed) {
  EXPECT_NE(error_of("", 0, 5).find("expected a header within"), std::string::npos);
  EXPECT_NE(error_of(R"({"a":{"dtype":"I8","shape":[4],"data_offsets":[0,4]},
                         "a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
                     4)
                .find("tensor \"a\": expected one description, got two"),
            std::string::npos);
  EXPECT_NE(error_of("{}", 0, ~uint64_t{0}).find("expected a header within"), std::string::npos);
  EXPECT_NE(error_of("[]", 0).find("expected an object of tensors"), std::string::npos);
  EXPECT_NE(error_of("{", 0).find("expected JSON"), std::string::npos);
  EXPECT_EQ(error_of("{}", 3), "[x] expected 10 bytes, got 13");
  const auto entry = [](const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
    return error_of(fmt::format(R"({{"a":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype,
                                shape, offsets),
                    4);
  };
  EXPECT_EQ(entry("F32", "[1]", "[0,4]"), "");
  EXPECT_NE(entry("Q9", "[1]", "[0,4]").find("a.dtype"), std::string::npos);
  EXPECT_NE(entry("F32", "[-1]", "[0,4]").find("a.shape[0]"), std::string::npos);
  EXPECT_NE(entry("F32", "[9007199254740992,9007199254740992]", "[0,4]").find("a.shape"),
            std::string::npos);
  EXPECT_NE(entry("F32", "4", "[0,4]").find("a.shape: expected an array of extents, got 4"),
            std::string::npos);
  EXPECT_NE(entry("F32", "[[1]]", "[0,4]").find("a.shape[0]: expected an integer, got an array"),
            std::string::npos);
  EXPECT_NE(entry("I8", "[1,2]", "[0,4]")
                .find("a.data_offsets: expected 2 bytes for I8 of shape [1, 2], got 4"),
            std::string::npos);
  EXPECT_NE(entry("F32", "[1]", "[4]").find("got an array of 1"), std::string::npos);
  EXPECT_NE(entry("F32", "[2]", "[0,4]").find("expected 8 bytes for F32"), std::string::npos);
  EXPECT_NE(entry("F32", "[1]", "[1,5]").find("a.data_offsets[1]"), std::string::npos);
  EXPECT_NE(entry("F32", "[1]", "[4,0]").find("a.data_offsets[1]"), std::string::npos);
  EXPECT_NE(entry("F32", "[1]", "[4]").find("a begin and an end"), std::string::npos);
  EXPECT_NE(entry("I8", "[1]", "[2,3]").find("expected data at offset"), std::string::npos);
}

}  // namespace
}  // namespace bantam
