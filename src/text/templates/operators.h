#pragma once

#include <optional>
#include <vector>

#include "text/templates/runtime.h"

namespace bantam::templates {

// Python's operators as Jinja uses them; a TypeError of Python is an error here.
enum class Operator : uint8_t {
  add,
  subtract,
  multiply,
  divide,
  floor_divide,
  modulo,
  power,
};
std::string_view spelling(Operator op);
Value arithmetic(Runtime& runtime, Operator op, Value a, Value b);
Value negate(Runtime& runtime, Value value);

bool truthy(Value value);
bool equal(Runtime& runtime, Value a, Value b);
bool less(Runtime& runtime, Value a, Value b);
bool contains(Runtime& runtime, Value container, Value item);  // item in container

// len(); none for what has no length.
std::optional<size_t> length(Value value);
// What a loop over the value sees: items, keys, characters; fails for what cannot be looped over.
std::vector<Value> iterate(Runtime& runtime, Value value);

// value.name and value["name"]; undefined if there is none. Fails for an attribute of undefined.
Value attribute(Runtime& runtime, Value value, std::string_view name);
Value item(Runtime& runtime, Value value, Value key);
struct Slice {
  std::optional<int64_t> begin, end, step;
};
Value slice(Runtime& runtime, Value value, const Slice& range);

// Steps that reading a value once is worth, for limits.
size_t weight(Value value);

}  // namespace bantam::templates
