#include "text/templates/loop.h"

#include <algorithm>

#include "text/templates/operators.h"

namespace bantam::templates {
namespace {

Value cycle(Runtime& runtime, Value self, const Arguments& arguments) {
  const auto& loop = static_cast<const Loop&>(self.attributes());
  if (arguments.positional.empty()) runtime.fail("expected items to cycle among, got none");
  return arguments.positional[loop.index % arguments.positional.size()];
}

Value changed(Runtime& runtime, Value self, const Arguments& arguments) {
  auto& loop = static_cast<Loop&>(self.attributes());
  const std::vector<Value>& now = arguments.positional;
  const bool same =
      loop.asked_changed &&
      std::equal(now.begin(), now.end(), loop.last_changed.begin(), loop.last_changed.end(),
                 [&](Value a, Value b) { return equal(runtime, a, b); });
  runtime.allocate(now.size() * sizeof(Value));
  loop.last_changed = now;
  loop.asked_changed = true;
  return Value::boolean(!same);
}

constexpr Native kCycle{"cycle", cycle};
constexpr Native kChanged{"changed", changed};

}  // namespace

Value Loop::find(Runtime& runtime, std::string_view name) {
  const auto i = static_cast<int64_t>(index);
  const auto n = static_cast<int64_t>(items.size());
  const struct {
    std::string_view name;
    int64_t value;
  } numbers[] = {
      {"index", i + 1},         {"index0", i},        {"length", n},    {"revindex", n - i},
      {"revindex0", n - i - 1}, {"depth", depth + 1}, {"depth0", depth}};
  for (const auto& number : numbers) {
    if (number.name == name) return Value::integer(number.value);
  }
  if (name == "first") return Value::boolean(i == 0);
  if (name == "last") return Value::boolean(i + 1 == n);
  if (name == "previtem") return i > 0 ? items[index - 1] : Value();
  if (name == "nextitem") return i + 1 < n ? items[index + 1] : Value();
  const auto method = [&](const Native& native) {
    return Value::function(runtime.make<NativeFunction>(native, Value::attributes(*this)));
  };
  if (name == "cycle") return method(kCycle);
  if (name == "changed") return method(kChanged);
  return {};
}

}  // namespace bantam::templates
