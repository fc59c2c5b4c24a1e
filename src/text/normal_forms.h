#pragma once

#include <string>
#include <string_view>

namespace bantam {

// Unicode's normalisation forms (UAX #15) and the smaller changes that tokenizers make to a text
// before they cut it. Malformed bytes stay as they are, and each starts afresh after them. All take
// O(n log n) time, whatever the text.
enum class NormalForm { nfc, nfd, nfkc, nfkd };

std::string normalise(std::string_view text, NormalForm form);

// Each character's own lower case: no context, no language.
std::string lower_case(std::string_view text);

// Without nonspacing marks (Mn) or without all marks (M).
std::string without_nonspacing_marks(std::string_view text);
std::string without_marks(std::string_view text);

}  // namespace bantam
