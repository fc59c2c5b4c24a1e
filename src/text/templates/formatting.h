#pragma once

#include <string>

#include "text/templates/function.h"

namespace bantam::templates {

// "%s is %d" % values, where values is one value, a tuple or a mapping for "%(name)s".
std::string percent_format(Runtime& runtime, const std::string& format, Value values);
// "{} {0:>5} {name}".format(...). Fields name arguments only, never attributes of them.
std::string brace_format(Runtime& runtime, const std::string& format, const Arguments& arguments);

}  // namespace bantam::templates
