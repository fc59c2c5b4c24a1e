#include "text/templates/value.h"

#include "text/templates/function.h"

namespace bantam::templates {

std::string_view kind_name(Kind kind) {
  static constexpr std::string_view kNames[] = {"undefined", "none",   "boolean", "integer",
                                                "float",     "string", "list",    "tuple",
                                                "dict",      "object", "function"};
  return kNames[static_cast<size_t>(kind)];
}

Value Value::boolean(bool value) {
  Value v(Kind::boolean);
  v.word_.integer = value ? 1 : 0;
  return v;
}

Value Value::integer(int64_t value) {
  Value v(Kind::integer);
  v.word_.integer = value;
  return v;
}

Value Value::real(double value) {
  Value v(Kind::real);
  v.word_.real = value;
  return v;
}

Value Value::string(const String& object) {
  return Value(Kind::string, &object);
}
Value Value::list(List& object) {
  return Value(Kind::list, &object);
}
Value Value::tuple(List& object) {
  return Value(Kind::tuple, &object);
}
Value Value::dict(Dict& object) {
  return Value(Kind::dict, &object);
}
Value Value::attributes(Attributes& object) {
  return Value(Kind::attributes, &object);
}
Value Value::function(Function& object) {
  return Value(Kind::function, &object);
}
Value Value::undefined(const String* name) {
  return Value(Kind::undefined, name);
}

double Value::as_real() const {
  return is(Kind::real) ? word_.real : static_cast<double>(word_.integer);
}

const std::string& Value::text() const {
  return static_cast<const String*>(word_.object)->text;
}

// Whoever makes a container makes it mutable; only strings are shared as constants.
List& Value::items() const {
  return *static_cast<List*>(const_cast<Object*>(word_.object));
}

Dict& Value::entries() const {
  return *static_cast<Dict*>(const_cast<Object*>(word_.object));
}

Attributes& Value::attributes() const {
  return *static_cast<Attributes*>(const_cast<Object*>(word_.object));
}

Function& Value::function() const {
  return *static_cast<Function*>(const_cast<Object*>(word_.object));
}

const Value* Dict::find(const std::string& canonical) const {
  const auto found = index_.find(canonical);
  return found == index_.end() ? nullptr : &entries[found->second].value;
}

void Dict::set(const std::string& canonical, Value key, Value value) {
  const auto [at, inserted] = index_.try_emplace(canonical, entries.size());
  if (inserted) {
    entries.push_back({key, value});
  } else {
    entries[at->second].value = value;
  }
}

bool Dict::erase(const std::string& canonical) {
  const auto found = index_.find(canonical);
  if (found == index_.end()) return false;
  const size_t at = found->second;
  index_.erase(found);
  entries.erase(entries.begin() + static_cast<ptrdiff_t>(at));
  for (auto& [unused, position] : index_) position -= position > at ? 1 : 0;
  return true;
}

void Dict::clear() {
  entries.clear();
  index_.clear();
}

Value Attributes::find(Runtime& /*runtime*/, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return {};
}

void Attributes::set(std::string_view name, Value value) {
  for (auto& [key, old] : fields) {
    if (key == name) {
      old = value;
      return;
    }
  }
  fields.emplace_back(name, value);
}

}  // namespace bantam::templates
