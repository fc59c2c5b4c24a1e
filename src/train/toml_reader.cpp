#include "train/toml_reader.h"

#include <sstream>

#include "base/error.h"

namespace bantam {

const toml::node* TomlReader::find(std::string_view key) {
  asked_.emplace(key);
  return table_.get(key);
}

void TomlReader::wrong(std::string_view key, std::string_view expected) const {
  std::ostringstream got;
  if (const toml::node* node = table_.get(key)) {
    node->visit([&](const auto& value) { got << value; });
  } else {
    got << "nothing";
  }
  fail(ErrorKind::usage, file_, "{}{}: expected {}, got {}", prefix_, key, expected, got.str());
}

int64_t TomlReader::integer(std::string_view key, int64_t otherwise, int64_t least, int64_t most) {
  const toml::node* node = find(key);
  if (node == nullptr) return otherwise;
  const auto value = node->value_exact<int64_t>();
  if (!value || *value < least || *value > most) {
    wrong(key, most == INT64_MAX ? fmt::format("a whole number of at least {}", least)
                                 : fmt::format("a whole number from {} to {}", least, most));
  }
  return *value;
}

double TomlReader::real(std::string_view key, double otherwise, double least, double most) {
  const toml::node* node = find(key);
  if (node == nullptr) return otherwise;
  const auto value = node->is_number() ? node->value<double>() : std::nullopt;
  if (!value || !(*value >= least && *value <= most)) {
    wrong(key, fmt::format("a number from {} to {}", least, most));
  }
  return *value;
}

bool TomlReader::boolean(std::string_view key, bool otherwise) {
  const toml::node* node = find(key);
  if (node == nullptr) return otherwise;
  if (!node->is_boolean()) wrong(key, "true or false");
  return *node->value<bool>();
}

std::string TomlReader::text(std::string_view key, std::string_view otherwise) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::string(otherwise);
  if (!node->is_string()) wrong(key, "a string");
  return *node->value<std::string>();
}

size_t TomlReader::choice(std::string_view key, const std::vector<std::string_view>& choices,
                          size_t otherwise) {
  if (!has(key)) return otherwise;
  const std::string value = text(key, "");
  std::string known;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (choices[i] == value) return i;
    known += fmt::format("{}{}", i > 0 ? ", " : "", choices[i]);
  }
  wrong(key, fmt::format("one of {}", known));
}

std::vector<std::string> TomlReader::texts(std::string_view key) {
  const toml::node* node = find(key);
  std::vector<std::string> values;
  if (node == nullptr) return values;
  const toml::array* array = node->as_array();
  if (array == nullptr) wrong(key, "an array of strings");
  for (const toml::node& item : *array) {
    if (!item.is_string()) wrong(key, "an array of strings");
    values.push_back(*item.value<std::string>());
  }
  return values;
}

std::vector<int64_t> TomlReader::integers(std::string_view key) {
  const toml::node* node = find(key);
  std::vector<int64_t> values;
  if (node == nullptr) return values;
  const toml::array* array = node->as_array();
  if (array == nullptr) return {integer(key, 0, INT64_MIN)};
  for (const toml::node& item : *array) {
    const auto value = item.value_exact<int64_t>();
    if (!value) wrong(key, "whole numbers");
    values.push_back(*value);
  }
  return values;
}

TomlReader TomlReader::table(std::string_view key) {
  const toml::node* node = find(key);
  const std::string prefix = fmt::format("{}{}.", prefix_, key);
  if (node == nullptr) return {toml::table{}, file_, prefix};
  if (!node->is_table()) wrong(key, "a table");
  return {*node->as_table(), file_, prefix};
}

std::vector<TomlReader> TomlReader::tables(std::string_view key) {
  const toml::node* node = find(key);
  std::vector<TomlReader> readers;
  if (node == nullptr) return readers;
  const toml::array* array = node->as_array();
  if (array == nullptr) wrong(key, "an array");
  for (const toml::node& item : *array) {
    const std::string prefix = fmt::format("{}{}[{}].", prefix_, key, readers.size());
    if (item.is_string()) {
      readers.emplace_back(toml::table{{"path", *item.value<std::string>()}}, file_, prefix);
    } else if (item.is_table()) {
      readers.emplace_back(*item.as_table(), file_, prefix);
    } else {
      wrong(key, "paths or tables");
    }
  }
  return readers;
}

void TomlReader::finish() const {
  for (const auto& [key, unused] : table_) {
    if (!asked_.contains(key.str())) {
      fail(ErrorKind::usage, file_, "{}{}: no such key is known", prefix_, key.str());
    }
  }
}

}  // namespace bantam
