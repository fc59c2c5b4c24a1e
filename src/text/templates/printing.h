#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/templates/runtime.h"

namespace bantam::templates {

// What `{{ value }}` prints: Python's str(). Undefined prints nothing.
std::string text_of(Runtime& runtime, Value value);
// Python's repr(), which also prints what is inside lists: 'it', "it's", True, None, 1.0.
std::string repr_of(Runtime& runtime, Value value);
std::string real_text(double value);  // the shortest digits that give the number back

struct JsonStyle {
  bool ascii = false;  // write \u00e9 instead of é
  bool sort_keys = false;
  std::optional<std::string> indent;  // one level of it; none: all on one line
  std::string between = ", ", after_key = ": ";
};
// Python's json.dumps().
std::string json_of(Runtime& runtime, Value value, const JsonStyle& style);

}  // namespace bantam::templates
