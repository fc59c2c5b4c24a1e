#include "text/hf/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "text/unicode.h"

namespace bantam::hf {

namespace {

constexpr uint32_t kMatchLimit = 50'000'000;  // of internal steps
constexpr uint32_t kHeapLimit = 256 * 1024;   // KiB
constexpr size_t kMaxPattern = size_t{1} << 16;

// The White_Space property and Oniguruma's word characters, as members of a class. Below U+0100
// Oniguruma looks words up in a table of ISO 8859-1, where superscripts and fractions are among
// them, except within a class.
constexpr std::string_view kSpaces =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";
constexpr std::string_view kWordsInClass = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";
constexpr std::string_view kWords =
    R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{b2}\x{b3}\x{b9}\x{bc}-\x{be})";
constexpr std::string_view kHexDigits = "0-9A-Fa-f";

// Oniguruma's escapes that mean something else to PCRE2; empty for those that mean the same.
std::string_view class_of(char escaped, bool in_class) {
  switch (escaped) {
    case 's':
    case 'S':
      return kSpaces;
    case 'w':
    case 'W':
      return in_class ? kWordsInClass : kWords;
    case 'h':
    case 'H':
      return kHexDigits;
    default:
      return {};
  }
}

// \b and \B: a word on one side only, or on both or neither.
std::string boundary(bool negated) {
  return fmt::format("(?:(?<=[{0}])(?{1}[{0}])|(?<![{0}])(?{2}[{0}]))", kWords, negated ? '=' : '!',
                     negated ? '!' : '=');
}

std::string translated(std::string_view pattern, std::string_view where) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char next = pattern[++i];
      const std::string_view members = class_of(next, in_class);
      const bool negated = next == 'S' || next == 'W' || next == 'H';
      if (!in_class && (next == 'b' || next == 'B')) {
        out += boundary(next == 'B');
      } else if (members.empty() || (in_class && negated)) {
        (out += c) += next;
      } else if (in_class) {
        out += members;
      } else {
        out += fmt::format("[{}{}]", negated ? "^" : "", members);
      }
      continue;
    }
    const bool posix = in_class && pattern.substr(i).starts_with("[:");
    if (in_class && ((c == '[' && !posix) || pattern.substr(i).starts_with("&&"))) {
      fail(ErrorKind::format, where, "pattern \"{}\": expected no class within a class, got one",
           pattern);
    }
    if (posix) {
      const size_t end = pattern.find(":]", i);
      if (end != pattern.npos) {
        out += pattern.substr(i, end + 2 - i);
        i = end + 1;
        continue;
      }
    }
    out += c;
    if (c == '[' && !in_class) {
      in_class = true;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') (++i, out += "\\]");
    } else if (c == ']') {
      in_class = false;
    }
  }
  return out;
}

std::string message_of(int code) {
  PCRE2_UCHAR text[256] = {};
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

// A copy of the same size without malformed bytes.
std::string masked(std::string_view text) {
  std::string copy(text);
  for (size_t i = 0; i < copy.size();) {
    const CodePoint c = decode_utf8(text, i);
    if (c.value == kInvalidCodePoint) copy[i] = '\x01';
    i += c.size;
  }
  return copy;
}

struct Deleter {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
};

}  // namespace

struct Regex::Code {
  std::string pattern;
  std::string where;
  std::unique_ptr<pcre2_code, Deleter> compiled;
  std::unique_ptr<pcre2_match_context, Deleter> limits;
};

Regex::Regex(std::string_view pattern, std::string_view where) : code_(std::make_unique<Code>()) {
  if (pattern.size() > kMaxPattern || !is_valid_utf8(pattern)) {
    fail(ErrorKind::format, where, "expected a pattern of at most {} bytes of UTF-8, got {} bytes",
         kMaxPattern, pattern.size());
  }
  code_->pattern = pattern;
  code_->where = where;
  const std::string text = translated(pattern, where);
  int error = 0;
  PCRE2_SIZE offset = 0;
  code_->compiled.reset(pcre2_compile(
      reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
      PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset, nullptr));
  if (!code_->compiled) {
    fail(ErrorKind::format, where, "pattern \"{}\": expected a regular expression, got: {}",
         pattern, message_of(error));
  }
  pcre2_jit_compile(code_->compiled.get(),
                    PCRE2_JIT_COMPLETE);  // where there is none, none is used
  code_->limits.reset(pcre2_match_context_create(nullptr));
  pcre2_set_match_limit(code_->limits.get(), kMatchLimit);
  pcre2_set_heap_limit(code_->limits.get(), kHeapLimit);
}

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

std::vector<Span> Regex::split(std::string_view text) const {
  std::string copy;
  if (!is_valid_utf8(text)) text = copy = masked(text);
  std::vector<Span> spans;
  const std::unique_ptr<pcre2_match_data, Deleter> found(
      pcre2_match_data_create_from_pattern(code_->compiled.get(), nullptr));
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t done = 0;
  for (size_t from = 0; from < text.size();) {
    int rc = pcre2_match(code_->compiled.get(), subject, text.size(), from, PCRE2_NO_UTF_CHECK,
                         found.get(), code_->limits.get());
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) {
      rc = pcre2_match(code_->compiled.get(), subject, text.size(), from,
                       PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, found.get(), code_->limits.get());
    }
    if (rc == PCRE2_ERROR_NOMATCH) break;
    if (rc < 0) {
      fail(ErrorKind::resource, code_->where, "pattern \"{}\" on {} bytes of text: {}",
           code_->pattern, text.size(), message_of(rc));
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(found.get());
    const size_t begin = bounds[0];
    const size_t end = bounds[1];
    if (begin > done) spans.push_back({done, begin, false});
    if (end > begin) spans.push_back({begin, end, true});
    done = std::max(begin, end);
    from = end > begin ? end : begin + (begin < text.size() ? decode_utf8(text, begin).size : 1);
  }
  if (done < text.size()) spans.push_back({done, text.size(), false});
  return spans;
}

}  // namespace bantam::hf
