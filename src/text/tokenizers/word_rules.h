#pragma once

#include <cstddef>
#include <string_view>

// Rules that cut a text into words in one pass. Each is a SplitStage (pretokenizers.h) that follows
// the published regular expression quoted above its definition.
namespace bantam::word_rules {

size_t gpt2(std::string_view text, size_t position);
size_t llama3(std::string_view text, size_t position);
size_t qwen2(std::string_view text, size_t position);
size_t qwen35(std::string_view text, size_t position);
size_t minicpm5(std::string_view text, size_t position);
size_t seed_coder(std::string_view text, size_t position);
size_t gpt4o(std::string_view text, size_t position);
size_t tekken(std::string_view text, size_t position);
size_t deepseek_v3(std::string_view text, size_t position);
size_t bloom(std::string_view text, size_t position);

}  // namespace bantam::word_rules
