#pragma once

#include <string>
#include <string_view>

namespace bantam::templates {

// Undoes the escapes of a Python string (\n, \x41, \u00e9, \101, a line end after a backslash).
// Others keep their backslash. False if \x or \u is not followed by its digits.
bool undo_escapes(std::string_view body, std::string& out);

}  // namespace bantam::templates
