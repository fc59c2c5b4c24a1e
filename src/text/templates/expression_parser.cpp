#include "text/templates/expression_parser.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "text/unicode.h"

namespace bantam::templates {
namespace {

constexpr int kMaxDepth = 100;

}  // namespace

ExpressionParser::Nested::Nested(ExpressionParser& parser) : parser_(parser) {
  if (++parser.depth_ > kMaxDepth) {
    --parser.depth_;
    fail(ErrorKind::format, parser.where_, "line {}: expected at most {} levels of nesting",
         parser.token().line, kMaxDepth);
  }
}

bool ExpressionParser::skip_symbol(std::string_view s) {
  if (!at_symbol(s)) return false;
  next();
  return true;
}

bool ExpressionParser::skip_name(std::string_view s) {
  if (!at_name(s)) return false;
  next();
  return true;
}

void ExpressionParser::expect_symbol(std::string_view s) {
  if (!skip_symbol(s)) expected(fmt::format("\"{}\"", s));
}

void ExpressionParser::expect_name(std::string_view s) {
  if (!skip_name(s)) expected(fmt::format("\"{}\"", s));
}

std::string ExpressionParser::take_name(std::string_view what) {
  if (!at_kind(TokenKind::name)) expected(what);
  std::string name = token().text;
  next();
  return name;
}

void ExpressionParser::expected(std::string_view what) const {
  static constexpr std::string_view kKinds[] = {
      "text", "\"{%\"", "\"%}\"", "\"{{\"", "\"}}\"", "a name", "a number", "a number", "a string"};
  const Token& t = token();
  std::string got;
  switch (t.kind) {
    case TokenKind::end:
      got = "the end";
      break;
    case TokenKind::name:
    case TokenKind::symbol:
    case TokenKind::integer:
    case TokenKind::real:
      got = fmt::format("\"{}\"", to_valid_utf8(t.text));
      break;
    default:
      got = kKinds[static_cast<size_t>(t.kind)];
  }
  fail(ErrorKind::format, where_, "line {}: expected {}, got {}", t.line, what, got);
}

const Expression* ExpressionParser::expression() {
  const Nested nested(*this);
  const int line = token().line;
  const Expression* chosen = disjunction();
  while (skip_name("if")) {
    const Expression* condition = disjunction();
    const Expression* otherwise = skip_name("else") ? expression() : nullptr;
    chosen = make(line, Conditional{condition, chosen, otherwise});
  }
  return chosen;
}

const Expression* ExpressionParser::disjunction() {
  const int line = token().line;
  const Expression* left = conjunction();
  while (skip_name("or")) left = make(line, Logical{false, left, conjunction()});
  return left;
}

const Expression* ExpressionParser::conjunction() {
  const int line = token().line;
  const Expression* left = negation();
  while (skip_name("and")) left = make(line, Logical{true, left, negation()});
  return left;
}

const Expression* ExpressionParser::negation() {
  const int line = token().line;
  if (!skip_name("not")) return comparison();
  const Nested nested(*this);
  return make(line, Unary{Unary::Op::logical_not, negation()});
}

const Expression* ExpressionParser::comparison() {
  using Op = Comparison::Op;
  static constexpr std::pair<std::string_view, Op> kOps[] = {
      {"==", Op::equal},  {"!=", Op::unequal}, {"<", Op::less},
      {">", Op::greater}, {"<=", Op::at_most}, {">=", Op::at_least},
  };
  const int line = token().line;
  Comparison c{sum(), {}};
  while (true) {
    std::optional<Op> op;
    for (const auto& [symbol, meaning] : kOps) {
      if (at_symbol(symbol)) op = meaning;
    }
    if (at_name("in")) op = Op::in;
    if (at_name("not") && token_after().kind == TokenKind::name && token_after().text == "in") {
      op = Op::not_in;
      next();
    }
    if (!op) break;
    next();
    c.rest.emplace_back(*op, sum());
  }
  return c.rest.empty() ? c.first : make(line, std::move(c));
}

const Expression* ExpressionParser::sum() {
  const int line = token().line;
  const Expression* left = concatenation();
  while (at_symbol("+") || at_symbol("-")) {
    const Operator op = at_symbol("+") ? Operator::add : Operator::subtract;
    next();
    left = make(line, Arithmetic{op, left, concatenation()});
  }
  return left;
}

const Expression* ExpressionParser::concatenation() {
  const int line = token().line;
  Concatenation c{{product()}};
  while (skip_symbol("~")) c.parts.push_back(product());
  return c.parts.size() == 1 ? c.parts[0] : make(line, std::move(c));
}

const Expression* ExpressionParser::product() {
  static constexpr Operator kOps[] = {Operator::multiply, Operator::divide, Operator::floor_divide,
                                      Operator::modulo};
  const int line = token().line;
  const Expression* left = power();
  while (true) {
    const auto* op = std::find_if(std::begin(kOps), std::end(kOps),
                                  [&](Operator o) { return at_symbol(spelling(o)); });
    if (op == std::end(kOps)) return left;
    next();
    left = make(line, Arithmetic{*op, left, power()});
  }
}

// To the left, as Jinja has it: 2 ** 3 ** 2 is 64.
const Expression* ExpressionParser::power() {
  const int line = token().line;
  const Expression* left = unary(true);
  while (skip_symbol("**")) left = make(line, Arithmetic{Operator::power, left, unary(true)});
  return left;
}

const Expression* ExpressionParser::unary(bool with_filters) {
  const Nested nested(*this);
  const int line = token().line;
  const Expression* e = nullptr;
  if (skip_symbol("-")) {
    e = make(line, Unary{Unary::Op::negate, unary(false)});
  } else if (skip_symbol("+")) {
    e = make(line, Unary{Unary::Op::plus, unary(false)});
  } else {
    e = primary();
  }
  e = postfix(e);
  return with_filters ? filters(e, false) : e;
}

const Expression* ExpressionParser::primary() {
  if (at_symbol("(")) return parenthesis();
  if (at_symbol("[")) return listing();
  if (at_symbol("{")) return mapping();
  return literal();
}

const Expression* ExpressionParser::literal() {
  const int line = token().line;
  switch (token().kind) {
    case TokenKind::string:
      return string();
    case TokenKind::integer:
      return integer();
    case TokenKind::real: {
      const double value = std::strtod(token().text.c_str(), nullptr);
      next();
      return make(line, Literal{Value::real(value)});
    }
    case TokenKind::name: {
      std::string name = take_name("a name");
      if (name == "true" || name == "True") return make(line, Literal{Value::boolean(true)});
      if (name == "false" || name == "False") return make(line, Literal{Value::boolean(false)});
      if (name == "none" || name == "None") return make(line, Literal{Value::none()});
      return make(line, Name{std::move(name)});
    }
    default:
      expected("an expression");
  }
}

const Expression* ExpressionParser::string() {
  const int line = token().line;
  std::string text;
  for (; at_kind(TokenKind::string); next()) text += token().text;
  syntax_.strings.push_back(std::make_unique<String>(std::move(text)));
  return make(line, Literal{Value::string(*syntax_.strings.back())});
}

const Expression* ExpressionParser::integer() {
  const int line = token().line;
  std::string_view digits = token().text;
  int base = 10;
  if (digits.size() > 1 && digits[0] == '0' && (digits[1] | 0x20) > '9') {
    const char letter = static_cast<char>(digits[1] | 0x20);
    base = letter == 'x' ? 16 : letter == 'o' ? 8 : 2;
    digits.remove_prefix(2);
  }
  int64_t value = 0;
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value, base);
  if (error != std::errc() || stop != end) expected("an integer of at most 64 bits");
  next();
  return make(line, Literal{Value::integer(value)});
}

