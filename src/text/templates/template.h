#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bantam {

// What one rendering of a template may use; more is an error of kind `resource`.
struct TemplateLimits {
  uint64_t steps = 10'000'000;    // evaluations, and 64 bytes of text touched each
  uint64_t bytes = 128ull << 20;  // of all strings and lists made, output included
  int depth = 800;                // macros within macros, expressions within expressions
};

struct Rendered {
  std::string text;
  // What `{% generation %}` blocks wrote, as [begin, end) in the text: the parts that a model
  // answers for, and learns from.
  std::vector<std::pair<size_t, size_t>> generated;
};

// A template in Jinja's language, as models bring it to turn a chat into text
// (https://jinja.palletsprojects.com/en/stable/templates/). Whitespace is controlled as
// Transformers does it: trim_blocks and lstrip_blocks are on, one newline at the end is dropped;
// `tojson` writes plain JSON, `break` and `continue` work, and so do raise_exception and
// strftime_now.
//
//   Template chat(source, "chat template");
//   std::string text = chat.render({{"messages", messages}, {"add_generation_prompt", true}}).text;
//
// A template can do nothing but compute text from the variables, within the limits. Errors name the
// template, the line and the construct: ErrorKind::format for a template that is wrong, usage for
// one that refuses the messages (raise_exception), resource for one that exceeds a limit.
// Immutable; any number of threads may render at once.
class Template {
 public:
  explicit Template(std::string_view source, std::string where = "template");
  ~Template();
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;

  struct Options {
    TemplateLimits limits;
    int64_t now = 0;  // seconds since 1970 for strftime_now; 0: the clock
  };
  // `variables` is a JSON object.
  [[nodiscard]] Rendered render(const nlohmann::ordered_json& variables, Options options) const;
  [[nodiscard]] Rendered render(const nlohmann::ordered_json& variables) const;

 private:
  struct Parts;
  std::unique_ptr<const Parts> parts_;
};

}  // namespace bantam
