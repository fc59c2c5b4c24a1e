#include "text/templates/template.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/hash.h"

namespace bantam {
namespace {

using Json = nlohmann::ordered_json;

std::string data_file(const std::string& name) {
  return BANTAM_SOURCE_DIR "/tests/data/templates/" + name;
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

Json read_json(const std::string& name) {
  return Json::parse(read(data_file(name)));
}

Template::Options noon() {
  Template::Options options;
  options.now = 1699963200;
  return options;
}

std::string render(std::string_view source, const Json& variables = Json::object()) {
  return Template(source).render(variables, noon()).text;
}

// The message of the error, "" if there is none.
std::string error_of(std::string_view source, ErrorKind kind = ErrorKind::format,
                     const Json& variables = Json::object()) {
  try {
    render(source, variables);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), kind) << e.what();
    return e.what();
  }
  return "";
}

TEST(Template, AgreesWithJinjaOnTheLanguage) {
  const Json messages = {{{"role", "user"}, {"content", "hi"}},
                         {{"role", "assistant"}, {"content", "yo"}}};
  for (const Json& line : read_json("language.json")) {
    const std::string source = line["template"];
    std::string got;
    std::string error;
    try {
      got = render(source, {{"messages", messages}});
    } catch (const Error& e) {
      error = e.what();
    }
    if (line.contains("error")) {
      EXPECT_FALSE(error.empty()) << source << "\nexpected " << line["error"] << ", got " << got;
    } else {
      EXPECT_EQ(error, "") << source;
      EXPECT_EQ(got, line["text"].get<std::string>()) << source;
    }
  }
}

TEST(Template, AgreesWithJinjaOnPublishedChatTemplates) {
  const Json chats = read_json("chats.json");
  const Json expected = read_json("expected.json");
  int renderings = 0;
  for (const auto& [name, hashes] : expected.items()) {
    const Template chat(read(data_file(name + ".jinja")), name);
    for (const Json& variant : chats) {
      std::string got;
      std::string text;
      try {
        text = chat.render(variant["variables"], noon()).text;
        got = fmt::format("{:016x}", hash_bytes(text));
      } catch (const Error& e) {
        got = "error";
        text = e.what();
      }
      const std::string chat_name = variant["name"];
      EXPECT_EQ(got, hashes[chat_name].get<std::string>())
          << name << ", chat " << chat_name << ":\n"
          << text;
      ++renderings;
    }
  }
  EXPECT_GT(renderings, 700);
}

TEST(Template, ErrorsNameTheTemplateTheLineAndTheConstruct) {
  const auto message = [](std::string_view source) { return error_of(source); };
  EXPECT_EQ(message("a\n{{ 'x' | nothing }}"),
            "[template] line 2, filter \"nothing\": there is no such filter");
  EXPECT_EQ(message("\n\n{{ a.b }}"),
            "[template] line 3, attribute \"b\": expected a value to look into, but \"a\" is "
            "undefined");
  EXPECT_EQ(message("{{ 1 + 'a' }}"),
            "[template] line 1: \"+\": expected values that fit, got integer and string");
  EXPECT_EQ(message("{% if x %}\nno end"),
            "[template] line 2: expected \"{% elif %}\" or \"{% else %}\" or \"{% endif %}\", got "
            "the end");
  EXPECT_EQ(message("{% include 'x' %}"),
            "[template] line 1: expected a tag that chat templates have, got \"include\"");
  EXPECT_EQ(message("{{ f(1) }}"),
            "[template] line 1, function \"f\": expected something that can be called, got "
            "undefined");
}

TEST(Template, RefusedMessagesAreAUsageError) {
  EXPECT_EQ(error_of("{{ raise_exception('roles must alternate') }}", ErrorKind::usage),
            "[template] line 1, function \"raise_exception\": roles must alternate");
}

TEST(Template, EndlessTemplatesEndWithOneError) {
  for (const char* endless : {
           "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
           "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
           "{% for x in [[1]] recursive %}{{ loop([x]) }}{% endfor %}",
           "{% set n = namespace(s='aaaaaaaaaaaaaaaa') %}{% for i in range(99) %}"
           "{% set n.s = n.s + n.s %}{% endfor %}",
           "{% set l = [] %}{% set _ = l.append(l) %}{{ l }}",
           "{% set l = [] %}{% set _ = l.append(l) %}{{ l | tojson }}",
           "{% set l = [] %}{% set k = [] %}{% set _ = l.append(l) %}{% set _ = k.append(k) %}"
           "{{ l == k }}",
           "{{ 'a' * 99999999999 }}",
           "{{ [0] * 99999999999 }}",
           "{{ '%9999s' * 9999 % ((1,) * 9999) }}",
           "{{ (['x' * 99999] * 99999) | join }}",
           "{{ ('a' * 99999).replace('', 'b' * 99999) }}",
           "{{ 'x'.center(99999999999) }}",
           "{% set n = namespace(t=(1,)) %}{% for i in range(99) %}{% set n.t = (n.t, n.t) %}"
           "{% endfor %}{{ {n.t: 1} }}",
       }) {
    EXPECT_NE(error_of(endless, ErrorKind::resource), "") << endless;
  }
  EXPECT_NE(error_of("{{ range(100001) }}"), "");
}

TEST(Template, LongChainsAndDeepNestingDoNotBreakTheStack) {
  std::string sum = "1";
  for (int i = 0; i < 100000; ++i) sum += "+1";
  EXPECT_NE(error_of("{{ " + sum + " }}", ErrorKind::resource), "");
  const std::string deep(100000, '(');
  EXPECT_NE(error_of("{{ " + deep), "");
  std::string list;
  for (int i = 0; i < 100000; ++i) list += "{% if 1 %}";
  EXPECT_NE(error_of(list), "");
  Json nested = 1;
  for (int i = 0; i < 5000; ++i) nested = Json::array({std::move(nested)});
  EXPECT_NE(error_of("x", ErrorKind::resource, {{"v", nested}}), "");
}

TEST(Template, ReachesNothingOutsideItsValues) {
  EXPECT_EQ(render("{{ ''.__class__ }}{{ messages.__init__ }}", {{"messages", Json::array()}}), "");
  EXPECT_NE(error_of("{{ ''.__class__.__mro__ }}"), "");
  EXPECT_NE(error_of("{{ '{0.__class__}'.format(1) }}"), "");
  EXPECT_NE(error_of("{{ loop.index }}"), "");
}

TEST(Template, TellsWhatGenerationBlocksWrote) {
  const Template chat(
      "{% for m in messages %}[{% if m.a %}{% generation %}{{ m.t }}{% endgeneration %}"
      "{% else %}{{ m.t }}{% endif %}]{% endfor %}");
  const Rendered r =
      chat.render({{"messages", {{{"t", "hi"}, {"a", false}}, {{"t", "hello"}, {"a", true}}}}});
  EXPECT_EQ(r.text, "[hi][hello]");
  ASSERT_EQ(r.generated.size(), 1u);
  EXPECT_EQ(r.text.substr(r.generated[0].first, r.generated[0].second - r.generated[0].first),
            "hello");
}

TEST(Template, RendersTheSameTwice) {
  const Template t("{% set l = [1] %}{% set _ = l.append(2) %}{{ l }}{{ v.pop('a') }}{{ v }}");
  const Json variables = {{"v", {{"a", 1}, {"b", 2}}}};
  EXPECT_EQ(t.render(variables).text, "[1, 2]1{'b': 2}");
  EXPECT_EQ(t.render(variables).text, "[1, 2]1{'b': 2}");
}

}  // namespace
}  // namespace bantam
