#pragma once

#include <cstdint>
#include <vector>

#include "text/templates/function.h"

namespace bantam::templates {

// The variable `loop` of one `for`.
struct Loop final : Attributes {
  Loop(std::vector<Value> all, int64_t nesting, Function* recursion)
      : items(std::move(all)), depth(nesting), recurse(recursion) {}

  Value find(Runtime& runtime, std::string_view name) override;
  [[nodiscard]] bool assignable() const override { return false; }
  [[nodiscard]] Function* callable() override { return recurse; }

  std::vector<Value> items;
  size_t index = 0;  // of the item at hand
  int64_t depth;     // 0 for the outermost
  Function* recurse;
  std::vector<Value> last_changed;  // the arguments of the last loop.changed(...)
  bool asked_changed = false;
};

}  // namespace bantam::templates
