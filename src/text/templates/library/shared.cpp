#include <algorithm>
#include <numeric>

#include "text/templates/characters.h"
#include "text/templates/library/tables.h"
#include "text/templates/library/text_helpers.h"
#include "text/templates/operators.h"
#include "text/templates/printing.h"

namespace bantam::templates {

const Native* find_method(Kind kind, std::string_view name) {
  switch (kind) {
    case Kind::string:
      return find_string_method(name);
    case Kind::list:
    case Kind::tuple:
      return find_list_method(name);
    case Kind::dict:
      return find_dict_method(name);
    default:
      return nullptr;
  }
}

const Native* find_filter(std::string_view name) {
  for (const auto find :
       {find_text_filter, find_number_filter, find_list_filter, find_choice_filter}) {
    if (const Native* found = find(name)) return found;
  }
  return nullptr;
}

Value replace_text(Runtime& runtime, const std::string& text, const std::string& old,
                   const std::string& fresh, int64_t most) {
  size_t places = old.empty() ? count_characters(text) + 1 : count(text, old);
  if (most >= 0) places = std::min(places, static_cast<size_t>(most));
  size_t size = 0;
  if (__builtin_mul_overflow(places, fresh.size(), &size)) size = SIZE_MAX / 2;
  runtime.allocate(size);
  return runtime.string(replace(text, old, fresh, most));
}

Value join_texts(Runtime& runtime, const std::vector<Value>& items, const std::string& separator) {
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    const std::string text = text_of(runtime, items[i]);
    runtime.step(text.size() + separator.size());
    runtime.allocate(text.size() + separator.size());
    if (i > 0) out += separator;
    out += text;
  }
  return runtime.string(std::move(out));
}

Value pad_text(Runtime& runtime, const std::string& text, int64_t width, char align,
               const std::string& fill) {
  if (count_characters(fill) != 1) runtime.fail("expected one character to fill with");
  const auto size = static_cast<int64_t>(count_characters(text));
  if (width <= size) return runtime.string(text);
  const auto missing = static_cast<size_t>(width - size);
  runtime.allocate(missing);
  runtime.allocate(missing * fill.size());
  // Python's str.center puts the odd one to the left if the width is odd.
  const size_t middle = missing / 2 + (missing & static_cast<size_t>(width) & 1);
  const size_t before = align == '>' ? missing : align == '^' ? middle : 0;
  std::string out;
  for (size_t i = 0; i < before; ++i) out += fill;
  out += text;
  for (size_t i = before; i < missing; ++i) out += fill;
  return runtime.string(std::move(out));
}

Value items_of(Runtime& runtime, Value dict) {
  std::vector<Value> items;
  for (const Dict::Entry& entry : dict.entries().entries) {
    items.push_back(runtime.tuple({entry.key, entry.value}));
  }
  return runtime.list(std::move(items));
}

std::vector<Value> sorted_by(Runtime& runtime, std::vector<Value> items,
                             const std::vector<Value>& keys, bool reverse) {
  std::vector<size_t> order(items.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    // Python compares keys in lists, where what is the same needs no order.
    if (keys[a].is(Kind::undefined) && keys[b].is(Kind::undefined)) return false;
    return reverse ? less(runtime, keys[b], keys[a]) : less(runtime, keys[a], keys[b]);
  });
  std::vector<Value> sorted;
  sorted.reserve(order.size());
  for (const size_t i : order) sorted.push_back(items[i]);
  return sorted;
}

Value by_path(Runtime& runtime, Value value, Value path) {
  if (!path.is(Kind::string)) return item(runtime, value, path);
  for (const std::string& part : split(
           path.text(),
           [] {
             static const std::string kDot = ".";
             return &kDot;
           }(),
           -1, false)) {
    const bool number = !part.empty() && part.size() < 10 &&
                        part.find_first_not_of("0123456789") == std::string::npos;
    // As in Jinja, names are items first: what an attribute argument means is data, not a method.
    value = item(runtime, value, number ? Value::integer(std::stoll(part)) : runtime.string(part));
  }
  return value;
}

}  // namespace bantam::templates
