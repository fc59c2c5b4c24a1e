#include "text/templates/runtime.h"

#include "text/templates/printing.h"

namespace bantam::templates {

namespace {
// Reading this many bytes counts as one step.
constexpr size_t kBytesPerStep = 64;
}  // namespace

void Runtime::step(size_t bytes) {
  steps_ += 1 + bytes / kBytesPerStep;
  if (steps_ > limits_.steps) {
    throw_error(ErrorKind::resource,
                fmt::format("expected an end after at most {} steps, got an endless template",
                            limits_.steps));
  }
}

void Runtime::allocate(size_t bytes) {
  bytes_ += bytes;
  if (bytes_ > limits_.bytes) {
    throw_error(
        ErrorKind::resource,
        fmt::format("expected a template that needs at most {} bytes, got more", limits_.bytes));
  }
}

Runtime::Nested::Nested(Runtime& runtime) : runtime_(runtime) {
  if (++runtime.depth_ > runtime.limits_.depth) {
    --runtime.depth_;
    runtime.throw_error(
        ErrorKind::resource,
        fmt::format("expected at most {} levels of nesting, got more, as from a macro that calls "
                    "itself for ever or a list within itself",
                    runtime.limits_.depth));
  }
}

void Runtime::throw_error(ErrorKind kind, const std::string& what) const {
  const std::string construct = what_.empty() ? "" : fmt::format(", {} \"{}\"", what_, name_);
  bantam::fail(kind, where_, "line {}{}: {}", line_, construct, what);
}

Value Runtime::string(std::string text) {
  allocate(text.size());
  return Value::string(make<String>(std::move(text)));
}

Value Runtime::list(std::vector<Value> items) {
  allocate(items.size() * sizeof(Value));
  List& made = make<List>();
  made.items = std::move(items);
  return Value::list(made);
}

Value Runtime::tuple(std::vector<Value> items) {
  return Value::tuple(list(std::move(items)).items());
}

Dict& Runtime::dict() {
  return make<Dict>();
}

void Runtime::append(List& list, Value item) {
  allocate(sizeof(Value));
  list.items.push_back(item);
}

std::string Runtime::dict_key(Value key) {
  const Nested nested(*this);
  switch (key.kind()) {
    case Kind::string:
      return fmt::format("s{}", key.text());
    case Kind::none:
      return "N";
    case Kind::boolean:
    case Kind::integer:
      return fmt::format("n{}", key.as_integer());
    case Kind::real: {
      const double value = key.as_real();
      const bool whole = value >= -9e15 && value <= 9e15 &&
                         value == static_cast<double>(static_cast<int64_t>(value));
      return whole ? fmt::format("n{}", static_cast<int64_t>(value))
                   : fmt::format("n{}", real_text(value));
    }
    case Kind::tuple: {
      std::string all = "t";
      for (const Value& item : key.items().items) {
        const std::string one = dict_key(item);
        step(one.size());
        allocate(one.size());  // tuples may share their parts
        all += fmt::format("{}:{}", one.size(), one);
      }
      return all;
    }
    case Kind::undefined:
      return "u";
    default:
      fail("expected a string, a number, none or a tuple as a key, got {}", kind_name(key.kind()));
  }
}

void Runtime::set(Dict& dict, Value key, Value value) {
  std::string canonical = dict_key(key);
  // The spelling, the entry and the slot of the index.
  allocate(canonical.size() + sizeof(Dict::Entry) + 64);
  dict.set(canonical, key, value);
}

const Value* Runtime::find(const Dict& dict, Value key) {
  return dict.find(dict_key(key));
}

}  // namespace bantam::templates
