#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/hf/description.h"
#include "text/hf/regex.h"
#include "text/tokenizers/pretokenizers.h"

namespace bantam::hf {

// Carries out the pre-tokenizers of a tokenizer.json one after the other. Well-known expressions
// run as hand-written scanners, all others through PCRE2.
class Splitter {
 public:
  Splitter(const std::vector<PreTokenizer>& steps, std::string_view where);

  // The pieces of a text; those that a step changed live in `arena`. `first`: the text begins the
  // whole input.
  [[nodiscard]] std::vector<std::string_view> split(std::string_view text, bool first,
                                                    std::deque<std::string>& arena) const;

  // The scanner that a step runs as, or null.
  static SplitStage stage_of(const PreTokenizer& step);

 private:
  struct Piece {
    std::string_view text;
    bool first;
  };
  struct Step {
    PreTokenizer what;
    SplitStage stage = nullptr;
    std::optional<Regex> regex;
  };
  static void apply(const Step& step, const Piece& piece, std::deque<std::string>& arena,
                    std::vector<Piece>& out);
  std::vector<Step> steps_;
};

}  // namespace bantam::hf
