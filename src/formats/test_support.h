#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace bantam::test {

// Files too large for the repository; tests that want one skip where it is absent.
inline std::string shared_path(const std::string& relative) {
  const char* root = std::getenv("BANTAM_SHARED");
  return (root ? std::string(root) : std::string(BANTAM_SOURCE_DIR "/../shared")) + "/" + relative;
}

#define BANTAM_NEEDS(path)                                                            \
  do {                                                                                \
    if (!std::filesystem::exists((path))) GTEST_SKIP() << "missing file: " << (path); \
  } while (false)

// Bytes with shared ownership, as the parsers want them.
struct Memory {
  std::shared_ptr<std::vector<std::byte>> owner;
  explicit Memory(std::vector<std::byte> bytes)
      : owner(std::make_shared<std::vector<std::byte>>(std::move(bytes))) {}
  [[nodiscard]] std::span<const std::byte> span() const { return *owner; }
};

// Runs `action` and gives the message of the bantam::Error that it throws, or "" if none.
template <typename F>
std::string message_of(F&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace bantam::test
