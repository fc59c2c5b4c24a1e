#include "data/normalise.h"

#include <algorithm>
#include <utility>

namespace bantam {

namespace {

// UTF-8 quotes; then the same, dashes and the ellipsis after being decoded as Windows-1252 and
// encoded again. The closing quote comes last: its third byte has no character there and is often
// lost.
constexpr std::pair<std::string_view, std::string_view> kQuotes[] = {
    {"\u2018", "'"},
    {"\u2019", "'"},
    {"\u201a", "'"},
    {"\u201b", "'"},
    {"\u201c", "\""},
    {"\u201d", "\""},
    {"\u201e", "\""},
    {"\u201f", "\""},
    {"\u00e2\u20ac\u02dc", "'"},
    {"\u00e2\u20ac\u2122", "'"},
    {"\u00e2\u20ac\u0153", "\""},
    {"\u00e2\u20ac\u201c", "\u2013"},
    {"\u00e2\u20ac\u201d", "\u2014"},
    {"\u00e2\u20ac\u00a6", "\u2026"},
    {"\u00e2\u20ac\xc2\x9d", "\""},
    {"\u00e2\u20ac", "\""},
};

std::string straighten_quotes(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::pair<std::string_view, std::string_view>* found = nullptr;
    if (byte == 0xe2 || byte == 0xc3) {
      found = std::find_if(std::begin(kQuotes), std::end(kQuotes), [&](const auto& quote) {
        return text.substr(i).starts_with(quote.first);
      });
      if (found == std::end(kQuotes)) found = nullptr;
    }
    out += found ? found->second : text.substr(i, 1);
    i += found ? found->first.size() : 1;
  }
  return out;
}

std::string strip_carriage_returns(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\r') {
      out += text[i];
    } else if (i + 1 == text.size() || text[i + 1] != '\n') {
      out += '\n';
    }
  }
  return out;
}

// Drops spaces before line ends and keeps at most two line ends in a row.
std::string collapse_blank_lines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  size_t line_ends = 0;
  for (const char c : text) {
    if (c != '\n') {
      line_ends = 0;
      out += c;
      continue;
    }
    if (line_ends == 0) {
      while (!out.empty() && (out.back() == ' ' || out.back() == '\t')) out.pop_back();
      // The line held nothing but spaces: it belongs to the run of blank lines before it.
      for (size_t i = out.size(); i > 0 && out[i - 1] == '\n'; --i) ++line_ends;
    }
    if (++line_ends <= 2) out += c;
  }
  return out;
}

std::string unwrap_lines(std::string_view text) {
  std::string out(text);
  for (size_t i = 1; i + 1 < out.size(); ++i) {
    if (out[i] == '\n' && out[i - 1] != '\n' && out[i + 1] != '\n') out[i] = ' ';
  }
  return out;
}

}  // namespace

std::string normalise(std::string_view text, const Normalisation& options) {
  std::string out(text);
  if (options.strip_carriage_returns) out = strip_carriage_returns(out);
  if (options.straight_quotes) out = straighten_quotes(out);
  if (options.collapse_blank_lines) out = collapse_blank_lines(out);
  if (options.unwrap_lines) out = unwrap_lines(out);
  return out;
}

}  // namespace bantam
