#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "cli/cache.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/head.h"
#include "cli/sampling.h"
#include "runtime/beam_search.h"
#include "runtime/memory_fit.h"
#include "runtime/session.h"
#include "runtime/state_file.h"

namespace bantam::cli {
namespace {

struct RunOptions {
  std::vector<std::string> words;
  std::string prompt, file, ids, memory, save_state, load_state;
  std::string head = "full";
  CacheFlags cache;
  GenerateOptions generate;
  BeamOptions beam{.beams = 1};
  int64_t context = 0;
  int threads = 0;
  int echo = -1;  // -1: on a terminal
  bool greedy = false, stats = false, json = false, exact = false;
};

std::string prompt_text(const RunOptions& o) {
  const int given = (!o.words.empty() ? 1 : 0) + (!o.prompt.empty() ? 1 : 0) +
                    (!o.file.empty() ? 1 : 0) + (!o.ids.empty() ? 1 : 0);
  if (given > 1) {
    fail(ErrorKind::usage, "run", "expected one prompt (as words, -p, -f or --ids), got {}", given);
  }
  if (!o.words.empty()) return join(o.words);
  if (!o.prompt.empty()) return o.prompt;
  if (!o.file.empty()) return read_text_file(o.file);
  if (!o.ids.empty() || !o.load_state.empty()) return "";
  if (stdin_is_terminal()) {
    fail(ErrorKind::usage, "run", "expected a prompt, as in: bantam run \"Once upon a time\"");
  }
  std::string text = read_stdin();
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

// No longer a cache and no wider a batch than this prompt and its continuation can use, after the
// tokens that are loaded.
EngineOptions engine_options(const RunOptions& o, const Model& model, int64_t prompt,
                             int64_t loaded) {
  EngineOptions options;
  options.threads = o.threads;
  options.sequences = o.beam.beams;
  options.sources = 1;
  options.context = o.context;
  const int64_t longest = o.context > 0 ? o.context : model.config.context_length;
  const bool reads_source = model.config.reads_source();
  if (o.context == 0 && o.generate.max_tokens > 0) {
    options.context =
        std::min(longest, loaded + (reads_source ? 1 : prompt) + o.generate.max_tokens);
  }
  options.source_context = std::min(prompt, longest);
  options.batch =
      std::max(o.beam.beams, reads_source ? 1 : std::clamp<int64_t>(prompt, 1, options.batch));
  set_cache(o.cache, options);
  set_head(o.head, o.generate.sampler, options);
  options.exact = o.exact;
  if (o.memory.empty()) return options;
  options = fit_memory(model, options, parse_bytes(o.memory, "--memory"));
  if (options.batch < o.beam.beams) {
    fail(ErrorKind::resource, model.name, "--memory: expected room for {} beams, got it for {}",
         o.beam.beams, options.batch);
  }
  return options;
}

std::vector<int32_t> ids_of(const RunOptions& o, const Model& model, const std::string& text) {
  if (!o.ids.empty()) return parse_ids(o.ids);
  if (o.load_state.empty()) return prompt_ids(model, text);
  return text.empty() ? std::vector<int32_t>()
                      : tokenizer_of(model).encode(text, {.special = false});
}

StateFile load_state(const RunOptions& o, const Model& model) {
  if (!o.load_state.empty() || !o.save_state.empty()) expect_no_source(model);
  return o.load_state.empty() ? StateFile() : read_state(o.load_state);
}

// With the last token, which was printed but not read.
void save_state(const RunOptions& o, Session& session, const GenerateResult& result) {
  const bool is_read = result.reason == StopReason::eos;
  if (!is_read && !result.tokens.empty() && session.position() < session.context()) {
    session.feed(std::span(result.tokens).last(1));
  }
  write_state(o.save_state, session);
}

double rate(int64_t tokens, double seconds) {
  return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
}

int64_t decoded(const GenerateResult& r) {
  return std::max<int64_t>(0, static_cast<int64_t>(r.tokens.size()) - 1);
}

void print_stats(const GenerateResult& r, const Engine& engine) {
  const MemoryPlan& m = engine.memory();
  const int64_t peak = peak_resident_bytes();
  Table t;
  t.row({"prompt", fmt::format("{} tokens", r.prompt_tokens),
         fmt::format("{:.1f} tokens/s", rate(r.prompt_tokens, r.prefill_seconds))});
  t.row({"first token", human_seconds(r.first_token_seconds)});
  t.row({"generated", fmt::format("{} tokens", r.tokens.size()),
         fmt::format("{:.1f} tokens/s", rate(decoded(r), r.decode_seconds))});
  if (engine.options().screened_head) {
    t.row({"output head", fmt::format("{:.2f} % computed", 100 * r.head_share)});
  }
  t.row({"stopped by", std::string(stop_reason_name(r.reason))});
  t.row({"peak memory", human_bytes(peak)});
  t.row({"  predicted", human_bytes(m.total())});
  t.row(
      {engine.options().stream > 0 ? "  weights, streamed" : "  weights", human_bytes(m.weights)});
  t.row({"  cache", human_bytes(m.cache)});
  t.row({"  activations", human_bytes(m.activations + m.buffers)});
  t.row({"  program, tokenizer, plan", human_bytes(m.process)});
  std::cerr << "\n" << t.str();
}

Json to_json(const GenerateResult& r, const Engine& engine) {
  const MemoryPlan& m = engine.memory();
  const int64_t peak = peak_resident_bytes();
  return {{"text", r.text},
          {"tokens", r.tokens},
          {"stopped_by", stop_reason_name(r.reason)},
          {"prompt_tokens", r.prompt_tokens},
          {"prefill_tokens_per_second", rate(r.prompt_tokens, r.prefill_seconds)},
          {"first_token_seconds", r.first_token_seconds},
          {"decode_tokens_per_second", rate(decoded(r), r.decode_seconds)},
          {"head_share", r.head_share},
          {"memory",
           {{"peak_bytes", peak},
            {"predicted_bytes", m.total()},
            {"weights_bytes", m.weights},
            {"cache_bytes", m.cache},
            {"activations_bytes", m.activations + m.buffers},
            {"process_bytes", m.process}}}};
}

// What an encoder-decoder writes is no continuation of what it reads.
void show_prompt(const RunOptions& o, const Model& model, std::string text) {
  const bool apart = model.config.reads_source();
  if (o.json || o.echo == 0 || (o.echo < 0 && (apart || !stdout_is_terminal()))) return;
  if (!o.ids.empty() && model.tokenizer != nullptr) {
    text = model.tokenizer->decode(parse_ids(o.ids));
  }
  std::cout << (stdout_is_terminal() ? fmt::format("\x1b[1m{}\x1b[0m", text) : text)
            << (apart ? "\n" : "") << std::flush;
}

void print_hypotheses(const RunOptions& o, const BeamResult& r, const Engine& engine) {
  // What is measured of one text is measured of the best.
  const Hypothesis& best = r.hypotheses.front();
  GenerateResult facts{best.text,         best.tokens,       best.reason,     r.prompt_tokens,
                       r.prefill_seconds, r.prefill_seconds, r.decode_seconds};
  if (o.json) {
    Json json = to_json(facts, engine);
    for (const Hypothesis& h : r.hypotheses) {
      json["hypotheses"].push_back({{"text", h.text},
                                    {"tokens", h.tokens},
                                    {"score", h.score},
                                    {"log_probability", h.log_probability},
                                    {"stopped_by", stop_reason_name(h.reason)}});
    }
    return print(json);
  }
  for (const Hypothesis& h : r.hypotheses) {
    if (o.beam.best > 1) std::cout << fmt::format("{:.4f}\t", h.score);
    std::cout << (engine.model().tokenizer != nullptr ? h.text
                                                      : fmt::format("{}", fmt::join(h.tokens, ",")))
              << "\n";
  }
  std::cout << std::flush;
  if (o.stats) print_stats(facts, engine);
}

void run(RunOptions o) {
  if (o.greedy) o.generate.sampler.temperature = 0;
  check_sampler_options(o.generate.sampler);
  const std::string path = take_model(o.words);
  const std::string text = prompt_text(o);
  const std::shared_ptr<const Model> model = open_model(path);
  const StateFile state = load_state(o, *model);
  const std::vector<int32_t> ids = ids_of(o, *model, text);
  o.beam.max_tokens = o.generate.max_tokens;
  o.beam.ignore_eos = o.generate.ignore_eos;
  check_beam_options(o.beam);
  const auto engine = std::make_shared<Engine>(
      model, engine_options(o, *model, static_cast<int64_t>(ids.size()),
                            static_cast<int64_t>(state.saved.memory.tokens.size())));
  if (o.beam.beams > 1) {
    show_prompt(o, *model, text);
    return print_hypotheses(o, beam_search(engine, ids, o.beam), *engine);
  }
  Session session(engine);
  if (!o.load_state.empty()) restore_state(session, state, o.load_state);

  const Interrupt interrupt;
  show_prompt(o, *model, text);
  const GenerateResult result = session.generate(ids, o.generate, [&](std::string_view piece) {
    if (!o.json) std::cout << piece << std::flush;
    return !interrupt.requested() && std::cout.good();
  });
  if (!o.save_state.empty()) save_state(o, session, result);
  if (o.json) return print(to_json(result, *engine));
  if (model->tokenizer == nullptr) std::cout << fmt::format("{}", fmt::join(result.tokens, ","));
  std::cout << std::endl;
  if (o.stats || interrupt.requested()) print_stats(result, *engine);
}

void add_beams(CLI::App& c, BeamOptions& o) {
  const char* group = "Beam search, in place of sampling";
  CLI::Option* beams =
      c.add_option("--beams", o.beams, "Keep the best so many texts at each step; 1: none of this")
          ->capture_default_str()
          ->group(group);
  c.add_option("--best", o.best, "Print the best so many, each with its score")
      ->capture_default_str()
      ->group(group);
  c.add_option("--length-penalty", o.length_penalty,
               "Scores are log p / length^this: more favours longer texts")
      ->capture_default_str()
      ->group(group);
  c.add_flag("--early-stopping", o.early_stopping, "Stop when as many texts as beams have ended")
      ->group(group);
  for (const char* other : {"--temperature", "--top-k", "--top-p", "--min-p",
                            "--repetition-penalty", "--seed", "--stop", "--head"})
    beams->excludes(c.get_option(other));
}

}  // namespace

void add_run(CLI::App& app) {
  auto o = std::make_shared<RunOptions>();
  CLI::App* c = app.add_subcommand("run", "Continue a text, or write one from a source");
  c->add_option("words", o->words,
                "A .gguf file (without it, the built-in model), then the prompt");
  c->add_option("-p,--prompt", o->prompt, "The prompt");
  c->add_option("-f,--file", o->file, "A file that holds the prompt");
  c->add_option("--ids", o->ids, "The prompt as token ids: 1,2,3");
  c->add_option("-n,--max-tokens", o->generate.max_tokens, "0: until the context is full")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  c->add_option("--stop", o->generate.stop, "Ends the text before this string; repeatable")
      ->allow_extra_args(false);
  c->add_flag("--ignore-eos", o->generate.ignore_eos, "Go on after the end of the text");
  c->add_flag("--echo{1},--no-echo{0}", o->echo, "Print the prompt too; the default on a terminal");
  c->add_option("--context", o->context, "Longest text in tokens; 0: what the model was made for")
      ->check(CLI::NonNegativeNumber);
  c->add_option("--memory", o->memory, "Most memory that the process may take: 900M, 1.5G");
  add_cache(*c, o->cache);
  add_head(*c, o->head);
  add_exact(*c, o->exact);
  CLI::Option* load = c->add_option("--load-state", o->load_state,
                                    "Go on from this saved state: the prompt follows its text");
  CLI::Option* save =
      c->add_option("--save-state", o->save_state, "Save afterwards what the model remembers");
  c->add_flag("--stats", o->stats, "Print speed and memory afterwards");
  c->add_flag("--json", o->json, "Print one JSON object at the end");
  add_sampling(*c, o->generate.sampler, o->greedy);
  add_beams(*c, o->beam);
  for (CLI::Option* state : {load, save}) state->excludes(c->get_option("--beams"));
  c->callback([c, o] {
    o->threads = global_threads(*c);
    run(*o);
  });
}

}  // namespace bantam::cli
