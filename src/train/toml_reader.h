#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace bantam {

// Typed access to one table of a TOML file that remembers which keys were asked for, so that
// misspelt ones can be reported. Errors name the file and the full key.
class TomlReader {
 public:
  TomlReader(const toml::table& table, std::string file, std::string prefix)
      : table_(table), file_(std::move(file)), prefix_(std::move(prefix)) {}

  [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }
  int64_t integer(std::string_view key, int64_t otherwise, int64_t least, int64_t most = INT64_MAX);
  double real(std::string_view key, double otherwise, double least, double most);
  bool boolean(std::string_view key, bool otherwise);
  std::string text(std::string_view key, std::string_view otherwise);
  // The index of the text among the choices.
  size_t choice(std::string_view key, const std::vector<std::string_view>& choices,
                size_t otherwise);
  std::vector<std::string> texts(std::string_view key);
  std::vector<int64_t> integers(std::string_view key);  // one number is an array of one
  // A sub-table; empty if absent.
  TomlReader table(std::string_view key);
  // An array of tables; entries may be plain strings, which become {path = "..."}.
  std::vector<TomlReader> tables(std::string_view key);
  // Throws for the first key that nobody asked for.
  void finish() const;

 private:
  [[noreturn]] void wrong(std::string_view key, std::string_view expected) const;
  const toml::node* find(std::string_view key);

  toml::table table_;
  std::string file_, prefix_;
  std::set<std::string, std::less<>> asked_;
};

}  // namespace bantam
