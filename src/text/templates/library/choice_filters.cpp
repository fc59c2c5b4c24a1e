// Filters that apply other filters and tests, and `default`.
#include "text/templates/library/tables.h"
#include "text/templates/operators.h"

namespace bantam::templates {
namespace {

Value otherwise(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"default_value", "boolean"});
  const bool missing = input.is(Kind::undefined) || (p.truth(1, false) && !truthy(input));
  if (!missing) return input;
  return p.has(0) ? p.at(0) : runtime.string("");
}

// x|attr("upper"): what x.upper is, but never an entry of a mapping.
Value attr(Runtime& runtime, Value input, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"name"}, 1);
  const std::string& name = p.text(0);
  if (!input.is(Kind::dict)) return attribute(runtime, input, name);
  const Native* found = find_method(Kind::dict, name);
  return found == nullptr ? runtime.undefined(name)
                          : Value::function(runtime.make<NativeFunction>(*found, input));
}

// A filter or test by name with the arguments that follow the name.
struct ByName {
  const Native* native;
  Arguments arguments;
};

ByName by_name(Runtime& runtime, const Arguments& arguments, size_t first,
               const Native* (*find)(std::string_view), std::string_view what) {
  const Value name = arguments.positional[first];
  if (!name.is(Kind::string)) {
    runtime.fail("expected the name of a {}, got {}", what, kind_name(name.kind()));
  }
  const Native* native = find(name.text());
  if (native == nullptr) runtime.fail("there is no {} \"{}\"", what, name.text());
  ByName result{native, {{}, arguments.named}};
  result.arguments.positional.assign(
      arguments.positional.begin() + static_cast<ptrdiff_t>(first) + 1, arguments.positional.end());
  return result;
}

Value map(Runtime& runtime, Value input, const Arguments& arguments) {
  std::vector<Value> items = iterate(runtime, input);
  if (arguments.positional.empty()) {
    const Parameters p(runtime, arguments, {"attribute", "default"}, 1);
    for (Value& item : items) {
      item = by_path(runtime, item, p.at(0));
      if (item.is(Kind::undefined) && p.has(1)) item = p.at(1);
    }
    return runtime.list(std::move(items));
  }
  const ByName filter = by_name(runtime, arguments, 0, find_filter, "filter");
  for (Value& item : items) {
    runtime.step(weight(item));
    item = filter.native->code(runtime, item, filter.arguments);
  }
  return runtime.list(std::move(items));
}

// select, reject: by a test of the item; selectattr, rejectattr: of an attribute of it. Without a
// test, by truth.
template <bool by_attribute, bool wanted>
Value choose(Runtime& runtime, Value input, const Arguments& arguments) {
  constexpr size_t kFirst = by_attribute ? 1 : 0;
  if (arguments.positional.size() < kFirst) runtime.fail("expected an attribute, got none");
  const bool tested = arguments.positional.size() > kFirst;
  const ByName test =
      tested ? by_name(runtime, arguments, kFirst, find_test, "test") : ByName{nullptr, {}};
  std::vector<Value> kept;
  for (const Value& item : iterate(runtime, input)) {
    runtime.step();
    const Value subject = by_attribute ? by_path(runtime, item, arguments.positional[0]) : item;
    const bool holds =
        truthy(tested ? test.native->code(runtime, subject, test.arguments) : subject);
    if (holds == wanted) kept.push_back(item);
  }
  return runtime.list(std::move(kept));
}

constexpr Native kFilters[] = {
    {"attr", attr},
    {"default", otherwise},
    {"d", otherwise},
    {"map", map},
    {"select", choose<false, true>},
    {"reject", choose<false, false>},
    {"selectattr", choose<true, true>},
    {"rejectattr", choose<true, false>},
};

}  // namespace

const Native* find_choice_filter(std::string_view name) {
  return find_native(kFilters, name);
}

}  // namespace bantam::templates
