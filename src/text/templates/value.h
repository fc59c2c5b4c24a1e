#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace bantam::templates {

enum class Kind : uint8_t {
  undefined,
  none,
  boolean,
  integer,
  real,
  string,
  list,
  tuple,
  dict,
  attributes,  // namespace(), loop, cycler: named values that are no mapping
  function,    // macros, filters' twins in the global scope, methods
};
std::string_view kind_name(Kind kind);

// What values refer to. A rendering's objects live until it ends (Runtime owns them), so that
// values are plain words and cycles are harmless; those of literals live with the syntax tree.
struct Object {
  Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  virtual ~Object() = default;
};

struct String;
struct List;
struct Dict;
struct Attributes;
struct Function;

// A value of the template language: a kind and a word. Copies are cheap and share objects, as
// Python's do.
class Value {
 public:
  Value() = default;  // undefined
  static Value none() { return Value(Kind::none); }
  static Value boolean(bool value);
  static Value integer(int64_t value);
  static Value real(double value);
  static Value string(const String& object);
  static Value list(List& object);
  static Value tuple(List& object);
  static Value dict(Dict& object);
  static Value attributes(Attributes& object);
  static Value function(Function& object);
  // `name` is what messages call the missing thing; may be null.
  static Value undefined(const String* name);

  [[nodiscard]] Kind kind() const { return kind_; }
  [[nodiscard]] bool is(Kind kind) const { return kind_ == kind; }
  [[nodiscard]] bool is_sequence() const { return is(Kind::list) || is(Kind::tuple); }
  [[nodiscard]] bool is_number() const {
    return is(Kind::boolean) || is(Kind::integer) || is(Kind::real);
  }

  // The kind must be right.
  [[nodiscard]] bool as_boolean() const { return word_.integer != 0; }
  [[nodiscard]] int64_t as_integer() const { return word_.integer; }  // booleans too
  [[nodiscard]] double as_real() const;                               // every number
  [[nodiscard]] const std::string& text() const;
  [[nodiscard]] List& items() const;  // of a list or tuple
  [[nodiscard]] Dict& entries() const;
  [[nodiscard]] Attributes& attributes() const;
  [[nodiscard]] Function& function() const;
  [[nodiscard]] const Object* object() const { return word_.object; }

 private:
  explicit Value(Kind kind, const Object* object = nullptr) : kind_(kind) { word_.object = object; }

  Kind kind_ = Kind::undefined;
  union {
    int64_t integer;
    double real;
    const Object* object;
  } word_ = {0};
};

struct String final : Object {
  explicit String(std::string t) : text(std::move(t)) {}
  std::string text;
};

struct List final : Object {
  std::vector<Value> items;
  std::span<const std::string_view> names;  // of the items, for tuples that have them
};

// A mapping in the order of insertion. Keys are found by a canonical spelling (see dict_key), in
// which numbers of equal value are one key, as in Python.
struct Dict final : Object {
  struct Entry {
    Value key, value;
  };
  std::vector<Entry> entries;

  [[nodiscard]] const Value* find(const std::string& canonical) const;
  void set(const std::string& canonical, Value key, Value value);
  bool erase(const std::string& canonical);
  void clear();

 private:
  std::unordered_map<std::string, size_t> index_;
};

class Runtime;

// namespace() as it is; loop and cycler answer for names of their own.
struct Attributes : Object {
  std::vector<std::pair<std::string, Value>> fields;

  // Undefined if there is no such attribute.
  [[nodiscard]] virtual Value find(Runtime& runtime, std::string_view name);
  [[nodiscard]] virtual bool assignable() const { return true; }
  // What a call of the object itself calls, as in loop(children); null if nothing.
  [[nodiscard]] virtual Function* callable() { return nullptr; }
  void set(std::string_view name, Value value);
};

}  // namespace bantam::templates
