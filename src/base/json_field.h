#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace bantam {

// A place in a JSON document that someone else wrote. What is wrong there is reported with the file
// and the path to it: [tokenizer.json] model.merges[7]: expected a string, got number.
//
//   const Json document = parse_json(text, path);
//   const JsonField root(document, path);
//   int64_t layers = root["num_hidden_layers"].integer();
//   bool tied = root["tie_word_embeddings"].boolean(true);   // if absent or null
class JsonField {
 public:
  using Json = nlohmann::json;

  // The document and the name must outlive the fields.
  JsonField(const Json& document, std::string_view file) : value_(&document), file_(file) {}

  // A member, which may be absent. Throws if this is neither an object nor absent.
  [[nodiscard]] JsonField operator[](std::string_view name) const;
  [[nodiscard]] bool absent() const { return value_ == nullptr || value_->is_null(); }
  explicit operator bool() const { return !absent(); }

  // Throw ErrorKind::format for another type; an absent field gives the default if there is one.
  [[nodiscard]] const std::string& text() const;
  [[nodiscard]] std::string text(std::string_view otherwise) const;
  [[nodiscard]] int64_t integer() const;
  [[nodiscard]] int64_t integer(int64_t otherwise) const;
  [[nodiscard]] double real() const;
  [[nodiscard]] double real(double otherwise) const;
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] bool boolean(bool otherwise) const;
  [[nodiscard]] std::vector<JsonField> items() const;  // of an array; none if absent

  [[nodiscard]] const Json& json() const;  // throws if absent
  [[nodiscard]] bool is_text() const { return value_ != nullptr && value_->is_string(); }
  [[nodiscard]] bool is_array() const { return value_ != nullptr && value_->is_array(); }
  [[nodiscard]] bool is_object() const { return value_ != nullptr && value_->is_object(); }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string_view file() const { return file_; }
  [[noreturn]] void wrong(std::string_view expected) const;

 private:
  JsonField(const Json* value, std::string path, std::string_view file)
      : value_(value), path_(std::move(path)), file_(file) {}

  const Json* value_;
  std::string path_;
  std::string_view file_;
};

// Throws ErrorKind::format where the text is no JSON or is nested deeper than anyone writes by
// hand.
nlohmann::json parse_json(std::string_view text, std::string_view file);

}  // namespace bantam
