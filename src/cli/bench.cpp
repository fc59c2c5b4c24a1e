#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "base/cpu_features.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "runtime/session.h"

namespace bantam::cli {
namespace {

struct Options {
  std::string model, cache_type = "f16";
  int64_t prompt = 512, tokens = 128, repetitions = 5;
  int threads = 0;
  bool json = false;
};

// Rates of the repetitions, slowest first.
struct Rates {
  std::vector<double> values;
  void add(double value) {
    values.insert(std::upper_bound(values.begin(), values.end(), value), value);
  }
  [[nodiscard]] double median() const { return values[values.size() / 2]; }
  [[nodiscard]] double least() const { return values.front(); }
  [[nodiscard]] double most() const { return values.back(); }
};

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void measure(Session& session, const Options& o, Rates& prefill, Rates& decode) {
  const int64_t vocabulary = session.engine().vocab_size();
  const auto token = [&](int64_t i) { return static_cast<int32_t>((i * 7919 + 13) % vocabulary); };
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < o.prompt; ++i) ids.push_back(token(i));
  for (int64_t r = -1; r < o.repetitions; ++r) {  // the first only warms up
    session.rewind(0);
    const double p = seconds_of([&] { session.feed(ids); });
    const double d = seconds_of([&] {
      for (int64_t i = 0; i < o.tokens; ++i) {
        const int32_t next = token(o.prompt + i);
        session.feed(std::span(&next, 1));
      }
    });
    if (r < 0) continue;
    prefill.add(static_cast<double>(o.prompt) / p);
    decode.add(static_cast<double>(o.tokens) / d);
  }
}

void bench(Options o) {
  const auto model = open_model(o.model);
  EngineOptions options;
  options.threads = o.threads;
  options.cache_type = parse_cache_type(o.cache_type);
  // Within what the model was made for: the prompt gives way.
  o.tokens = std::min(o.tokens, model->config.context_length - 1);
  o.prompt = std::min(o.prompt, model->config.context_length - o.tokens);
  options.context = o.prompt + o.tokens;
  const auto engine = std::make_shared<Engine>(model, options);
  Session session(engine);
  Rates prefill, decode;
  measure(session, o, prefill, decode);
  if (o.json) {
    const auto rates = [](const Rates& r, int64_t n) {
      return Json{{"tokens", n}, {"median", r.median()}, {"least", r.least()}, {"most", r.most()}};
    };
    return print(Json{{"model", model->name},
                      {"threads", engine->threads()},
                      {"prefill_tokens_per_second", rates(prefill, o.prompt)},
                      {"decode_tokens_per_second", rates(decode, o.tokens)},
                      {"weight_bytes", model->weight_bytes()},
                      {"peak_memory_bytes", peak_resident_bytes()}});
  }
  Table t;
  t.row({fmt::format("{}, {}, {} threads", model->name, dtype_info(model->main_type()).name,
                     engine->threads()),
         "tokens", "median tokens/s", "least", "most"});
  const auto row = [&](const char* name, int64_t n, const Rates& r) {
    t.row({name, fmt::format("{}", n), fmt::format("{:.1f}", r.median()),
           fmt::format("{:.1f}", r.least()), fmt::format("{:.1f}", r.most())});
  };
  row("prefill", o.prompt, prefill);
  row("decode", o.tokens, decode);
  std::cout << t.str()
            << fmt::format("decode reads {:.2f} GB/s of weights; peak memory {}\n",
                           decode.median() * static_cast<double>(model->weight_bytes()) * 1e-9,
                           human_bytes(peak_resident_bytes()));
}

void list_isas() {
  const uint32_t allowed = allowed_isas();
  static constexpr Isa kAll[] = {Isa::x86_avx2,    Isa::x86_avx512, Isa::x86_vnni,
                                 Isa::x86_bf16,    Isa::x86_amx,    Isa::arm_neon,
                                 Isa::arm_dotprod, Isa::arm_i8mm,   Isa::arm_bf16};
  Table t;
  t.row({"scalar", "in use"});
  for (const Isa isa : kAll) {
    const auto bit = static_cast<uint32_t>(isa);
    if ((detected_isas() & bit) == 0) continue;
    t.row({std::string(isa_name(isa)), (allowed & bit) != 0 ? "in use" : "ruled out"});
  }
  std::cout << t.str()
            << "Names for --isa: " << fmt::format("{}\n", fmt::join(available_isas(), ", "));
}

}  // namespace

void add_bench(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("bench", "Speed of a model on this machine");
  c->add_option("model", o->model, "A .gguf file (without it, the built-in model)");
  c->add_option("-p,--prompt", o->prompt, "Tokens to read at once")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  c->add_option("-n,--tokens", o->tokens, "Tokens to generate one by one")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  c->add_option("-r,--repetitions", o->repetitions, "After one to warm up")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  c->add_option("--cache-type", o->cache_type, "Of keys and values: f32, f16 or bf16")
      ->capture_default_str();
  c->add_flag("--json", o->json, "Print a JSON object");
  c->callback([c, o] {
    o->threads = global_threads(*c);
    bench(*o);
  });
}

void add_isa(CLI::App& app) {
  app.add_subcommand("isa", "Instruction sets that this machine offers to the kernels")
      ->callback(list_isas);
}

}  // namespace bantam::cli
