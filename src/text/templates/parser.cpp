#include "text/templates/parser.h"

#include <algorithm>
#include <initializer_list>

#include "text/templates/expression_parser.h"
#include "text/unicode.h"

namespace bantam::templates {
namespace {

// The statements of a template.
class Parser : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  void run() {
    syntax_.body = body({});
    if (at_kind(TokenKind::block_begin)) {
      next();
      expected("a tag that opens something");
    }
  }

 private:
  template <typename Node>
  const Statement* statement(int line, Node node) {
    syntax_.statements.push_back(std::make_unique<Statement>(Statement{line, std::move(node)}));
    return syntax_.statements.back().get();
  }

  // Statements up to a tag that one of `ends` names, which stays.
  Body body(std::initializer_list<std::string_view> ends) {
    const Nested nested(*this);
    Body list;
    while (!at_kind(TokenKind::end)) {
      const int line = token().line;
      if (at_kind(TokenKind::text)) {
        list.push_back(statement(line, Text{token().text}));
        next();
      } else if (at_kind(TokenKind::print_begin)) {
        next();
        list.push_back(statement(line, Print{tuple()}));
        if (!at_kind(TokenKind::print_end)) expected("\"}}\"");
        next();
      } else {
        const std::string_view tag = token_after().text;
        if (std::find(ends.begin(), ends.end(), tag) != ends.end()) return list;
        next();
        list.push_back(tagged());
      }
    }
    if (ends.size() > 0) expected(fmt::format("\"{{% {} %}}\"", fmt::join(ends, " %}\" or \"{% ")));
    return list;
  }

  // The body and its closing tag.
  Body body_until(std::string_view end) {
    Body list = body({end});
    next();
    expect_name(end);
    block_end();
    return list;
  }

  void block_end() {
    if (!at_kind(TokenKind::block_end)) expected("\"%}\"");
    next();
  }

  const Statement* tagged() {
    struct Tag {
      std::string_view name;
      const Statement* (Parser::*parse)(int line);
    };
    static constexpr Tag kTags[] = {
        {"if", &Parser::condition},      {"for", &Parser::loop},
        {"set", &Parser::assignment},    {"macro", &Parser::macro},
        {"call", &Parser::call_block},   {"filter", &Parser::filter_block},
        {"with", &Parser::with},         {"generation", &Parser::generation},
        {"break", &Parser::jump<Break>}, {"continue", &Parser::jump<Continue>},
    };
    const int line = token().line;
    for (const Tag& tag : kTags) {
      if (skip_name(tag.name)) return (this->*tag.parse)(line);
    }
    expected("a tag that chat templates have");
  }

  const Statement* condition(int line) {
    If node;
    do {
      const Expression* test = tuple();
      block_end();
      node.branches.emplace_back(test, body({"elif", "else", "endif"}));
      next();
    } while (skip_name("elif"));
    if (skip_name("else")) {
      block_end();
      node.otherwise = body({"endif"});
      next();
    }
    expect_name("endif");
    block_end();
    return statement(line, std::move(node));
  }

  const Statement* loop(int line) {
    For node;
    node.target = target(false);
    expect_name("in");
    node.items = tuple(false);
    node.condition = skip_name("if") ? expression() : nullptr;
    node.recursive = skip_name("recursive");
    block_end();
    ++loops_;
    node.body = body({"endfor", "else"});
    --loops_;
    next();
    if (skip_name("else")) {
      block_end();
      node.otherwise = body({"endfor"});
      next();
    }
    expect_name("endfor");
    block_end();
    return statement(line, std::move(node));
  }

  const Statement* assignment(int line) {
    Target to = target(true);
    if (skip_symbol("=")) {
      Set node{std::move(to), tuple()};
      block_end();
      return statement(line, std::move(node));
    }
    SetBlock node{std::move(to), filters(nullptr, false), {}};
    block_end();
    node.body = outside_loops([&] { return body_until("endset"); });
    return statement(line, std::move(node));
  }

  const Statement* macro(int line) {
    MacroDefinition node;
    node.macro.name = take_name("the name of a macro");
    node.macro.parameters = parameters();
    block_end();
    node.macro.body = outside_loops([&] { return body_until("endmacro"); });
    return statement(line, std::move(node));
  }

  const Statement* call_block(int line) {
    CallBlock node;
    node.caller.name = "caller";
    if (at_symbol("(")) node.caller.parameters = parameters();
    node.call = expression();
    if (!std::holds_alternative<Call>(node.call->node)) expected("a call of a macro");
    block_end();
    node.caller.body = outside_loops([&] { return body_until("endcall"); });
    return statement(line, std::move(node));
  }

  const Statement* filter_block(int line) {
    FilterBlock node{filters(nullptr, true), {}};
    block_end();
    node.body = outside_loops([&] { return body_until("endfilter"); });
    return statement(line, std::move(node));
  }

  const Statement* with(int line) {
    With node;
    while (!at_kind(TokenKind::block_end)) {
      Target to = target(false);
      expect_symbol("=");
      node.assignments.emplace_back(std::move(to), expression());
      if (!at_kind(TokenKind::block_end)) expect_symbol(",");
    }
    block_end();
    node.body = body_until("endwith");
    return statement(line, std::move(node));
  }

  const Statement* generation(int line) {
    block_end();
    return statement(line, Generation{body_until("endgeneration")});
  }

  template <typename Node>
  const Statement* jump(int line) {
    if (loops_ == 0) expected("\"break\" and \"continue\" within a loop only");
    block_end();
    return statement(line, Node{});
  }

  // A block that becomes a value cannot jump out of a loop around it.
  template <typename Parse>
  Body outside_loops(Parse parse) {
    const int loops = std::exchange(loops_, 0);
    Body list = parse();
    loops_ = loops;
    return list;
  }

  int loops_ = 0;
};

}  // namespace

Syntax parse(std::string_view source, std::string_view where) {
  Syntax syntax;
  Parser(tokenize(source, where), where, syntax).run();
  return syntax;
}

}  // namespace bantam::templates
