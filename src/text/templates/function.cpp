#include "text/templates/function.h"

#include <algorithm>

#include "text/templates/operators.h"

namespace bantam::templates {

Parameters::Parameters(const Runtime& runtime, const Arguments& given,
                       std::initializer_list<std::string_view> names, size_t required)
    : runtime_(runtime), names_(names), values_(names.size()), given_(names.size()) {
  if (given.positional.size() > names.size()) {
    runtime.fail("expected at most {} arguments, got {}", names.size(), given.positional.size());
  }
  std::copy(given.positional.begin(), given.positional.end(), values_.begin());
  std::fill_n(given_.begin(), given.positional.size(), true);
  for (const auto& [name, value] : given.named) {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) runtime.fail("there is no argument \"{}\"", name);
    const auto i = static_cast<size_t>(found - names_.begin());
    values_[i] = value;
    given_[i] = true;
  }
  for (size_t i = 0; i < required; ++i) {
    if (!has(i)) runtime.fail("expected an argument \"{}\", got none", names_[i]);
  }
}

int64_t Parameters::integer(size_t i, int64_t otherwise) const {
  if (!has(i)) return otherwise;
  if (!at(i).is(Kind::integer) && !at(i).is(Kind::boolean)) {
    runtime_.fail("argument \"{}\": expected an integer, got {}", names_[i],
                  kind_name(at(i).kind()));
  }
  return at(i).as_integer();
}

const std::string& Parameters::text(size_t i) const {
  if (!at(i).is(Kind::string)) {
    runtime_.fail("argument \"{}\": expected a string, got {}", names_[i], kind_name(at(i).kind()));
  }
  return at(i).text();
}

std::string Parameters::text(size_t i, std::string_view otherwise) const {
  return has(i) && !at(i).is(Kind::none) ? text(i) : std::string(otherwise);
}

bool Parameters::truth(size_t i, bool otherwise) const {
  return has(i) ? truthy(at(i)) : otherwise;
}

const Native* find_native(std::span<const Native> table, std::string_view name) {
  for (const Native& native : table) {
    if (native.name == name) return &native;
  }
  return nullptr;
}

}  // namespace bantam::templates
