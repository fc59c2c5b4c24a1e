#include "text/tokenizers/bert_words.h"

#include <utf8proc.h>

#include "text/normal_forms.h"
#include "text/tokenizers/scan.h"

namespace bantam {

namespace {

using scan::at;
using scan::Character;

bool is_cjk(char32_t c) {
  constexpr struct {
    char32_t first, last;
  } kRanges[] = {{0x4E00, 0x9FFF},   {0x3400, 0x4DBF},   {0x20000, 0x2A6DF}, {0x2A700, 0x2B73F},
                 {0x2B740, 0x2B81F}, {0x2B820, 0x2CEAF}, {0xF900, 0xFAFF},   {0x2F800, 0x2FA1F}};
  for (const auto& range : kRanges) {
    if (c >= range.first && c <= range.last) return true;
  }
  return false;
}

// Control, format and private use characters, U+FFFD; but not the white space among them.
bool is_dropped(const Character& c) {
  if (c.is(kSpace)) return false;
  if (c.value == kReplacementCharacter || c.value == kInvalidCodePoint) return true;
  if (c.kind != 0) return false;
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c.value));
  return category == UTF8PROC_CATEGORY_CC || category == UTF8PROC_CATEGORY_CF ||
         category == UTF8PROC_CATEGORY_CO;
}

// White space that is a control character other than \t, \n, \r is dropped all the same.
bool is_control_space(char32_t c) {
  return c == 0x0B || c == 0x0C || c == 0x85;
}

bool is_mark_of_punctuation(const Character& c) {
  return c.is(kPunctuation) || (c.value < 128 && c.is(kSymbol));
}

}  // namespace

std::string bert_normalise(std::string_view text, const BertOptions& options) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size();) {
    const Character c = at(text, i);
    const bool dropped = is_dropped(c) || is_control_space(c.value);
    if (options.clean_text && c.is(kSpace) && !dropped) {
      out += ' ';
    } else if (options.space_around_cjk && is_cjk(c.value)) {
      out += ' ';
      out += text.substr(i, c.size);
      out += ' ';
    } else if (!options.clean_text || !dropped) {
      out += text.substr(i, c.size);
    }
    i += c.size;
  }
  if (options.strip_accents) out = without_nonspacing_marks(normalise(out, NormalForm::nfd));
  if (options.lower_case) out = lower_case(out);
  return out;
}

size_t bert_word_end(std::string_view text, size_t position) {
  const Character first = at(text, position);
  if (is_mark_of_punctuation(first)) return position + first.size;
  return scan::run(text, position,
                   [](const Character& c) { return !c.is(kSpace) && !is_mark_of_punctuation(c); });
}

size_t skip_white_space(std::string_view text, size_t position) {
  return scan::run_of(text, position, kSpace);
}

}  // namespace bantam
