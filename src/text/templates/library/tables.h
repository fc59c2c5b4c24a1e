#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/templates/function.h"

namespace bantam::templates {

// The parts that find_method and find_filter are made of.
const Native* find_string_method(std::string_view name);
const Native* find_list_method(std::string_view name);
const Native* find_dict_method(std::string_view name);
const Native* find_text_filter(std::string_view name);
const Native* find_number_filter(std::string_view name);
const Native* find_list_filter(std::string_view name);
const Native* find_choice_filter(std::string_view name);

// What methods and filters of the same name share. All count what they make first.
Value replace_text(Runtime& runtime, const std::string& text, const std::string& old,
                   const std::string& fresh, int64_t most);
Value join_texts(Runtime& runtime, const std::vector<Value>& items, const std::string& separator);
// Fills up to a width: '<' text first, '>' text last, '^' in the middle.
Value pad_text(Runtime& runtime, const std::string& text, int64_t width, char align,
               const std::string& fill);
Value items_of(Runtime& runtime, Value dict);  // list of (key, value)

// A stable sort by keys; text without regard to case unless asked.
std::vector<Value> sorted_by(Runtime& runtime, std::vector<Value> items,
                             const std::vector<Value>& keys, bool reverse);
// "a.b.0" of a value, as the `attribute` arguments of filters name it.
Value by_path(Runtime& runtime, Value value, Value path);

}  // namespace bantam::templates
