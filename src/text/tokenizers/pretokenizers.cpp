#include "text/tokenizers/pretokenizers.h"

#include "text/unicode.h"

namespace bantam {

// Hand-written scanners for the published regular expressions, quoted above each. Alternatives of
// an expression are tried in order, as backtracking engines do.

namespace {

struct Character {
  char32_t value;
  uint32_t size;  // 0 past the end
  uint8_t kind;

  [[nodiscard]] bool is(uint8_t mask) const { return (kind & mask) != 0; }
  [[nodiscard]] bool is_newline() const { return value == '\n' || value == '\r'; }
  // [^\s\p{L}\p{N}]
  [[nodiscard]] bool is_other() const { return size != 0 && !is(kSpace | kLetter | kNumber); }
};

Character at(std::string_view text, size_t position) {
  if (position >= text.size()) return {kInvalidCodePoint, 0, 0};
  const CodePoint c = decode_utf8(text, position);
  return {c.value, c.size, character_class(c.value)};
}

// The end of the longest run of characters that satisfy the predicate.
template <typename Predicate>
size_t run(std::string_view text, size_t position, Predicate predicate) {
  while (position < text.size()) {
    const Character c = at(text, position);
    if (!predicate(c)) break;
    position += c.size;
  }
  return position;
}

size_t run_of(std::string_view text, size_t position, uint8_t mask) {
  return run(text, position, [mask](const Character& c) { return c.is(mask); });
}

// `pattern+` as a stage of its own: runs of matching characters and the gaps between them.
template <typename Predicate>
size_t run_or_gap(std::string_view text, size_t position, Predicate predicate) {
  const bool inside = predicate(at(text, position));
  return run(text, position, [&](const Character& c) { return predicate(c) == inside; });
}

// A single matching character, or the gap up to the next one.
template <typename Predicate>
size_t single_or_gap(std::string_view text, size_t position, Predicate predicate) {
  const Character first = at(text, position);
  if (predicate(first)) return position + first.size;
  return run(text, position, [&](const Character& c) { return !predicate(c); });
}

// 's|'t|'re|'ve|'m|'ll|'d -> the bytes matched, or 0.
size_t contraction(std::string_view text, size_t position, bool any_case) {
  if (text[position] != '\'') return 0;
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

// (?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,max}| ?[^\s\p{L}\p{N}]+[\r\n]*
// |\s*[\r\n]+|\s+(?!\S)|\s+
template <int kMaxDigits>
size_t cl100k(std::string_view text, size_t position) {
  if (const size_t size = contraction(text, position, true)) return position + size;
  const Character first = at(text, position);
  if (first.is(kLetter)) return run_of(text, position, kLetter);
  const size_t second = position + first.size;
  if (!first.is_newline() && !first.is(kNumber) && at(text, second).is(kLetter)) {
    return run_of(text, second, kLetter);
  }
  if (first.is(kNumber)) {
    size_t end = second;
    for (int i = 1; i < kMaxDigits && at(text, end).is(kNumber); ++i) end += at(text, end).size;
    return end;
  }
  const size_t start = first.value == ' ' ? second : position;
  if (at(text, start).is_other()) {
    const size_t end = run(text, start, [](const Character& c) { return c.is_other(); });
    return run(text, end, [](const Character& c) { return c.is_newline(); });
  }
  size_t after_newline = position;
  for (size_t i = position; at(text, i).is(kSpace);) {
    const Character c = at(text, i);
    i += c.size;
    if (c.is_newline()) after_newline = i;
  }
  return after_newline > position ? after_newline : white_space(text, position);
}

// \p{N}
size_t single_number(std::string_view text, size_t position) {
  return single_or_gap(text, position, [](const Character& c) { return c.is(kNumber); });
}

// \p{N}+
size_t numbers(std::string_view text, size_t position) {
  return run_or_gap(text, position, [](const Character& c) { return c.is(kNumber); });
}

bool ascii_digit(std::string_view text, size_t position) {
  return position < text.size() && text[position] >= '0' && text[position] <= '9';
}

// [0-9][0-9][0-9]
size_t digit_triples(std::string_view text, size_t position) {
  size_t digits = 0;
  size_t i = position;
  for (; i < text.size() && digits < 3; ++i) digits = ascii_digit(text, i) ? digits + 1 : 0;
  if (digits < 3) return text.size();
  return i - 3 == position ? i : i - 3;
}

// [\p{P}\$\+<=>\^~\|]+ , in Falcon's form with the backtick.
template <bool kBacktick>
size_t punctuation(std::string_view text, size_t position) {
  return run_or_gap(text, position, [](const Character& c) {
    if (c.value < 128 && c.is(kSymbol)) return kBacktick || c.value != '`';
    return c.is(kPunctuation);
  });
}

// [\r\n]
size_t newline(std::string_view text, size_t position) {
  return single_or_gap(text, position, [](const Character& c) { return c.is_newline(); });
}

// \s?\p{..}+ : the gap before a match ends at its first character or at the one space before it.
template <uint8_t kMask>
size_t spaced_run(std::string_view text, size_t position) {
  const Character first = at(text, position);
  const size_t start = position + (first.is(kSpace) ? first.size : 0);
  if (at(text, start).is(kMask)) return run_of(text, start, kMask);
  size_t previous = start;
  bool after_space = false;
  for (size_t i = start; i < text.size();) {
    const Character c = at(text, i);
    if (c.is(kMask)) return after_space ? previous : i;
    after_space = c.is(kSpace);
    previous = i;
    i += c.size;
  }
  return text.size();
}

// [一-龥ࠀ-一가-퟿]+
size_t cjk(std::string_view text, size_t position) {
  return run_or_gap(text, position, [](const Character& c) {
    return (c.value >= 0x0800 && c.value <= 0x9FA5) || (c.value >= 0xAC00 && c.value <= 0xD7FF);
  });
}

constexpr SplitStage kGpt2[] = {gpt2};
constexpr SplitStage kLlama3[] = {cl100k<3>};
constexpr SplitStage kQwen2[] = {cl100k<1>};
constexpr SplitStage kSmolLm[] = {single_number, gpt2};
// The second expression of "default" is GPT-2's without the last alternative; what that would
// match is then a gap, so the pieces are the same.
constexpr SplitStage kDefault[] = {punctuation<false>, gpt2, numbers, digit_triples};
constexpr SplitStage kFalcon[] = {punctuation<true>, gpt2, digit_triples};
constexpr SplitStage kDeepSeekCoder[] = {newline, spaced_run<kLetter>, spaced_run<kPunctuation>,
                                         cjk, single_number};

constexpr PreTokenizer kPreTokenizers[] = {
    {"default", kDefault},
    {"gpt-2", kGpt2},
    {"phi-2", kGpt2},
    {"roberta-bpe", kGpt2},
    {"olmo", kGpt2},
    {"mpt", kGpt2},
    {"llama-bpe", kLlama3, true},
    {"llama3", kLlama3, true},
    {"llama-v3", kLlama3, true},
    {"falcon3", kLlama3, true},
    {"dbrx", kLlama3},
    {"smaug-bpe", kLlama3},
    {"qwen2", kQwen2},
    {"deepseek-r1-qwen", kQwen2},
    {"stablelm2", kQwen2},
    {"smollm", kSmolLm},
    {"starcoder", kSmolLm},
    {"refact", kSmolLm},
    {"command-r", kSmolLm},
    {"codeshell", kSmolLm},
    {"falcon", kFalcon},
    {"deepseek-coder", kDeepSeekCoder},
};

}  // namespace

const PreTokenizer* find_pre_tokenizer(std::string_view name) {
  for (const PreTokenizer& rule : kPreTokenizers) {
    if (rule.name == name) return &rule;
  }
  return nullptr;
}

std::vector<std::string_view> pre_tokenizer_names() {
  std::vector<std::string_view> names;
  for (const PreTokenizer& rule : kPreTokenizers) names.push_back(rule.name);
  return names;
}

}  // namespace bantam