const Expression* ExpressionParser::parenthesis() {
  const int line = token().line;
  expect_symbol("(");
  if (skip_symbol(")")) return make(line, Listing{true, {}});
  const Expression* inner = tuple();
  expect_symbol(")");
  return inner;
}

const Expression* ExpressionParser::listing() {
  const int line = token().line;
  expect_symbol("[");
  Listing list;
  while (!at_symbol("]")) {
    list.items.push_back(expression());
    if (!at_symbol("]")) expect_symbol(",");
  }
  expect_symbol("]");
  return make(line, std::move(list));
}

const Expression* ExpressionParser::mapping() {
  const int line = token().line;
  expect_symbol("{");
  Mapping map;
  while (!at_symbol("}")) {
    const Expression* key = expression();
    expect_symbol(":");
    map.entries.emplace_back(key, expression());
    if (!at_symbol("}")) expect_symbol(",");
  }
  expect_symbol("}");
  return make(line, std::move(map));
}

bool ExpressionParser::ends_tuple() const {
  return at_kind(TokenKind::print_end) || at_kind(TokenKind::block_end) || at_symbol(")") ||
         at_symbol("]") || at_symbol("=") || at_name("recursive") || at_name("if");
}

const Expression* ExpressionParser::tuple(bool with_conditional) {
  const int line = token().line;
  const auto one = [&] { return with_conditional ? expression() : disjunction(); };
  const Expression* first = one();
  if (!at_symbol(",")) return first;
  Listing list{true, {first}};
  while (skip_symbol(",") && !ends_tuple()) list.items.push_back(one());
  return make(line, std::move(list));
}

