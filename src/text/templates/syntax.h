#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/templates/operators.h"
#include "text/templates/value.h"

// What a template means, as the parser leaves it. Nodes refer to each other by pointers into one
// Syntax, so that a long chain of them can go away without recursion.
namespace bantam::templates {

struct Expression;
struct Statement;
using Body = std::vector<const Statement*>;

struct Argument {
  enum class Form : uint8_t { positional, named, list, mapping };  // x, name=x, *x, **x
  Form form = Form::positional;
  std::string name;
  const Expression* value = nullptr;
};
using ArgumentList = std::vector<Argument>;

// A filter or a test with its arguments: `|join(", ")`, `is divisibleby 3`.
struct Applied {
  std::string name;
  ArgumentList arguments;
  int line = 1;
};

struct Literal {
  Value value;
};
struct Name {
  std::string name;
};
struct Listing {
  bool tuple = false;
  std::vector<const Expression*> items;
};
struct Mapping {
  std::vector<std::pair<const Expression*, const Expression*>> entries;
};
struct Attribute {
  const Expression* of;
  std::string name;
};
struct Item {
  const Expression* of;
  const Expression* key;
};
struct Sliced {
  const Expression* of;
  const Expression *begin, *end, *step;  // null where left out
};
struct Call {
  const Expression* function;
  ArgumentList arguments;
};
struct Filtered {
  const Expression* input;  // null in `{% filter %}` and `{% set x | f %}`: the block's text
  Applied filter;
};
struct Tested {
  const Expression* input;
  Applied test;
  bool negated = false;
};
struct Unary {
  enum class Op : uint8_t { negate, plus, logical_not } op;
  const Expression* operand;
};
struct Arithmetic {
  Operator op;
  const Expression *left, *right;
};
struct Logical {
  bool conjunction;  // and
  const Expression *left, *right;
};
struct Concatenation {  // a ~ b ~ c
  std::vector<const Expression*> parts;
};
// a < b <= c: each neighbour must hold, each operand is evaluated at most once.
struct Comparison {
  enum class Op : uint8_t { equal, unequal, less, greater, at_most, at_least, in, not_in };
  const Expression* first;
  std::vector<std::pair<Op, const Expression*>> rest;
};
struct Conditional {                                 // a if condition else b
  const Expression *condition, *chosen, *otherwise;  // otherwise may be null: undefined
};

struct Expression {
  int line = 1;
  std::variant<Literal, Name, Listing, Mapping, Attribute, Item, Sliced, Call, Filtered, Tested,
               Unary, Arithmetic, Logical, Concatenation, Comparison, Conditional>
      node;
};

// What an assignment or a loop assigns to: one name, several, or a namespace's attribute.
struct Target {
  std::vector<Target> parts;  // a, b
  std::string name;
  std::string attribute;  // name.attribute, or ""
};

struct Text {
  std::string text;
};
struct Print {
  const Expression* value;
};
struct If {
  std::vector<std::pair<const Expression*, Body>> branches;
  Body otherwise;
};
struct For {
  Target target;
  const Expression* items;
  const Expression* condition;  // null: all
  bool recursive = false;
  Body body, otherwise;
};
struct Set {
  Target target;
  const Expression* value;
};
struct SetBlock {
  Target target;
  const Expression* filter;  // null, or a chain of filters on the block's text
  Body body;
};
struct Signature {
  std::string name;
  std::vector<std::pair<std::string, const Expression*>> parameters;  // default or null
  Body body;
};
struct MacroDefinition {
  Signature macro;
};
struct CallBlock {
  Signature caller;
  const Expression* call;
};
struct FilterBlock {
  const Expression* filter;
  Body body;
};
struct With {
  std::vector<std::pair<Target, const Expression*>> assignments;
  Body body;
};
struct Generation {
  Body body;
};
struct Break {};
struct Continue {};

struct Statement {
  int line = 1;
  std::variant<Text, Print, If, For, Set, SetBlock, MacroDefinition, CallBlock, FilterBlock, With,
               Generation, Break, Continue>
      node;
};

// Owns all nodes of a template.
struct Syntax {
  Body body;
  std::vector<std::unique_ptr<Expression>> expressions;
  std::vector<std::unique_ptr<Statement>> statements;
  std::vector<std::unique_ptr<String>> strings;  // of literals
};

}  // namespace bantam::templates
