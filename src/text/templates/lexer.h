#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace bantam::templates {

enum class TokenKind : uint8_t {
  text,         // outside of tags
  block_begin,  // {%
  block_end,
  print_begin,  // {{
  print_end,
  name,
  integer,
  real,
  string,
  symbol,  // + == ( ...
  end,
};

struct Token {
  TokenKind kind = TokenKind::end;
  int line = 1;
  std::string text;  // of strings, with escapes undone
};

// Splits a template into tokens; whitespace around tags is gone and comments are dropped, raw
// blocks are text. `where` names the template in errors.
std::vector<Token> tokenize(std::string_view source, std::string_view where);

}  // namespace bantam::templates
