#include "base/json_field.h"

#include <cmath>

#include "base/error.h"

namespace bantam {

namespace {

constexpr int kMaxDepth = 64;

// What a message shows of a value.
std::string shown(const nlohmann::json* value) {
  if (value == nullptr) return "nothing";
  if (value->is_array()) return fmt::format("an array of {}", value->size());
  if (value->is_object()) return "an object";
  const std::string text = value->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  return text.size() <= 60 ? text : text.substr(0, 57) + "...";
}

// How deep brackets are nested, strings aside.
int depth_of(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

void JsonField::wrong(std::string_view expected) const {
  fail(ErrorKind::format, file_, "{}: expected {}, got {}", path_.empty() ? "document" : path_,
       expected, shown(value_));
}

JsonField JsonField::operator[](std::string_view name) const {
  std::string path = path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
  if (absent()) return {nullptr, std::move(path), file_};
  if (!value_->is_object()) wrong("an object");
  const auto it = value_->find(name);
  return {it == value_->end() ? nullptr : &*it, std::move(path), file_};
}

const JsonField::Json& JsonField::json() const {
  if (value_ == nullptr) wrong("a value");
  return *value_;
}

const std::string& JsonField::text() const {
  if (!is_text()) wrong("a string");
  return value_->get_ref<const std::string&>();
}

std::string JsonField::text(std::string_view otherwise) const {
  return absent() ? std::string(otherwise) : text();
}

int64_t JsonField::integer() const {
  if (absent() || !value_->is_number()) wrong("an integer");
  const double real = value_->get<double>();
  if (std::abs(real) > 9e15 || real != std::floor(real)) wrong("an integer");
  return static_cast<int64_t>(real);
}

int64_t JsonField::integer(int64_t otherwise) const {
  return absent() ? otherwise : integer();
}

double JsonField::real() const {
  if (absent() || !value_->is_number()) wrong("a number");
  return value_->get<double>();
}

double JsonField::real(double otherwise) const {
  return absent() ? otherwise : real();
}

bool JsonField::boolean() const {
  if (absent() || !value_->is_boolean()) wrong("true or false");
  return value_->get<bool>();
}

bool JsonField::boolean(bool otherwise) const {
  return absent() ? otherwise : boolean();
}

std::vector<JsonField> JsonField::items() const {
  std::vector<JsonField> all;
  if (absent()) return all;
  if (!value_->is_array()) wrong("an array");
  for (size_t i = 0; i < value_->size(); ++i) {
    all.push_back(JsonField(&(*value_)[i], fmt::format("{}[{}]", path_, i), file_));
  }
  return all;
}

nlohmann::json parse_json(std::string_view text, std::string_view file) {
  if (depth_of(text) > kMaxDepth) {
    fail(ErrorKind::format, file, "expected JSON nested at most {} deep, got more", kMaxDepth);
  }
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    fail(ErrorKind::format, file, "expected JSON, got: {}", error.what());
  }
}

}  // namespace bantam
