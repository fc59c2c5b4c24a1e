#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/templates/lexer.h"
#include "text/templates/syntax.h"

namespace bantam::templates {

// The tokens of a template and the expressions among them, by Jinja's order of precedence.
class ExpressionParser {
 public:
  ExpressionParser(std::vector<Token> tokens, std::string_view where, Syntax& syntax)
      : tokens_(std::move(tokens)), where_(where), syntax_(syntax) {}

 protected:
  [[nodiscard]] const Token& token() const { return tokens_[at_]; }
  [[nodiscard]] const Token& token_after() const {
    return tokens_[std::min(at_ + 1, tokens_.size() - 1)];
  }
  [[nodiscard]] bool at_kind(TokenKind kind) const { return token().kind == kind; }
  [[nodiscard]] bool at_symbol(std::string_view s) const {
    return at_kind(TokenKind::symbol) && token().text == s;
  }
  [[nodiscard]] bool at_name(std::string_view s) const {
    return at_kind(TokenKind::name) && token().text == s;
  }
  void next() { at_ += at_ + 1 < tokens_.size() ? 1 : 0; }
  bool skip_symbol(std::string_view s);
  bool skip_name(std::string_view s);
  void expect_symbol(std::string_view s);
  void expect_name(std::string_view s);
  std::string take_name(std::string_view what);
  [[noreturn]] void expected(std::string_view what) const;  // got the token at hand

  const Expression* expression();                                          // a if b else c
  const Expression* tuple(bool with_conditional = true);                   // a, b
  const Expression* filters(const Expression* input, bool first_is_bare);  // f(x)|g
  Target target(bool with_attribute);
  // (a, b=1): parameters of a macro or a call block.
  std::vector<std::pair<std::string, const Expression*>> parameters();

  template <typename Node>
  const Expression* make(int line, Node node) {
    syntax_.expressions.push_back(std::make_unique<Expression>(Expression{line, std::move(node)}));
    return syntax_.expressions.back().get();
  }

  // Held while something nests; fails for more levels than any real template has.
  class Nested {
   public:
    explicit Nested(ExpressionParser& parser);
    ~Nested() { --parser_.depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;

   private:
    ExpressionParser& parser_;
  };

  std::vector<Token> tokens_;
  std::string_view where_;
  Syntax& syntax_;

 private:
  const Expression* disjunction();
  const Expression* conjunction();
  const Expression* negation();
  const Expression* comparison();
  const Expression* sum();
  const Expression* concatenation();
  const Expression* product();
  const Expression* power();
  const Expression* unary(bool with_filters);
  const Expression* primary();
  const Expression* literal();
  const Expression* string();
  const Expression* integer();
  const Expression* parenthesis();
  const Expression* listing();
  const Expression* mapping();
  const Expression* postfix(const Expression* e);
  const Expression* subscript(const Expression* of);
  const Expression* test(const Expression* input);
  ArgumentList arguments();
  Target single_target(bool with_attribute);
  [[nodiscard]] bool ends_tuple() const;

  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace bantam::templates
