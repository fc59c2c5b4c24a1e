#include <algorithm>
#include <array>
#include <unordered_set>

#include "text/templates/library/tables.h"
#include "text/templates/library/text_helpers.h"
#include "text/templates/operators.h"
#include "text/templates/printing.h"

namespace bantam::templates {
namespace {

bool given(const Parameters& p, size_t i) {
  return p.has(i) && !p.at(i).is(Kind::none);
}

// What sorting and comparing by `attribute` looks at; text in small letters unless case counts.
Value key_of(Runtime& runtime, Value item, Value path, bool case_sensitive) {
  Value key = path.is(Kind::undefined) ? item : by_path(runtime, item, path);
  if (key.is(Kind::string) && !case_sensitive) key = runtime.string(lower(key.text()));
  return key;
}

std::vector<Value> keys_of(Runtime& runtime, const std::vector<Value>& items, Value path,
                           bool case_sensitive) {
  std::vector<Value> keys;
  keys.reserve(items.size());
  for (const Value& item : items) keys.push_back(key_of(runtime, item, path, case_sensitive));
  return keys;
}

Value first(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  if (input.is(Kind::string) || input.is_sequence()) return item(runtime, input, Value::integer(0));
  const std::vector<Value> items = iterate(runtime, input);
  return items.empty() ? runtime.undefined("the first of nothing") : items.front();
}

Value last(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  if (input.is(Kind::string) || input.is_sequence()) {
    return item(runtime, input, Value::integer(-1));
  }
  const std::vector<Value> items = iterate(runtime, input);
  return items.empty() ? runtime.undefined("the last of nothing") : items.back();
}

Value length_of(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  const std::optional<size_t> n = length(input);
  if (!n) runtime.fail("expected something with a length, got {}", kind_name(input.kind()));
  return Value::integer(static_cast<int64_t>(*n));
}

Value list(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  return runtime.list(iterate(runtime, input));
}

Value reversed(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  std::vector<Value> items = iterate(runtime, input);
  std::reverse(items.begin(), items.end());
  return input.is(Kind::string) ? join_texts(runtime, items, "") : runtime.list(std::move(items));
}

Value join(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"d", "attribute"});
  std::vector<Value> items = iterate(runtime, input);
  if (given(p, 1)) {
    for (Value& item : items) item = by_path(runtime, item, p.at(1));
  }
  return join_texts(runtime, items, p.has(0) ? text_of(runtime, p.at(0)) : "");
}

Value sorted(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"reverse", "case_sensitive", "attribute"});
  std::vector<Value> items = iterate(runtime, input);
  const bool reverse = p.truth(0, false);
  if (!given(p, 2) || !p.at(2).is(Kind::string)) {
    const Value path = given(p, 2) ? p.at(2) : Value();
    const std::vector<Value> keys = keys_of(runtime, items, path, p.truth(1, false));
    return runtime.list(sorted_by(runtime, std::move(items), keys, reverse));
  }
  // "a,b": by a, and by b where a is equal. Stable sorts from the last to the first do that.
  const std::string comma = ",";
  std::vector<std::string> paths = split(p.text(2), &comma, -1, false);
  std::reverse(paths.begin(), paths.end());
  for (const std::string& path : paths) {
    const std::vector<Value> keys =
        keys_of(runtime, items, runtime.string(path), p.truth(1, false));
    items = sorted_by(runtime, std::move(items), keys, reverse);
  }
  return runtime.list(std::move(items));
}

Value unique(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"case_sensitive", "attribute"});
  std::unordered_set<std::string> seen;
  std::vector<Value> kept;
  for (const Value& item : iterate(runtime, input)) {
    const Value key = key_of(runtime, item, given(p, 1) ? p.at(1) : Value(), p.truth(0, false));
    if (seen.insert(runtime.dict_key(key)).second) kept.push_back(item);
  }
  return runtime.list(std::move(kept));
}

template <bool most>
Value extreme(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"case_sensitive", "attribute"});
  const std::vector<Value> items = iterate(runtime, input);
  if (items.empty()) return runtime.undefined("the extreme of nothing");
  const std::vector<Value> keys =
      keys_of(runtime, items, given(p, 1) ? p.at(1) : Value(), p.truth(0, false));
  size_t best = 0;
  for (size_t i = 1; i < items.size(); ++i) {
    if (most ? less(runtime, keys[best], keys[i]) : less(runtime, keys[i], keys[best])) best = i;
  }
  return items[best];
}

