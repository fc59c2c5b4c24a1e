#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/templates/template.h"
#include "text/templates/value.h"

namespace bantam::templates {

// What one rendering owns and how much of it: its objects, and the limits that hold a hostile
// template. Everything that a template can make grow asks here first.
class Runtime {
 public:
  Runtime(std::string_view where, const TemplateLimits& limits, int64_t now)
      : where_(where), limits_(limits), now_(now) {}

  // One more step; `bytes` that it reads or moves count as steps too.
  void step(size_t bytes = 0);
  // Bytes about to be allocated, in objects or in output. They never come back before the end.
  void allocate(size_t bytes);

  Value string(std::string text);
  Value list(std::vector<Value> items = {});
  Value tuple(std::vector<Value> items);
  Dict& dict();
  template <typename T, typename... Args>
  T& make(Args&&... args) {
    allocate(sizeof(T));
    auto object = std::make_unique<T>(std::forward<Args>(args)...);
    T& made = *object;
    objects_.push_back(std::move(object));
    return made;
  }
  // Undefined, with the name for messages.
  Value undefined(std::string_view name) {
    return Value::undefined(&make<String>(std::string(name)));
  }
  void append(List& list, Value item);
  void set(Dict& dict, Value key, Value value);
  const Value* find(const Dict& dict, Value key);
  // As Dict knows a key; fails for what Python cannot hash.
  std::string dict_key(Value key);

  // Throws "[where] line 3, filter "round": ...".
  template <typename... Args>
  [[noreturn]] void fail(fmt::format_string<Args...> text, Args&&... args) const {
    throw_error(ErrorKind::format, fmt::format(text, std::forward<Args>(args)...));
  }
  [[noreturn]] void throw_error(ErrorKind kind, const std::string& what) const;

  [[nodiscard]] int64_t now() const { return now_; }

  // Held while something nests: macros, expressions, lists in lists.
  class Nested {
   public:
    explicit Nested(Runtime& runtime);
    ~Nested() { --runtime_.depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;

   private:
    Runtime& runtime_;
  };

  // The line and the construct that messages name, until the object goes.
  class At {
   public:
    At(Runtime& runtime, int line, std::string_view what, std::string_view name)
        : runtime_(runtime), what_(runtime.what_), name_(runtime.name_) {
      runtime.line_ = line;
      runtime.what_ = what;
      runtime.name_ = name;
    }
    ~At() {
      runtime_.what_ = what_;
      runtime_.name_ = name_;
    }
    At(const At&) = delete;
    At& operator=(const At&) = delete;

   private:
    Runtime& runtime_;
    std::string_view what_, name_;
  };
  void at_line(int line) { line_ = line; }
  [[nodiscard]] int line() const { return line_; }

 private:
  std::string_view where_;
  TemplateLimits limits_;
  int64_t now_;
  uint64_t steps_ = 0, bytes_ = 0;
  int depth_ = 0, line_ = 1;
  std::string_view what_, name_;
  std::vector<std::unique_ptr<Object>> objects_;
};

}  // namespace bantam::templates
