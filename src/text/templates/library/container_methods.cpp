// Python's methods of lists and mappings.
#include <algorithm>

#include "text/templates/library/tables.h"
#include "text/templates/operators.h"

namespace bantam::templates {
namespace {

std::vector<Value>& changeable(Runtime& runtime, Value self) {
  if (self.is(Kind::tuple)) runtime.fail("expected a list to change, got a tuple");
  return self.items().items;
}

Value append(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"object"}, 1);
  (void)changeable(runtime, self);
  runtime.append(self.items(), p.at(0));
  return Value::none();
}

Value extend(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"iterable"}, 1);
  (void)changeable(runtime, self);
  for (const Value& item : iterate(runtime, p.at(0))) runtime.append(self.items(), item);
  return Value::none();
}

Value insert(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"index", "object"}, 2);
  std::vector<Value>& items = changeable(runtime, self);
  const auto n = static_cast<int64_t>(items.size());
  int64_t at = p.integer(0, 0);
  if (at < 0) at = std::max<int64_t>(at, -n) + n;
  runtime.allocate(sizeof(Value));
  items.insert(items.begin() + static_cast<ptrdiff_t>(std::min(at, n)), p.at(1));
  return Value::none();
}

Value pop(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"index"});
  std::vector<Value>& items = changeable(runtime, self);
  const auto n = static_cast<int64_t>(items.size());
  int64_t at = p.integer(0, -1);
  if (at < 0) at += n;
  if (at < 0 || at >= n) runtime.fail("expected an index into {} items, got {}", n, at);
  const Value item = items[static_cast<size_t>(at)];
  items.erase(items.begin() + static_cast<ptrdiff_t>(at));
  return item;
}

std::vector<Value>::iterator position(Runtime& runtime, Value self, Value wanted) {
  auto& items = self.items().items;
  return std::find_if(items.begin(), items.end(),
                      [&](Value v) { return equal(runtime, v, wanted); });
}

Value remove(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"value"}, 1);
  std::vector<Value>& items = changeable(runtime, self);
  const auto at = position(runtime, self, p.at(0));
  if (at == items.end()) runtime.fail("expected an item of the list, got another value");
  items.erase(at);
  return Value::none();
}

Value index(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"value"}, 1);
  const auto at = position(runtime, self, p.at(0));
  if (at == self.items().items.end()) {
    runtime.fail("expected an item of the list, got another value");
  }
  return Value::integer(at - self.items().items.begin());
}

Value count(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"value"}, 1);
  const auto& items = self.items().items;
  return Value::integer(std::count_if(items.begin(), items.end(),
                                      [&](Value v) { return equal(runtime, v, p.at(0)); }));
}

Value reverse(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  std::vector<Value>& items = changeable(runtime, self);
  std::reverse(items.begin(), items.end());
  return Value::none();
}

Value sort(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"reverse"});
  std::vector<Value>& items = changeable(runtime, self);
  items = sorted_by(runtime, items, std::vector<Value>(items), p.truth(0, false));
  return Value::none();
}

Value copy_list(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  return runtime.list(self.items().items);
}

Value clear_list(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  changeable(runtime, self).clear();
  return Value::none();
}

Value items(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  return items_of(runtime, self);
}

Value keys(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  return runtime.list(iterate(runtime, self));
}

Value values(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  std::vector<Value> all;
  for (const Dict::Entry& entry : self.entries().entries) all.push_back(entry.value);
  return runtime.list(std::move(all));
}

Value get(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"key", "default"}, 1);
  const Value* found = runtime.find(self.entries(), p.at(0));
  if (found != nullptr) return *found;
  return p.has(1) ? p.at(1) : Value::none();
}

Value pop_key(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"key", "default"}, 1);
  const Value* found = runtime.find(self.entries(), p.at(0));
  if (found == nullptr) {
    if (!p.has(1)) runtime.fail("expected a key of the mapping, got another value");
    return p.at(1);
  }
  const Value value = *found;
  self.entries().erase(runtime.dict_key(p.at(0)));
  return value;
}

Value set_default(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"key", "default"}, 1);
  if (const Value* found = runtime.find(self.entries(), p.at(0))) return *found;
  const Value value = p.has(1) ? p.at(1) : Value::none();
  runtime.set(self.entries(), p.at(0), value);
  return value;
}

Value update(Runtime& runtime, Value self, const Arguments& arguments) {
  if (arguments.positional.size() > 1) runtime.fail("expected at most 1 mapping");
  for (const Value& other : arguments.positional) {
    if (!other.is(Kind::dict)) {
      runtime.fail("expected a mapping, got {}", kind_name(other.kind()));
    }
    for (const Dict::Entry& entry : std::vector(other.entries().entries)) {
      runtime.set(self.entries(), entry.key, entry.value);
    }
  }
  for (const auto& [name, value] : arguments.named) {
    runtime.set(self.entries(), runtime.string(name), value);
  }
  return Value::none();
}

Value copy_dict(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  Dict& copy = runtime.dict();
  for (const Dict::Entry& entry : self.entries().entries) {
    runtime.set(copy, entry.key, entry.value);
  }
  return Value::dict(copy);
}

Value clear_dict(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  self.entries().clear();
  return Value::none();
}

constexpr Native kListMethods[] = {
    {"append", append}, {"extend", extend},  {"insert", insert},    {"pop", pop},
    {"remove", remove}, {"index", index},    {"count", count},      {"reverse", reverse},
    {"sort", sort},     {"copy", copy_list}, {"clear", clear_list},
};

constexpr Native kDictMethods[] = {
    {"items", items},      {"keys", keys},     {"values", values},          {"get", get},
    {"pop", pop_key},      {"update", update}, {"setdefault", set_default}, {"copy", copy_dict},
    {"clear", clear_dict},
};

}  // namespace

const Native* find_list_method(std::string_view name) {
  return find_native(kListMethods, name);
}

const Native* find_dict_method(std::string_view name) {
  return find_native(kDictMethods, name);
}

}  // namespace bantam::templates
