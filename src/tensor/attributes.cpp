#include "tensor/attributes.h"

#include "base/error.h"

namespace bantam {

namespace {

template <typename T>
const T& expect(const Attributes::Value* value, std::string_view key, std::string_view type) {
  if (!value) fail(ErrorKind::internal, "attributes", "expected \"{}\", got nothing", key);
  const T* held = std::get_if<T>(value);
  if (!held) fail(ErrorKind::internal, "attributes", "expected \"{}\" to be {}", key, type);
  return *held;
}

double number(const Attributes::Value* value, std::string_view key) {
  if (value && std::holds_alternative<int64_t>(*value)) {
    return static_cast<double>(std::get<int64_t>(*value));
  }
  return expect<double>(value, key, "a number");
}

}  // namespace

const Attributes::Value* Attributes::find(std::string_view key) const {
  for (const auto& [name, value] : entries_) {
    if (name == key) return &value;
  }
  return nullptr;
}

void Attributes::set(std::string_view key, Value value) {
  for (auto& [name, held] : entries_) {
    if (name == key) {
      held = std::move(value);
      return;
    }
  }
  entries_.emplace_back(key, std::move(value));
}

int64_t Attributes::integer(std::string_view key) const {
  return expect<int64_t>(find(key), key, "an integer");
}

int64_t Attributes::integer(std::string_view key, int64_t otherwise) const {
  const Value* found = find(key);
  return found != nullptr ? expect<int64_t>(found, key, "an integer") : otherwise;
}

double Attributes::real(std::string_view key) const {
  return number(find(key), key);
}

double Attributes::real(std::string_view key, double otherwise) const {
  const Value* found = find(key);
  return found != nullptr ? number(found, key) : otherwise;
}

const std::string& Attributes::text(std::string_view key) const {
  return expect<std::string>(find(key), key, "a text");
}

}  // namespace bantam
