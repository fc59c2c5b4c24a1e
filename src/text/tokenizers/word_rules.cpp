#include "text/tokenizers/word_rules.h"

#include <algorithm>

#include "text/tokenizers/scan.h"

namespace bantam::word_rules {

// Alternatives of an expression are tried in order, as backtracking engines do.

namespace {

using scan::at;
using scan::Character;
using scan::run;
using scan::run_of;

// 's|'t|'re|'ve|'m|'ll|'d -> the bytes matched, or 0.
size_t contraction(std::string_view text, size_t position, bool any_case) {
  if (position >= text.size() || text[position] != '\'') return 0;
  const auto letter = [&](size_t i) -> char {
    if (position + i >= text.size()) return 0;
    const char c = text[position + i];
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  const char a = letter(1);
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  const char b = letter(2);
  return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

// \s+(?!\S)|\s+ : a run of white space leaves its last character to the word that follows it.
size_t white_space(std::string_view text, size_t position) {
  size_t last = position;
  size_t end = position;
  while (at(text, end).is(kSpace)) {
    last = end;
    end += at(text, end).size;
  }
  return end == text.size() || last == position ? end : last;
}

// \s*[\r\n]+|\s+(?!\S)|\s+
size_t lines_or_white_space(std::string_view text, size_t position) {
  size_t after_newline = position;
  for (size_t i = position; at(text, i).is(kSpace);) {
    const Character c = at(text, i);
    i += c.size;
    if (c.is_newline()) after_newline = i;
  }
  return after_newline > position ? after_newline : white_space(text, position);
}

// \p{N}{1,max}
size_t digits(std::string_view text, size_t position, int max) {
  size_t end = position;
  for (int i = 0; i < max && at(text, end).is(kNumber); ++i) end += at(text, end).size;
  return end;
}

//  ?[^\s\p{L}\p{N}]+[\r\n]* : what may follow differs between rules. `position` if there is none.
template <typename Other, typename Tail>
size_t others(std::string_view text, size_t position, Other other, Tail tail) {
  const size_t start = position + (text[position] == ' ' ? 1 : 0);
  const size_t end = run(text, start, other);
  return end == start ? position : run(text, end, tail);
}

bool is_newline(const Character& c) {
  return c.is_newline();
}

constexpr int kUnbounded = 1 << 30;

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,max}| ?[^\s\p{L}\p{N}]+[\r\n]*
// |\s*[\r\n]+|\s+(?!\S)|\s+ ; with letters = \p{L}\p{M} where marks count as letters.
template <int kMaxDigits, uint8_t kLetters = kLetter, bool kNewlinesFollow = true>
size_t cl100k(std::string_view text, size_t position) {
  if (const size_t size = contraction(text, position, true)) return position + size;
  const Character first = at(text, position);
  if (first.is(kLetters)) return run_of(text, position, kLetters);
  const size_t second = position + first.size;
  if (!first.is_newline() && !first.is(kNumber) && at(text, second).is(kLetters)) {
    return run_of(text, second, kLetters);
  }
  if (first.is(kNumber)) return digits(text, position, kMaxDigits);
  const auto other = [](const Character& c) { return !c.is(kSpace | kLetters | kNumber); };
  const auto tail = [](const Character& c) { return kNewlinesFollow && c.is_newline(); };
  if (const size_t end = others(text, position, other, tail); end > position) return end;
  return lines_or_white_space(text, position);
}

// [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and [\p{Ll}\p{Lm}\p{Lo}\p{M}]
bool is_upper(const Character& c) {
  return c.is(kLetter | kMark) && !c.is(kLower);
}
bool is_lower(const Character& c) {
  return c.is(kLetter | kMark) && !c.is(kUpper);
}

// upper*lower+ : where no lower character follows the run of upper ones, the run gives back its end
// up to its last character that is both. `position` if there is no match.
size_t capitalised(std::string_view text, size_t position) {
  size_t end = position;
  size_t after_both = position;
  for (Character c = at(text, end); is_upper(c); c = at(text, end)) {
    end += c.size;
    if (is_lower(c)) after_both = end;
  }
  const size_t lower_end = run(text, end, is_lower);
  return lower_end > end ? lower_end : after_both;
}

// upper+lower*
size_t shouted(std::string_view text, size_t position) {
  const size_t end = run(text, position, is_upper);
  return end == position ? position : run(text, end, is_lower);
}

// [^\r\n\p{L}\p{N}]?upper*lower+C?|[^\r\n\p{L}\p{N}]?upper+lower*C?|\p{N}{1,max}
// | ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+ ; C are contractions in any case.
template <int kMaxDigits, bool kContractions>
size_t o200k(std::string_view text, size_t position) {
  const Character first = at(text, position);
  const bool prefix = !first.is_newline() && !first.is(kLetter | kNumber);
  for (const auto word : {capitalised, shouted}) {
    for (const bool with_prefix : {true, false}) {
      if (with_prefix && !prefix) continue;
      const size_t start = with_prefix ? position + first.size : position;
      const size_t end = word(text, start);
      if (end > start) return kContractions ? end + contraction(text, end, true) : end;
    }
  }
  if (first.is(kNumber)) return digits(text, position, kMaxDigits);
  const auto other = [](const Character& c) { return c.is_other(); };
  const auto tail = [](const Character& c) { return c.is_newline() || c.value == '/'; };
  if (const size_t end = others(text, position, other, tail); end > position) return end;
  return lines_or_white_space(text, position);
}

bool is_ascii_letter(const Character& c) {
  return (c.value >= 'a' && c.value <= 'z') || (c.value >= 'A' && c.value <= 'Z');
}

// [!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+
// | ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+
size_t match_deepseek_v3(std::string_view text, size_t position) {
  constexpr uint8_t kMarks = kPunctuation | kSymbol;
  constexpr uint8_t kWord = kLetter | kMark;
  const Character first = at(text, position);
  const size_t second = position + first.size;
  if (first.value < 128 && first.is(kMarks) && is_ascii_letter(at(text, second))) {
    return run(text, second, is_ascii_letter);
  }
  if (!first.is_newline() && !first.is(kLetter | kMarks) && at(text, second).is(kWord)) {
    return run_of(text, second, kWord);
  }
  if (first.is(kWord)) return run_of(text, position, kWord);
  const auto mark = [](const Character& c) { return c.is(kMarks); };
  if (const size_t end = others(text, position, mark, is_newline); end > position) return end;
  return lines_or_white_space(text, position);
}

//  ?[^(\s|.,!?…。，、।۔،)]+
size_t match_bloom(std::string_view text, size_t position) {
  const auto other = [](const Character& c) {
    constexpr std::u32string_view kStops = U"(|.,!?\u2026\u3002\uFF0C\u3001\u0964\u06D4\u060C)";
    return c.size != 0 && !c.is(kSpace) && kStops.find(c.value) == kStops.npos;
  };
  return others(text, position, other, [](const Character&) { return false; });
}

}  // namespace

// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
size_t gpt2(std::string_view text, size_t position) {
  if (const size_t size = contraction(text, position, false)) return position + size;
  const size_t start = position + (text[position] == ' ' ? 1 : 0);
  const Character first = at(text, start);
  if (first.is(kLetter)) return run_of(text, start, kLetter);
  if (first.is(kNumber)) return run_of(text, start, kNumber);
  if (first.is_other()) {
    return run(text, start, [](const Character& c) { return c.is_other(); });
  }
  return white_space(text, position);
}

size_t llama3(std::string_view text, size_t position) {
  return cl100k<3>(text, position);
}

size_t qwen2(std::string_view text, size_t position) {
  return cl100k<1>(text, position);
}

size_t qwen35(std::string_view text, size_t position) {
  return cl100k<1, kLetter | kMark>(text, position);
}

size_t minicpm5(std::string_view text, size_t position) {
  return cl100k<kUnbounded>(text, position);
}

// Its [^\s\p{L}\p{N}\r\n]+ leaves line ends to the next word.
size_t seed_coder(std::string_view text, size_t position) {
  return cl100k<1, kLetter, false>(text, position);
}

size_t gpt4o(std::string_view text, size_t position) {
  return o200k<3, true>(text, position);
}

size_t tekken(std::string_view text, size_t position) {
  return o200k<1, false>(text, position);
}

size_t deepseek_v3(std::string_view text, size_t position) {
  return scan::match_or_gap(text, position, match_deepseek_v3);
}

size_t bloom(std::string_view text, size_t position) {
  return scan::match_or_gap(text, position, match_bloom);
}

}  // namespace bantam::word_rules
