#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace bantam {

// Named constants of an operation ("eps", "theta", ...). Keys are string literals. Looking up a key
// that is absent and has no default is an internal error.
class Attributes {
 public:
  using Value = std::variant<int64_t, double, std::string>;

  Attributes() = default;
  Attributes(std::initializer_list<std::pair<std::string_view, Value>> entries)
      : entries_(entries) {}

  void set(std::string_view key, Value value);
  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }
  [[nodiscard]] int64_t integer(std::string_view key) const;
  [[nodiscard]] int64_t integer(std::string_view key, int64_t otherwise) const;
  [[nodiscard]] double real(std::string_view key) const;
  [[nodiscard]] double real(std::string_view key, double otherwise) const;
  [[nodiscard]] const std::string& text(std::string_view key) const;
  [[nodiscard]] const auto& entries() const { return entries_; }
  bool operator==(const Attributes&) const = default;

 private:
  [[nodiscard]] const Value* find(std::string_view key) const;
  std::vector<std::pair<std::string_view, Value>> entries_;
};

}  // namespace bantam
