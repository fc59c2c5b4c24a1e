#include "text/tokenizers/sentencepiece_normaliser.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "text/unicode.h"

namespace bantam {

namespace {

constexpr std::string_view kSpaceMark = "\xE2\x96\x81";  // U+2581

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  for (size_t begin = 0; begin < text.size();) {
    const size_t found = std::min(text.find(from, begin), text.size());
    out += text.substr(begin, found - begin);
    if (found < text.size()) out += to;
    begin = found + from.size();
  }
  return out;
}

uint32_t read_u32(std::string_view bytes, size_t position) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) {
    value |= static_cast<uint32_t>(static_cast<uint8_t>(bytes[position + i])) << (8 * i);
  }
  return value;
}

// A unit of the double array.
uint32_t offset_of(uint32_t unit) {
  return (unit >> 10) << ((unit & (1u << 9)) >> 6);
}
uint32_t label_of(uint32_t unit) {
  return unit & ((1u << 31) | 0xFF);
}
bool has_leaf(uint32_t unit) {
  return ((unit >> 8) & 1) != 0;
}

}  // namespace

Charsmap::Charsmap(std::string_view blob, std::string_view where) {
  if (blob.empty()) return;
  const uint64_t bytes = blob.size() < 4 ? 0 : read_u32(blob, 0);
  if (blob.size() < 4 || bytes % 4 != 0 || bytes > blob.size() - 4) {
    fail(ErrorKind::format, where,
         "precompiled_charsmap: expected an array within its {} bytes, got one of {} bytes",
         blob.size(), bytes);
  }
  units_.resize(bytes / 4);
  for (size_t i = 0; i < units_.size(); ++i) units_[i] = read_u32(blob, 4 + 4 * i);
  replacements_ = blob.substr(4 + bytes);
}

Charsmap::Match Charsmap::longest(std::string_view text) const {
  Match match{{}, 0};
  if (units_.empty()) return match;
  uint32_t node = offset_of(units_[0]);
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    node ^= byte;
    if (byte == 0 || node >= units_.size() || label_of(units_[node]) != byte) break;
    const uint32_t unit = units_[node];
    node ^= offset_of(unit);
    if (!has_leaf(unit) || node >= units_.size()) continue;
    const uint32_t begin = units_[node] & 0x7FFFFFFF;
    if (begin >= replacements_.size()) continue;
    match = {std::string_view(replacements_.c_str() + begin), i + 1};
  }
  return match;
}

SentencePieceNormaliser::SentencePieceNormaliser(const TokenizerSpec& spec, std::string_view where)
    : charsmap_(spec.charsmap, where),
      prefix_(spec.add_space_prefix && !spec.space_suffix),
      suffix_(spec.add_space_prefix && spec.space_suffix),
      remove_extra_(spec.remove_extra_spaces) {}

std::string SentencePieceNormaliser::operator()(std::string_view text) const {
  std::string out;
  out.reserve(text.size() + text.size() / 4 + kSpaceMark.size());
  bool after_space = remove_extra_;
  for (size_t i = 0; i < text.size();) {
    const Charsmap::Match match = charsmap_.longest(text.substr(i));
    const size_t size = match.size > 0 ? match.size : decode_utf8(text, i).size;
    for (const char c : match.size > 0 ? match.text : text.substr(i, size)) {
      if (c != ' ') {
        out += c;
      } else if (!after_space) {
        out += kSpaceMark;
      }
      after_space = remove_extra_ && c == ' ';
    }
    i += size;
  }
  if (remove_extra_) {
    while (out.ends_with(kSpaceMark)) out.resize(out.size() - kSpaceMark.size());
    if (out.empty()) return out;
  }
  if (prefix_) out.insert(0, kSpaceMark);
  if (suffix_) out += kSpaceMark;
  return out;
}

std::string mark_spaces(std::string_view text) {
  return replace_all(text, " ", kSpaceMark);
}

std::string unmark_spaces(std::string_view text) {
  return replace_all(text, kSpaceMark, " ");
}

size_t marked_word_end(std::string_view text, size_t begin) {
  size_t end = begin;
  while (text.substr(end).starts_with(kSpaceMark)) end += kSpaceMark.size();
  return std::min(text.find(kSpaceMark, end), text.size());
}

int byte_token_value(std::string_view spelled) {
  if (spelled.size() != 6 || !spelled.starts_with("<0x") || spelled[5] != '>') return -1;
  int value = 0;
  for (const char c : spelled.substr(3, 2)) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit && (c < 'A' || c > 'F')) return -1;
    value = value * 16 + (digit ? c - '0' : c - 'A' + 10);
  }
  return value;
}

}  // namespace bantam
