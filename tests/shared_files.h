#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace bantam::test {

// Files that are too large for the tree: beside the checkout, or where BANTAM_SHARED says.
inline std::string shared_file(const std::string& name) {
  const char* root = std::getenv("BANTAM_SHARED");
  return (root != nullptr ? std::string(root) : BANTAM_SOURCE_DIR "/../shared") + "/" + name;
}

inline std::vector<float> read_floats(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::vector<float> values(std::filesystem::file_size(path) / sizeof(float));
  in.read(reinterpret_cast<char*>(values.data()),
          static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

#define BANTAM_NEED_SHARED(path)                                                         \
  do {                                                                                   \
    if (!std::filesystem::exists(path)) GTEST_SKIP() << "missing shared file: " << path; \
  } while (false)

}  // namespace bantam::test
