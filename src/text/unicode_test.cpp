#include "text/unicode.h"

#include <gtest/gtest.h>

namespace bantam {
namespace {

TEST(Unicode, EveryScalarValueSurvivesEncodingAndDecoding) {
  for (char32_t c = 0; c <= 0x10FFFF; c += 7) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, c);
    const CodePoint back = decode_utf8(text, 0);
    ASSERT_EQ(back.value, c);
    ASSERT_EQ(back.size, text.size());
  }
}

TEST(Unicode, MalformedSequencesAreInvalidByteByByte) {
  const std::string_view malformed[] = {
      "\x80",         "\xC0\xAF",         "\xC1\xBF",     "\xE0\x80\xAF", "\xED\xA0\x80",
      "\xF0\x80\x80", "\xF4\x90\x80\x80", "\xF5\x80\x80", "\xFF",         "\xE2\x82"};
  for (const std::string_view text : malformed) {
    EXPECT_FALSE(is_valid_utf8(text));
    EXPECT_EQ(decode_utf8(text, 0).value, kInvalidCodePoint);
    EXPECT_EQ(decode_utf8(text, 0).size, 1u);
    EXPECT_TRUE(is_valid_utf8(to_valid_utf8(text)));
  }
  EXPECT_TRUE(is_valid_utf8("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\xA6\x99"));
}

TEST(Unicode, SurrogatesAreWrittenAsTheReplacementCharacter) {
  std::string text;
  append_utf8(text, 0xD800);
  append_utf8(text, 0x110000);
  EXPECT_EQ(text, "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Unicode, OnlySequencesThatCouldStillBeCompletedAreIncomplete) {
  EXPECT_EQ(incomplete_utf8_suffix(""), 0u);
  EXPECT_EQ(incomplete_utf8_suffix("abc"), 0u);
  EXPECT_EQ(incomplete_utf8_suffix("a\xC3"), 1u);
  EXPECT_EQ(incomplete_utf8_suffix("a\xC3\xA4"), 0u);
  EXPECT_EQ(incomplete_utf8_suffix("a\xF0\x9F\xA6"), 3u);
  EXPECT_EQ(incomplete_utf8_suffix("a\xF0\x9F"), 2u);
  EXPECT_EQ(incomplete_utf8_suffix("a\xE0\x80"), 0u);  // overlong whatever follows
  EXPECT_EQ(incomplete_utf8_suffix("a\x80\x80\x80\x80"), 0u);
}

TEST(Unicode, ClassesFollowTheGeneralCategory) {
  EXPECT_EQ(character_class('a'), kLetter | kLower);
  EXPECT_EQ(character_class('A'), kLetter | kUpper);
  EXPECT_EQ(character_class('7'), kNumber);
  EXPECT_EQ(character_class('!'), kPunctuation);
  EXPECT_EQ(character_class('+'), kSymbol);
  EXPECT_EQ(character_class('\0'), 0);
  EXPECT_EQ(character_class(U'\u00E4'), kLetter | kLower);
  EXPECT_EQ(character_class(U'\u01C5'), kLetter | kUpper);  // title case
  EXPECT_EQ(character_class(U'\u4E2D'), kLetter);
  EXPECT_EQ(character_class(U'\u00BD'), kNumber);
  EXPECT_EQ(character_class(U'\u0300'), kMark);
  EXPECT_EQ(character_class(U'\u3002'), kPunctuation);
  EXPECT_EQ(character_class(U'\U0001F999'), kSymbol);
  for (const char32_t space : {0x20, 0x09, 0x0D, 0x85, 0xA0, 0x1680, 0x2003, 0x2028, 0x3000}) {
    EXPECT_EQ(character_class(space), kSpace) << std::hex << static_cast<uint32_t>(space);
  }
  EXPECT_EQ(character_class(0x200B), 0);  // zero width space has no White_Space
  EXPECT_EQ(character_class(kInvalidCodePoint), 0);
}

TEST(Unicode, TheAsciiTableAgreesWithTheFullTable) {
  for (char32_t c = 0; c < 128; ++c)
    EXPECT_EQ(character_class(c), unicode_class(c)) << static_cast<uint32_t>(c);
}

}  // namespace
}  // namespace bantam
