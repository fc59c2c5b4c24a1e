#include "text/templates/template.h"

#include <ctime>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "text/templates/interpreter.h"
#include "text/templates/parser.h"

namespace bantam {
namespace {

using templates::Dict;
using templates::Runtime;
using templates::Value;
using Json = nlohmann::ordered_json;

Value from_json(Runtime& runtime, const Json& json) {
  const Runtime::Nested nested(runtime);
  switch (json.type()) {
    case Json::value_t::null:
    case Json::value_t::discarded:
      return Value::none();
    case Json::value_t::boolean:
      return Value::boolean(json.get<bool>());
    case Json::value_t::number_integer:
      return Value::integer(json.get<int64_t>());
    case Json::value_t::number_unsigned: {
      const auto number = json.get<uint64_t>();
      return number <= INT64_MAX ? Value::integer(static_cast<int64_t>(number))
                                 : Value::real(static_cast<double>(number));
    }
    case Json::value_t::number_float:
      return Value::real(json.get<double>());
    case Json::value_t::string:
      return runtime.string(json.get_ref<const std::string&>());
    case Json::value_t::array: {
      std::vector<Value> items;
      for (const Json& item : json) items.push_back(from_json(runtime, item));
      return runtime.list(std::move(items));
    }
    case Json::value_t::object: {
      Dict& dict = runtime.dict();
      for (const auto& [key, value] : json.items()) {
        runtime.set(dict, runtime.string(key), from_json(runtime, value));
      }
      return Value::dict(dict);
    }
    case Json::value_t::binary:
      break;
  }
  runtime.fail("expected variables of JSON's text types, got binary");
}

constexpr size_t kMaxSourceBytes = size_t{4} << 20;

}  // namespace

struct Template::Parts {
  std::string where;
  templates::Syntax syntax;
};

Template::Template(std::string_view source, std::string where) {
  if (source.size() > kMaxSourceBytes) {
    fail(ErrorKind::format, where, "expected a template of at most {} bytes, got {}",
         kMaxSourceBytes, source.size());
  }
  auto parts = std::make_unique<Parts>();
  parts->where = std::move(where);
  parts->syntax = templates::parse(source, parts->where);
  parts_ = std::move(parts);
}

Template::~Template() = default;
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;

Rendered Template::render(const Json& variables, Options options) const {
  if (!variables.is_object()) {
    fail(ErrorKind::usage, parts_->where, "expected variables as a JSON object, got {}",
         variables.type_name());
  }
  Runtime runtime(parts_->where, options.limits,
                  options.now != 0 ? options.now : static_cast<int64_t>(std::time(nullptr)));
  Rendered result;
  templates::Interpreter interpreter(runtime, result.text, result.generated);
  auto& globals = runtime.make<templates::Scope>(nullptr);
  for (const auto& [key, value] : variables.items()) {
    globals.set(key, from_json(runtime, value));
  }
  interpreter.run(parts_->syntax.body, runtime.make<templates::Scope>(&globals));
  return result;
}

Rendered Template::render(const Json& variables) const {
  return render(variables, Options());
}

}  // namespace bantam
