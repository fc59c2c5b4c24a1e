// The global functions.
#include <array>
#include <ctime>

#include "text/templates/library/tables.h"
#include "text/templates/operators.h"
#include "text/templates/printing.h"

namespace bantam::templates {
namespace {

// The sandbox of Jinja has the same limit.
constexpr int64_t kMaxRange = 100'000;

Value range(Runtime& runtime, Value /*self*/, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"start", "stop", "step"}, 1);
  const int64_t begin = p.has(1) ? p.integer(0, 0) : 0;
  const int64_t end = p.has(1) ? p.integer(1, 0) : p.integer(0, 0);
  const int64_t step = p.integer(2, 1);
  if (step == 0) runtime.fail("expected a step other than 0, got 0");
  std::vector<Value> items;
  for (int64_t i = begin; step > 0 ? i < end : i > end;) {
    if (static_cast<int64_t>(items.size()) == kMaxRange) {
      runtime.fail("expected at most {} numbers, got more", kMaxRange);
    }
    items.push_back(Value::integer(i));
    if (__builtin_add_overflow(i, step, &i)) break;
  }
  return runtime.list(std::move(items));
}

void fill(Runtime& runtime, Dict& dict, const Arguments& arguments) {
  if (arguments.positional.size() > 1) runtime.fail("expected at most 1 mapping");
  for (const Value& from : arguments.positional) {
    if (from.is(Kind::dict)) {
      for (const Dict::Entry& e : from.entries().entries) runtime.set(dict, e.key, e.value);
      continue;
    }
    for (const Value& pair : iterate(runtime, from)) {
      const std::vector<Value> both = iterate(runtime, pair);
      if (both.size() != 2) runtime.fail("expected pairs, got {} values", both.size());
      runtime.set(dict, both[0], both[1]);
    }
  }
  for (const auto& [name, value] : arguments.named) {
    runtime.set(dict, runtime.string(name), value);
  }
}

Value make_dict(Runtime& runtime, Value /*self*/, const Arguments& arguments) {
  Dict& dict = runtime.dict();
  fill(runtime, dict, arguments);
  return Value::dict(dict);
}

Value make_namespace(Runtime& runtime, Value self, const Arguments& arguments) {
  auto& space = runtime.make<Attributes>();
  const Value dict = make_dict(runtime, self, arguments);
  for (const Dict::Entry& e : dict.entries().entries) space.set(text_of(runtime, e.key), e.value);
  return Value::attributes(space);
}

Value raise_exception(Runtime& runtime, Value /*self*/, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"message"}, 1);
  runtime.throw_error(ErrorKind::usage, text_of(runtime, p.at(0)));
}

// datetime.now() knows no zone; fractions of a second are 0 here.
std::string without_zone(const std::string& format) {
  std::string out;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      out += format[i];
      continue;
    }
    const char conversion = format[++i];
    if (conversion == 'f') {
      out += "000000";
    } else if (conversion != 'z' && conversion != 'Z') {
      out += {'%', conversion};
    }
  }
  return out;
}

Value strftime_now(Runtime& runtime, Value /*self*/, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"format"}, 1);
  const std::string format = without_zone(p.text(0));
  // A conversion gives some dozens of bytes at most: "%c", "%x".
  std::string out(64 + format.size() * 32, '\0');
  runtime.allocate(out.size());
  const std::time_t now = runtime.now();
  std::tm local{};
  if (localtime_r(&now, &local) == nullptr) runtime.fail("expected a time of the calendar");
  out.resize(std::strftime(out.data(), out.size(), format.c_str(), &local));
  return runtime.string(std::move(out));
}

// joiner(", "): nothing the first time, the separator from then on.
struct Joiner final : Function {
  explicit Joiner(Value s) : separator(s) {}
  Value call(Runtime& runtime, const Arguments& arguments) override {
    const Parameters p(runtime, arguments, {});
    return std::exchange(used, true) ? separator : runtime.string("");
  }
  [[nodiscard]] std::string name() const override { return "joiner"; }
  Value separator;
  bool used = false;
};

Value make_joiner(Runtime& runtime, Value /*self*/, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {"sep"});
  return Value::function(runtime.make<Joiner>(p.has(0) ? p.at(0) : runtime.string(", ")));
}

// cycler("a", "b"): next() takes turns, `current` is whose turn it is.
struct Cycler final : Attributes {
  explicit Cycler(std::vector<Value> all) : items(std::move(all)) {}
  Value find(Runtime& runtime, std::string_view name) override;
  [[nodiscard]] bool assignable() const override { return false; }
  std::vector<Value> items;
  size_t at = 0;
};

Value next_turn(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  auto& cycler = static_cast<Cycler&>(self.attributes());
  const Value item = cycler.items[cycler.at];
  cycler.at = (cycler.at + 1) % cycler.items.size();
  return item;
}

Value reset_turns(Runtime& runtime, Value self, const Arguments& arguments) {
  const Parameters p(runtime, arguments, {});
  static_cast<Cycler&>(self.attributes()).at = 0;
  return Value::none();
}

constexpr Native kNext{"next", next_turn};
constexpr Native kReset{"reset", reset_turns};

Value Cycler::find(Runtime& runtime, std::string_view name) {
  if (name == "current") return items[at];
  if (name != "next" && name != "reset") return {};
  return Value::function(
      runtime.make<NativeFunction>(name == "next" ? kNext : kReset, Value::attributes(*this)));
}

Value make_cycler(Runtime& runtime, Value /*self*/, const Arguments& arguments) {
  if (arguments.positional.empty()) runtime.fail("expected items to cycle among, got none");
  return Value::attributes(runtime.make<Cycler>(arguments.positional));
}

constexpr Native kFunctions[] = {
    {"range", range},
    {"dict", make_dict},
    {"namespace", make_namespace},
    {"raise_exception", raise_exception},
    {"strftime_now", strftime_now},
    {"joiner", make_joiner},
    {"cycler", make_cycler},
};

}  // namespace

const Native* find_global(std::string_view name) {
  return find_native(kFunctions, name);
}

}  // namespace bantam::templates