Value batch(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"linecount", "fill_with"}, 1);
  const int64_t size = p.integer(0, 1);
  if (size < 1) runtime.fail("expected a size of at least 1, got {}", size);
  std::vector<Value> rows;
  std::vector<Value> row;
  for (const Value& item : iterate(runtime, input)) {
    if (static_cast<int64_t>(row.size()) == size) {
      rows.push_back(runtime.list(std::exchange(row, {})));
    }
    row.push_back(item);
  }
  if (!row.empty()) {
    if (given(p, 1)) {
      runtime.allocate(static_cast<size_t>(std::min<int64_t>(size, INT32_MAX)) * sizeof(Value));
      row.resize(static_cast<size_t>(size), p.at(1));
    }
    rows.push_back(runtime.list(std::move(row)));
  }
  return runtime.list(std::move(rows));
}

Value sliced(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"slices", "fill_with"}, 1);
  const std::vector<Value> items = iterate(runtime, input);
  const int64_t slices = p.integer(0, 1);
  if (slices < 1 || slices > 100'000) {
    runtime.fail("expected 1 to 100000 slices, got {}", slices);
  }
  const auto n = static_cast<size_t>(slices);
  const size_t each = items.size() / n;
  const size_t longer = items.size() % n;
  std::vector<Value> columns;
  size_t at = 0;
  for (size_t i = 0; i < n; ++i) {
    const size_t count = each + (i < longer ? 1 : 0);
    std::vector<Value> column(items.begin() + static_cast<ptrdiff_t>(at),
                              items.begin() + static_cast<ptrdiff_t>(at + count));
    at += count;
    if (given(p, 1) && i >= longer) column.push_back(p.at(1));
    columns.push_back(runtime.list(std::move(column)));
  }
  return runtime.list(std::move(columns));
}

Value items_filter(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  if (input.is(Kind::undefined)) return runtime.list();
  if (!input.is(Kind::dict)) runtime.fail("expected a mapping, got {}", kind_name(input.kind()));
  return items_of(runtime, input);
}

Value dict_sorted(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"case_sensitive", "by", "reverse"});
  if (!input.is(Kind::dict)) runtime.fail("expected a mapping, got {}", kind_name(input.kind()));
  const std::string by = p.text(1, "key");
  if (by != "key" && by != "value") runtime.fail("expected by=\"key\" or \"value\"");
  std::vector<Value> items = items_of(runtime, input).items().items;
  const Value path = Value::integer(by == "key" ? 0 : 1);
  const std::vector<Value> keys = keys_of(runtime, items, path, p.truth(0, false));
  return runtime.list(sorted_by(runtime, std::move(items), keys, p.truth(2, false)));
}

Value grouped(Runtime& runtime, Value input, const Arguments& arguments) {
  static constexpr std::array<std::string_view, 2> kNames = {"grouper", "list"};
  const Parameters p(runtime, arguments, {"attribute", "default", "case_sensitive"}, 1);
  std::vector<Value> items = iterate(runtime, input);
  const auto plain_key = [&](Value item) {
    const Value key = by_path(runtime, item, p.at(0));
    return key.is(Kind::undefined) && p.has(1) ? p.at(1) : key;
  };
  const auto key = [&](Value item) {
    const Value k = plain_key(item);
    return key_of(runtime, k, Value(), p.truth(2, false));
  };
  std::vector<Value> keys;
  keys.reserve(items.size());
  for (const Value& item : items) keys.push_back(key(item));
  items = sorted_by(runtime, std::move(items), keys, false);
  std::vector<Value> groups;
  for (size_t begin = 0; begin < items.size();) {
    size_t end = begin + 1;
    while (end < items.size() && equal(runtime, key(items[begin]), key(items[end]))) ++end;
    std::vector<Value> group(items.begin() + static_cast<ptrdiff_t>(begin),
                             items.begin() + static_cast<ptrdiff_t>(end));
    groups.push_back(runtime.tuple({plain_key(items[begin]), runtime.list(std::move(group))}));
    groups.back().items().names = kNames;
    begin = end;
  }
  return runtime.list(std::move(groups));
}

constexpr Native kFilters[] = {
    {"first", first},        {"last", last},          {"length", length_of},
    {"count", length_of},    {"list", list},          {"reverse", reversed},
    {"join", join},          {"sort", sorted},        {"unique", unique},
    {"min", extreme<false>}, {"max", extreme<true>},  {"batch", batch},
    {"slice", sliced},       {"items", items_filter}, {"dictsort", dict_sorted},
    {"groupby", grouped},
};

}  // namespace

const Native* find_list_filter(std::string_view name) {
  return find_native(kFilters, name);
}

}  // namespace bantam::templates
