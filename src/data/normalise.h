#pragma once

#include <string>
#include <string_view>

namespace bantam {

// What to clean in a text before it is learnt from. The defaults suit a small vocabulary.
struct Normalisation {
  bool straight_quotes = true;         // curly quotes, also mis-decoded ones, to ' and "
  bool collapse_blank_lines = true;    // two or more blank lines to one; spaces at line ends go
  bool strip_carriage_returns = true;  // "\r\n" and "\r" to "\n"
  bool unwrap_lines = false;           // joins the lines of a paragraph with spaces (books)
};

std::string normalise(std::string_view text, const Normalisation& options);

}  // namespace bantam
