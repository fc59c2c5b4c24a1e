// Chat templates beside another implementation of Jinja (npm's @huggingface/jinja).
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "base/error.h"
#include "program.h"
#include "text/templates/template.h"

#ifdef BANTAM_PROGRAM

namespace bantam {
namespace {

using Json = nlohmann::ordered_json;

const std::string kFolder = BANTAM_SOURCE_DIR "/tests/data/templates";

std::string read(const std::string& name) {
  std::ifstream in(kFolder + "/" + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// "template: chat" where the reference is known to differ from Jinja; deviations.json says why.
std::set<std::string> deviations() {
  std::set<std::string> all;
  const Json reasons = Json::parse(read("deviations.json"));
  for (const auto& [reason, places] : reasons.items()) {
    for (const Json& place : places) all.insert(place.get<std::string>());
  }
  return all;
}

TEST(Templates, AgreeWithTheNpmReferenceButWhereItIsNotJinja) {
  if (std::getenv("BANTAM_NPM") == nullptr) {
    GTEST_SKIP() << "BANTAM_NPM names no folder where npm has installed @huggingface/jinja";
  }
  const Outcome reference = run_command(
      "node '" BANTAM_SOURCE_DIR "/tests/template_reference.mjs' '" + kFolder + "' 2>/dev/null");
  if (reference.code == 77 || reference.code == 127) {
    GTEST_SKIP() << "node or @huggingface/jinja is missing below BANTAM_NPM";
  }
  ASSERT_EQ(reference.code, 0) << reference.output;
  const Json expected = Json::parse(reference.output);
  const Json chats = Json::parse(read("chats.json"));
  const std::set<std::string> known = deviations();
  for (const auto& [name, texts] : expected.items()) {
    const Template chat(read(name + ".jinja"), name);
    for (const Json& variant : chats) {
      const std::string place = name + ": " + variant["name"].get<std::string>();
      if (known.contains(place)) continue;
      Json got;
      try {
        got = chat.render(variant["variables"]).text;
      } catch (const Error&) {
        // null, as the reference says it
      }
      EXPECT_EQ(got, texts[variant["name"].get<std::string>()]) << place;
    }
  }
}

}  // namespace
}  // namespace bantam

#endif
