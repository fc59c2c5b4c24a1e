#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bantam::templates {

// Python's ways with text, by code points. Case follows Unicode's one-to-one mappings.
std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string title(std::string_view text);       // str.title(): after every non-letter
std::string capitalize(std::string_view text);  // the first upper, the rest lower
std::string swapcase(std::string_view text);

enum class Side { left, right, both };
// Without characters: white space.
std::string strip(std::string_view text, const std::string* characters, Side side);
// split(): a null separator means runs of white space. At most `most` cuts, -1 for all.
std::vector<std::string> split(std::string_view text, const std::string* separator, int64_t most,
                               bool from_right);
std::vector<std::string> split_lines(std::string_view text, bool keep_ends);
std::string replace(std::string_view text, std::string_view old, std::string_view fresh,
                    int64_t most);
size_t count(std::string_view text, std::string_view part);  // `part` must not be empty

}  // namespace bantam::templates
