#pragma once

#include <cstddef>
#include <cstdint>

namespace bantam {

// Zero-filled memory whose pages appear when touched; large arenas ask for huge pages. Executors
// that take turns may share one. Throws ErrorKind::resource if the system has not got the bytes.
class Arena {
 public:
  explicit Arena(int64_t bytes);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  [[nodiscard]] int64_t bytes() const { return static_cast<int64_t>(bytes_); }
  [[nodiscard]] std::byte* at(int64_t offset) const {
    return static_cast<std::byte*>(data_) + offset;
  }

 private:
  void* data_ = nullptr;
  size_t bytes_;
};

}  // namespace bantam
