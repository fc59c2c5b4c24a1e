#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace bantam::hf {

// A stretch of a text that a pattern matched, or that lies between matches.
struct Span {
  size_t begin, end;
  bool match;
};

// A regular expression of a tokenizer.json, in the dialect of Oniguruma that Hugging Face uses, run
// by PCRE2. Safe to use from many threads.
class Regex {
 public:
  // Throws ErrorKind::format when the expression does not compile.
  Regex(std::string_view pattern, std::string_view where);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  // The whole text in order as matches and what lies between. Malformed bytes count as control
  // characters. Throws ErrorKind::resource when the search takes too many steps.
  [[nodiscard]] std::vector<Span> split(std::string_view text) const;

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace bantam::hf
