// Bytes up to the first NUL are a template, the rest JSON variables (or a small chat). Whatever
// they are, rendering ends soon, within its limits, with text or one Error; twice the same.

#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.h"
#include "text/templates/template.h"

namespace {

using Json = nlohmann::ordered_json;

Json variables_of(std::string_view text) {
  Json json = Json::parse(text, nullptr, false);
  if (json.is_object()) return json;
  return {{"messages",
           {{{"role", "system"}, {"content", "Be brief."}},
            {{"role", "user"}, {"content", "Gr\u00FC\u00DFe \U0001F414\n"}},
            {{"role", "assistant"}, {"content", ""}, {"tool_calls", Json::array()}}}},
          {"add_generation_prompt", true},
          {"bos_token", "<s>"},
          {"eos_token", "</s>"},
          {"tools", nullptr}};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t end = input.find('\0');
  bantam::Template::Options options;
  options.limits = {.steps = 50'000, .bytes = 4u << 20, .depth = 200};
  options.now = 1699963200;
  try {
    const bantam::Template chat(input.substr(0, end), "fuzz");
    const Json variables = variables_of(end == std::string_view::npos ? "" : input.substr(end + 1));
    const bantam::Rendered once = chat.render(variables, options);
    if (once.text.size() > options.limits.bytes) std::abort();
    for (const auto& [from, to] : once.generated) {
      if (from > to || to > once.text.size()) std::abort();
    }
    if (chat.render(variables, options).text != once.text) std::abort();
  } catch (const bantam::Error& e) {
    if (e.kind() == bantam::ErrorKind::internal) std::abort();
  }
  return 0;
}
