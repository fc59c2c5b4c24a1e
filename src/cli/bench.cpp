#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "base/cpu_features.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/head.h"
#include "eval/speed.h"

namespace bantam::cli {
namespace {

struct Options {
  std::vector<std::string> models;
  std::string cache_type = "f16";
  std::vector<int> threads;
  std::vector<int64_t> depths{0}, sequences{1};
  std::vector<std::string> layouts{"interleaved"}, heads{"full"};
  SpeedOptions speed;
  double sustain_minutes = 0;
  bool json = false, markdown = false;
};

const std::vector<std::string> kLayouts = {"interleaved", "file"};

std::string layout_name(const Speed& s) {
  return kLayouts[s.options.interleave ? 0 : 1];
}

std::string head_name(const Speed& s) {
  return kHeads[s.options.screened_head ? 1 : 0];
}

// One model under one setting.
struct Line {
  std::string model, type;
  double load_seconds = 0;
  Speed speed;
};

// The widest instruction set that the kernels may use: the last name that is not ruled out.
std::string isa_in_use() {
  static constexpr Isa kOrder[] = {Isa::x86_amx,     Isa::x86_bf16, Isa::x86_vnni, Isa::x86_avx512,
                                   Isa::x86_avxvnni, Isa::x86_avx2, Isa::arm_i8mm, Isa::arm_bf16,
                                   Isa::arm_dotprod, Isa::arm_neon};
  for (const Isa isa : kOrder) {
    if ((allowed_isas() & static_cast<uint32_t>(isa)) != 0) return std::string(isa_name(isa));
  }
  return "scalar";
}

Json to_json(const Line& l) {
  const Speed& s = l.speed;
  const auto spread = [](const Samples& v) {
    return Json{{"least", v.quantile(0)}, {"most", v.quantile(1)}};
  };
  Json periods = Json::array();
  for (const Period& p : s.sustained)
    periods.push_back({{"seconds", p.begin}, {"tokens_per_second", p.tokens_per_second}});
  return {{"model", l.model},
          {"type", l.type},
          {"layout", layout_name(s)},
          {"head", head_name(s)},
          {"threads", s.threads},
          {"isa", isa_in_use()},
          {"prompt_tokens", s.options.prompt},
          {"generated_tokens", s.options.tokens},
          {"depth", s.options.depth},
          {"sequences", s.options.sequences},
          {"prefill_tokens_per_second", s.prefill.median()},
          {"prefill_spread", spread(s.prefill)},
          {"decode_tokens_per_second", s.decode.median()},
          {"decode_spread", spread(s.decode)},
          {"token_seconds",
           {{"p50", s.token_seconds.quantile(0.5)},
            {"p95", s.token_seconds.quantile(0.95)},
            {"p99", s.token_seconds.quantile(0.99)}}},
          {"time_to_first_token_seconds", s.first_token_seconds.median()},
          {"load_seconds", l.load_seconds},
          {"start_seconds", s.start_seconds},
          {"bytes_per_token", s.bytes_per_token},
          {"read_bandwidth_bytes_per_second", s.read_bandwidth},
          {"roofline_fraction", s.roofline_fraction},
          {"prefill_operations_per_second", s.prefill_operations * s.prefill.median()},
          {"product_peak_operations_per_second", s.product_peak},
          {"prefill_roofline_fraction", s.prefill_roofline_fraction},
          {"peak_rss_bytes", s.peak_bytes},
          {"predicted_bytes", s.memory.total()},
          {"sustained", periods}};
}

std::vector<std::string> cells(const Line& l) {
  const Speed& s = l.speed;
  const auto rate = [](const Samples& v) { return fmt::format("{:.1f}", v.median()); };
  const auto spread = [](const Samples& v) {
    const double middle = std::max(v.median(), 1e-9);
    return fmt::format("{:.0f} %", 100 * (v.quantile(1) - v.quantile(0)) / middle);
  };
  const auto milliseconds = [&](double p) {
    return fmt::format("{:.2f}", 1e3 * s.token_seconds.quantile(p));
  };
  return {l.model,
          l.type,
          layout_name(s),
          head_name(s),
          fmt::format("{}", s.threads),
          fmt::format("{}", s.options.depth),
          fmt::format("{}", s.options.sequences),
          rate(s.prefill),
          spread(s.prefill),
          s.product_peak > 0 ? fmt::format("{:.0f} %", 100 * s.prefill_roofline_fraction) : "-",
          rate(s.decode),
          spread(s.decode),
          milliseconds(0.5),
          milliseconds(0.95),
          milliseconds(0.99),
          fmt::format("{:.1f}", s.bytes_per_token * s.decode.median() * 1e-9),
          fmt::format("{:.0f} %", 100 * s.roofline_fraction)};
}

const std::vector<std::string> kColumns = {
    "model",     "type",        "layout", "head",      "threads",    "depth",
    "sequences", "prefill t/s", "spread", "of peak",   "decode t/s", "spread",
    "p50 ms",    "p95 ms",      "p99 ms", "read GB/s", "of roofline"};

// How decoding went on: a bar for each period, and what was left at the end.
void print_sustained(const Line& l) {
  const std::vector<Period>& periods = l.speed.sustained;
  if (periods.empty()) return;
  const auto by_rate = [](const Period& a, const Period& b) {
    return a.tokens_per_second < b.tokens_per_second;
  };
  const auto [least, most] = std::minmax_element(periods.begin(), periods.end(), by_rate);
  Table t;
  t.row({"after", "decode t/s", ""});
  for (const Period& p : periods) {
    constexpr int kWidth = 40;
    const double share = p.tokens_per_second / std::max(most->tokens_per_second, 1e-9);
    t.row({human_seconds(p.begin), fmt::format("{:.1f}", p.tokens_per_second),
           fmt::format("{:<{}}", std::string(static_cast<size_t>(kWidth * share), '#'), kWidth)});
  }
  std::cout << fmt::format("\n{}, {} threads, sustained\n{}", l.model, l.speed.threads, t.str())
            << fmt::format("first {:.1f}, least {:.1f}, last {:.1f} t/s: {:.0f} % of the first\n",
                           periods.front().tokens_per_second, least->tokens_per_second,
                           periods.back().tokens_per_second,
                           100 * periods.back().tokens_per_second /
                               std::max(periods.front().tokens_per_second, 1e-9));
}

void print_table(const std::vector<Line>& lines, bool markdown) {
  Table t;
  t.row(kColumns);
  for (const Line& l : lines) t.row(cells(l));
  const Line& last = lines.back();
  const SpeedOptions& o = last.speed.options;
  // Of several runs in one process the peak is that of the largest.
  const std::string memory = lines.size() > 1 ? ""
                                              : fmt::format(", peak memory {} (predicted {})",
                                                            human_bytes(last.speed.peak_bytes),
                                                            human_bytes(last.speed.memory.total()));
  std::cout << (markdown ? t.markdown() + "\n" : t.str())
            << fmt::format(
                   "{} tokens read, {} generated, median of {}; {}; load {}, first token {}{}\n",
                   o.prompt, o.tokens, o.repetitions, isa_in_use(),
                   human_seconds(last.load_seconds + last.speed.start_seconds),
                   human_seconds(last.speed.first_token_seconds.median()), memory);
}

// Every setting of the options, in the order of the table.
std::vector<SpeedOptions> settings(const Options& o) {
  std::vector<SpeedOptions> all;
  SpeedOptions s = o.speed;
  s.sustain_seconds = 60 * o.sustain_minutes;
  s.on_sustained = [](double done) { show_progress("sustained", done); };
  for (const int threads : o.threads) {
    s.threads = threads;
    for (const int64_t sequences : o.sequences) {
      s.sequences = sequences;
      for (const int64_t depth : o.depths) {
        s.depth = depth;
        for (const std::string& layout : o.layouts) {
          s.interleave = layout == kLayouts[0];
          for (const std::string& head : o.heads) {
            s.screened_head = head == kHeads[1];
            all.push_back(s);
          }
        }
      }
    }
  }
  return all;
}

void bench(Options o) {
  if (o.models.empty()) o.models.emplace_back();
  if (o.threads.empty()) o.threads.push_back(0);
  o.speed.cache_type = parse_cache_type(o.cache_type);
  std::vector<Line> lines;
  Json all = Json::array();
  for (const std::string& path : o.models) {
    const auto start = std::chrono::steady_clock::now();
    const auto model = open_model(path);
    const std::chrono::duration<double> load = std::chrono::steady_clock::now() - start;
    const std::string type(dtype_info(model->main_type()).name);
    for (const SpeedOptions& setting : settings(o)) {
      lines.push_back({model->name, type, load.count(), measure_speed(model, setting)});
      all.push_back(to_json(lines.back()));
    }
  }
  if (o.json) return print(all.size() == 1 ? all.front() : all);
  print_table(lines, o.markdown);
  for (const Line& l : lines) print_sustained(l);
}

}  // namespace

void add_bench(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("bench", "Speed of models on this machine, beside its limits");
  c->add_option("models", o->models, ".gguf files (without one, the built-in model)");
  c->add_option("-p,--prompt", o->speed.prompt, "Tokens to read at once")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  c->add_option("-n,--tokens", o->speed.tokens, "Tokens to generate one by one")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  c->add_option("-d,--depth", o->depths, "Tokens that are in the cache before; several: 0,512")
      ->delimiter(',')
      ->check(CLI::NonNegativeNumber);
  c->add_option("-s,--sequences", o->sequences, "Texts that advance together; several: 1,4")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  c->add_option("--try-threads", o->threads, "Thread counts to compare: 1,2,4")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  c->add_option("--layouts", o->layouts,
                "Of quantised weights: interleaved for the kernels, or as in the file")
      ->delimiter(',')
      ->check(CLI::IsMember(kLayouts));
  c->add_option("--heads", o->heads, "Output heads, full or screened (as that of run --greedy)")
      ->delimiter(',')
      ->check(CLI::IsMember(kHeads));
  c->add_option("-r,--repetitions", o->speed.repetitions, "After one to warm up")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  c->add_option("--cache-type", o->cache_type, "Of keys and values: f32, f16, bf16, q8_0 or q4_0")
      ->capture_default_str();
  c->add_option("--sustain", o->sustain_minutes,
                "Minutes to go on generating, to see what heat and neighbours leave")
      ->check(CLI::NonNegativeNumber);
  c->add_flag("--markdown", o->markdown, "Print the table as Markdown");
  c->add_flag("--json", o->json, "Print one JSON object, or an array of them for several settings");
  c->callback([c, o] {
    if (o->threads.empty() && global_threads(*c) > 0) o->threads.push_back(global_threads(*c));
    bench(*o);
  });
}

}  // namespace bantam::cli
