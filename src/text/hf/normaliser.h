#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "text/hf/description.h"
#include "text/hf/regex.h"
#include "text/tokenizers/sentencepiece_normaliser.h"

namespace bantam::hf {

// Carries out the normalizers of a tokenizer.json one after the other.
class NormaliserChain {
 public:
  NormaliserChain(const std::vector<Normaliser>& steps, std::string_view where);

  [[nodiscard]] bool empty() const { return steps_.empty(); }
  [[nodiscard]] std::string operator()(std::string text) const;

 private:
  struct Step {
    Normaliser what;
    Charsmap charsmap;
    std::optional<Regex> regex;
  };
  static std::string apply(const Step& step, std::string text);
  std::vector<Step> steps_;
};

// The text with every occurrence of a string, from left to right, replaced.
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);

// The text without white space at its ends.
std::string_view stripped(std::string_view text, bool left, bool right);

}  // namespace bantam::hf
