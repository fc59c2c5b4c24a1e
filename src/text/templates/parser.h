#pragma once

#include <string_view>

#include "text/templates/syntax.h"

namespace bantam::templates {

// Reads a whole template. Throws ErrorKind::format with the line and what was expected.
Syntax parse(std::string_view source, std::string_view where);

}  // namespace bantam::templates
