#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"
#include "data/shards.h"

namespace bantam::data_test {

// A directory that is gone at the end of the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory()
      : path_(std::filesystem::temp_directory_path() /
              ("bantam-data-" + std::to_string(::getpid()) + "-" + std::to_string(count_++))) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  static inline int count_ = 0;
  std::filesystem::path path_;
};

// Tokens first, first + 1, ... cut into documents of 10.
inline std::string counting_shard(const std::string& path, int32_t first, int32_t n,
                                  const ShardVocabulary& vocabulary = {60000, 7}) {
  ShardWriter writer(path, vocabulary);
  for (int32_t begin = 0; begin < n; begin += 10) {
    std::vector<int32_t> document;
    for (int32_t i = begin; i < std::min(begin + 10, n); ++i) document.push_back(first + i);
    writer.add(document);
  }
  writer.finish();
  return path;
}

// The message of the error that `action` throws.
template <typename Action>
std::string error_of(ErrorKind kind, Action action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

}  // namespace bantam::data_test
