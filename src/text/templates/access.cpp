// How values are looked into: lengths, loops, attributes, items, slices.
#include <algorithm>

#include "text/templates/characters.h"
#include "text/templates/function.h"
#include "text/templates/operators.h"

namespace bantam::templates {

size_t weight(Value value) {
  switch (value.kind()) {
    case Kind::string:
      return value.text().size();
    case Kind::list:
    case Kind::tuple:
      return value.items().items.size() * sizeof(Value);
    case Kind::dict:
      return value.entries().entries.size() * sizeof(Dict::Entry);
    default:
      return 0;
  }
}

std::optional<size_t> length(Value value) {
  switch (value.kind()) {
    case Kind::undefined:
      return 0;
    case Kind::string:
      return count_characters(value.text());
    case Kind::list:
    case Kind::tuple:
      return value.items().items.size();
    case Kind::dict:
      return value.entries().entries.size();
    default:
      return {};
  }
}

bool contains(Runtime& runtime, Value container, Value item) {
  runtime.step(weight(container) + weight(item));
  switch (container.kind()) {
    case Kind::undefined:
      return false;
    case Kind::string:
      if (!item.is(Kind::string)) {
        runtime.fail("\"in\": expected a string to look for in a string, got {}",
                     kind_name(item.kind()));
      }
      return find_bytes(container.text(), item.text(), 0) != std::string::npos;
    case Kind::list:
    case Kind::tuple: {
      const auto& items = container.items().items;
      return std::any_of(items.begin(), items.end(),
                         [&](Value v) { return equal(runtime, v, item); });
    }
    case Kind::dict:
      return runtime.find(container.entries(), item) != nullptr;
    default:
      runtime.fail("\"in\": expected a string, a list or a mapping to look in, got {}",
                   kind_name(container.kind()));
  }
}

std::vector<Value> iterate(Runtime& runtime, Value value) {
  runtime.step(weight(value));
  switch (value.kind()) {
    case Kind::undefined:
      return {};
    case Kind::list:
    case Kind::tuple:
      return value.items().items;
    case Kind::dict: {
      std::vector<Value> keys;
      for (const Dict::Entry& entry : value.entries().entries) keys.push_back(entry.key);
      return keys;
    }
    case Kind::string: {
      std::vector<Value> characters;
      const std::string& text = value.text();
      for (size_t i = 0; i < text.size();) {
        const size_t n = character_size(text, i);
        characters.push_back(runtime.string(text.substr(i, n)));
        i += n;
      }
      return characters;
    }
    default:
      runtime.fail("expected a list, a mapping or a string to loop over, got {}",
                   kind_name(value.kind()));
  }
}

namespace {

[[noreturn]] void inside_undefined(const Runtime& runtime, Value value) {
  const auto* name = static_cast<const String*>(value.object());
  if (name == nullptr) runtime.fail("expected a value to look into, got undefined");
  runtime.fail("expected a value to look into, but \"{}\" is undefined", name->text);
}

Value method(Runtime& runtime, Value value, std::string_view name) {
  const Native* found = find_method(value.kind(), name);
  return found == nullptr ? Value() : Value::function(runtime.make<NativeFunction>(*found, value));
}

Value key_of(Runtime& runtime, Value value, Value key) {
  if (!value.is(Kind::dict)) return {};
  const Value* found = runtime.find(value.entries(), key);
  return found == nullptr ? Value() : *found;
}

Value at(Runtime& runtime, Value value, int64_t index) {
  const auto n = static_cast<int64_t>(length(value).value_or(0));
  if (index < 0) index += n;
  if (index < 0 || index >= n) return {};
  if (value.is_sequence()) return value.items().items[static_cast<size_t>(index)];
  return runtime.string(std::string(characters_of(value.text(), static_cast<size_t>(index), 1)));
}

}  // namespace

Value attribute(Runtime& runtime, Value value, std::string_view name) {
  runtime.step();
  if (value.is(Kind::undefined)) inside_undefined(runtime, value);
  if (value.is(Kind::attributes)) {
    const Value found = value.attributes().find(runtime, name);
    return found.is(Kind::undefined) ? runtime.undefined(name) : found;
  }
  if (value.is(Kind::tuple)) {
    const List& tuple = value.items();
    for (size_t i = 0; i < tuple.names.size(); ++i) {
      if (tuple.names[i] == name) return tuple.items[i];
    }
  }
  Value found = method(runtime, value, name);
  if (found.is(Kind::undefined) && value.is(Kind::dict)) {
    const Value* entry = value.entries().find(fmt::format("s{}", name));
    if (entry != nullptr) return *entry;
  }
  return found.is(Kind::undefined) ? runtime.undefined(name) : found;
}

Value item(Runtime& runtime, Value value, Value key) {
  runtime.step();
  if (value.is(Kind::undefined)) inside_undefined(runtime, value);
  const bool whole = key.is(Kind::integer) || key.is(Kind::boolean);
  if (whole && (value.is_sequence() || value.is(Kind::string))) {
    runtime.step(value.is(Kind::string) ? value.text().size() : 0);
    const Value found = at(runtime, value, key.as_integer());
    return found.is(Kind::undefined) ? runtime.undefined(std::to_string(key.as_integer())) : found;
  }
  if (const Value found = key_of(runtime, value, key); !found.is(Kind::undefined)) return found;
  if (!key.is(Kind::string)) return runtime.undefined("item");
  if (value.is(Kind::attributes)) return attribute(runtime, value, key.text());
  const Value found = method(runtime, value, key.text());
  return found.is(Kind::undefined) ? runtime.undefined(key.text()) : found;
}

Value slice(Runtime& runtime, Value value, const Slice& range) {
  if (value.is(Kind::undefined)) inside_undefined(runtime, value);
  if (!value.is_sequence() && !value.is(Kind::string)) {
    return runtime.undefined("slice");  // as Jinja has it: none[1:] prints nothing
  }
  runtime.step(weight(value));
  const auto n = static_cast<int64_t>(length(value).value_or(0));
  const int64_t step = range.step.value_or(1);
  if (step == 0) runtime.fail("expected a slice step other than 0, got 0");
  const auto bound = [&](std::optional<int64_t> given, int64_t otherwise) {
    if (!given) return otherwise;
    const int64_t i = *given < 0 ? std::max(*given, -n - 1) + n : *given;
    return std::clamp<int64_t>(i, step > 0 ? 0 : -1, step > 0 ? n : n - 1);
  };
  const int64_t begin = bound(range.begin, step > 0 ? 0 : n - 1);
  const int64_t end = bound(range.end, step > 0 ? n : -1);
  if (value.is(Kind::string) && step == 1) {
    const auto count = static_cast<size_t>(std::max<int64_t>(0, end - begin));
    return runtime.string(
        std::string(characters_of(value.text(), static_cast<size_t>(begin), count)));
  }
  const std::vector<Value> from = iterate(runtime, value);
  std::vector<Value> items;
  // A step beyond the length picks one item; cut there, sums stay within 64 bits.
  const int64_t stride = std::clamp(step, -n - 1, n + 1);
  for (int64_t i = begin; step > 0 ? i < end : i > end; i += stride) {
    items.push_back(from[static_cast<size_t>(i)]);
  }
  if (value.is(Kind::list)) return runtime.list(std::move(items));
  if (value.is(Kind::tuple)) return runtime.tuple(std::move(items));
  std::string out;
  for (const Value& character : items) out += character.text();
  return runtime.string(std::move(out));
}

}  // namespace bantam::templates