const Expression* ExpressionParser::postfix(const Expression* e) {
  const int line = token().line;
  while (true) {
    if (at_symbol("(")) {
      e = make(line, Call{e, arguments()});
    } else if (skip_symbol(".")) {
      if (at_kind(TokenKind::integer)) {
        e = make(line, Item{e, integer()});
      } else {
        e = make(line, Attribute{e, take_name("the name of an attribute")});
      }
    } else if (at_symbol("[")) {
      e = subscript(e);
    } else {
      return e;
    }
  }
}

const Expression* ExpressionParser::subscript(const Expression* of) {
  const int line = token().line;
  expect_symbol("[");
  const auto part = [&] { return at_symbol(":") || at_symbol("]") ? nullptr : expression(); };
  const Expression* first = at_symbol(":") ? nullptr : tuple();
  if (!at_symbol(":")) {
    expect_symbol("]");
    return make(line, Item{of, first});
  }
  next();
  const Expression* end = part();
  const Expression* step = skip_symbol(":") ? part() : nullptr;
  expect_symbol("]");
  return make(line, Sliced{of, first, end, step});
}

ArgumentList ExpressionParser::arguments() {
  expect_symbol("(");
  ArgumentList list;
  while (!at_symbol(")")) {
    Argument a;
    if (skip_symbol("**")) {
      a.form = Argument::Form::mapping;
    } else if (skip_symbol("*")) {
      a.form = Argument::Form::list;
    } else if (at_kind(TokenKind::name) && token_after().kind == TokenKind::symbol &&
               token_after().text == "=") {
      a.form = Argument::Form::named;
      a.name = take_name("a name");
      expect_symbol("=");
    }
    a.value = expression();
    list.push_back(std::move(a));
    if (!at_symbol(")")) expect_symbol(",");
  }
  expect_symbol(")");
  return list;
}

const Expression* ExpressionParser::filters(const Expression* input, bool first_is_bare) {
  bool bare = first_is_bare;
  const Expression* e = input;
  while (true) {
    const int line = token().line;
    if (bare || skip_symbol("|")) {
      Applied filter{take_name("the name of a filter"), {}, line};
      if (at_symbol("(")) filter.arguments = arguments();
      e = make(line, Filtered{e, std::move(filter)});
      bare = false;
    } else if (e != nullptr && skip_name("is")) {
      e = test(e);
    } else if (e != nullptr && at_symbol("(")) {
      e = make(line, Call{e, arguments()});
    } else {
      return e;
    }
  }
}

const Expression* ExpressionParser::test(const Expression* input) {
  const int line = token().line;
  Tested t{input, {}, skip_name("not")};
  t.test = {take_name("the name of a test"), {}, line};
  if (at_symbol("(")) {
    t.test.arguments = arguments();
    return make(line, std::move(t));
  }
  // One argument may follow without brackets, but for the words that go on with the expression.
  static constexpr std::string_view kGoOn[] = {"else", "or", "and", "if", "is", "not", "in"};
  const bool word = at_kind(TokenKind::name) &&
                    std::find(std::begin(kGoOn), std::end(kGoOn), token().text) == std::end(kGoOn);
  if (word || at_kind(TokenKind::string) || at_kind(TokenKind::integer) ||
      at_kind(TokenKind::real) || at_symbol("[") || at_symbol("{")) {
    const Nested nested(*this);
    t.test.arguments.push_back({Argument::Form::positional, "", postfix(primary())});
  }
  return make(line, std::move(t));
}

Target ExpressionParser::single_target(bool with_attribute) {
  const Nested nested(*this);
  if (skip_symbol("(")) {
    Target inner = target(false);
    expect_symbol(")");
    return inner;
  }
  Target t;
  t.name = take_name("a name to assign to");
  if (with_attribute && skip_symbol(".")) t.attribute = take_name("the name of an attribute");
  return t;
}

Target ExpressionParser::target(bool with_attribute) {
  Target first = single_target(with_attribute);
  if (!at_symbol(",")) return first;
  Target all;
  all.parts.push_back(std::move(first));
  while (skip_symbol(",") && !at_name("in") && !ends_tuple()) {
    all.parts.push_back(single_target(false));
  }
  return all;
}

std::vector<std::pair<std::string, const Expression*>> ExpressionParser::parameters() {
  expect_symbol("(");
  std::vector<std::pair<std::string, const Expression*>> list;
  while (!at_symbol(")")) {
    std::string name = take_name("the name of a parameter");
    const Expression* otherwise = skip_symbol("=") ? expression() : nullptr;
    list.emplace_back(std::move(name), otherwise);
    if (!at_symbol(")")) expect_symbol(",");
  }
  expect_symbol(")");
  return list;
}

}  // namespace bantam::templates
