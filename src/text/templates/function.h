#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/templates/runtime.h"

namespace bantam::templates {

// What a call hands over.
struct Arguments {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

// A call's arguments by the names of a native function's parameters; fails for an unknown name or
// one argument too many.
class Parameters {
 public:
  Parameters(const Runtime& runtime, const Arguments& given,
             std::initializer_list<std::string_view> names, size_t required = 0);

  [[nodiscard]] bool has(size_t i) const { return given_[i]; }
  [[nodiscard]] Value at(size_t i) const { return values_[i]; }
  // Fail if the argument has another type; `otherwise` if it is absent (or, for text, none).
  [[nodiscard]] int64_t integer(size_t i, int64_t otherwise) const;
  [[nodiscard]] const std::string& text(size_t i) const;
  [[nodiscard]] std::string text(size_t i, std::string_view otherwise) const;
  [[nodiscard]] bool truth(size_t i, bool otherwise) const;

 private:
  const Runtime& runtime_;
  std::vector<std::string_view> names_;
  std::vector<Value> values_;
  std::vector<bool> given_;
};

// Anything that a template can call. `Native` ones are below, macros belong to the interpreter.
struct Function : Object {
  virtual Value call(Runtime& runtime, const Arguments& arguments) = 0;
  [[nodiscard]] virtual std::string name() const = 0;
};

// A filter, a test, a method or a global function: `self` is the filtered or owning value.
using NativeCode = Value (*)(Runtime& runtime, Value self, const Arguments& arguments);
struct Native {
  std::string_view name;
  NativeCode code;
};
const Native* find_native(std::span<const Native> table, std::string_view name);

struct NativeFunction final : Function {
  NativeFunction(const Native& n, Value s) : native(n), self(s) {}
  Value call(Runtime& runtime, const Arguments& arguments) override {
    return native.code(runtime, self, arguments);
  }
  [[nodiscard]] std::string name() const override { return std::string(native.name); }
  const Native& native;
  Value self;
};

// The library; null for an unknown name. Tables are sorted by nothing: they are short.
const Native* find_filter(std::string_view name);
const Native* find_test(std::string_view name);
const Native* find_method(Kind kind, std::string_view name);
const Native* find_global(std::string_view name);

}  // namespace bantam::templates
