#include "eval/profile.h"

#include <fmt/format.h>

#include <iostream>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/common.h"

namespace bantam::cli {
namespace {

struct Options {
  std::string model, html, trace, cache_type = "f16";
  ProfileOptions profile;
  bool json = false;
};

Json to_json(const Profile& p) {
  Json rows = Json::array();
  for (const ProfileRow& r : p.rows) {
    rows.push_back({{"op", r.op},
                    {"label", r.label},
                    {"runs", r.runs},
                    {"seconds", r.seconds},
                    {"share", r.seconds / p.seconds},
                    {"bytes_per_second", r.bytes / r.seconds},
                    {"operations_per_second", r.operations / r.seconds}});
  }
  return {{"tokens", p.tokens},
          {"seconds", p.seconds},
          {"step_seconds", p.step_seconds},
          {"steps", p.steps},
          {"rows", rows}};
}

void print_table(const Profile& p) {
  Table t;
  t.row({"step", "runs", "us each", "share", "GB/s", "GFLOP/s"});
  for (const ProfileRow& r : p.rows) {
    t.row({r.label == r.op ? r.op : fmt::format("{} {}", r.op, r.label), fmt::format("{}", r.runs),
           fmt::format("{:.1f}", 1e6 * r.seconds / static_cast<double>(r.runs)),
           fmt::format("{:.1f} %", 100 * r.seconds / p.seconds),
           fmt::format("{:.1f}", r.bytes / r.seconds * 1e-9),
           fmt::format("{:.1f}", r.operations / r.seconds * 1e-9)});
  }
  t.row({"between steps", "", "", fmt::format("{:.1f} %", 100 * (1 - p.step_seconds / p.seconds)),
         "", ""});
  std::cout << t.str()
            << fmt::format("{} a token, {} steps a run\n",
                           human_seconds(p.seconds / static_cast<double>(p.tokens)), p.steps);
}

void run(Options o) {
  const auto model = open_model(o.model);
  o.profile.cache_type = parse_cache_type(o.cache_type);
  const Profile p = profile(model, o.profile);
  if (!o.html.empty()) {
    const char* what = o.profile.tokens == 1 ? "decoding" : "prefill";
    write_text_file(o.html, profile_page(p, fmt::format("{}: {}", model->name, what)));
  }
  if (!o.trace.empty()) write_text_file(o.trace, chrome_trace(p));
  if (o.json) return print(to_json(p));
  print_table(p);
}

}  // namespace

void add_profile(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("profile", "Where the time of a model goes, step by step");
  c->add_option("model", o->model, "A .gguf file (without it, the built-in model)");
  c->add_option("-n,--tokens", o->profile.tokens, "Tokens in one run: 1 decodes, more is prefill")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  c->add_option("-d,--depth", o->profile.depth, "Tokens that are in the cache before")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  c->add_option("-r,--repetitions", o->profile.repetitions, "Runs to add up")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  c->add_option("--cache-type", o->cache_type, "Of keys and values: f32, f16, bf16, q8_0 or q4_0")
      ->capture_default_str();
  c->add_option("--html", o->html, "Write a page with bars");
  c->add_option("--trace", o->trace, "Write a trace for chrome://tracing or Perfetto");
  c->add_flag("--json", o->json, "Print a JSON object");
  c->callback([c, o] {
    o->profile.threads = global_threads(*c);
    run(*o);
  });
}

}  // namespace bantam::cli
