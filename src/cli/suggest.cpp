#include "runtime/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "base/error.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "text/unicode.h"

namespace bantam::cli {
namespace {

struct Options {
  std::vector<std::string> words;
  SuggestOptions suggest;
  bool type = false;
  bool summary = false;
  int64_t prepare = 0;
  bool json = false;
};

struct Keystroke {
  std::string text;
  double seconds = 0;
  Suggester::Work work;
  std::vector<Suggestion> suggestions;
};

Json to_json(const std::vector<Suggestion>& suggestions) {
  Json json = Json::array();
  for (const Suggestion& s : suggestions) {
    json.push_back({{"word", s.word}, {"probability", s.probability}, {"completes", s.completes}});
  }
  return json;
}

void suggest_once(Suggester& keyboard, const Options& o) {
  const auto words = keyboard.suggest(join(o.words));
  if (o.json) return print(to_json(words));
  if (words.empty()) std::cerr << "no suggestion\n";
  Table t;
  for (const Suggestion& s : words) {
    t.row({s.word, fmt::format("{:.2f} %", 100 * s.probability), s.completes ? "completes" : ""});
  }
  std::cout << t.str();
}

// "... to the sto": the end of a text, in one line.
std::string end_of(const std::string& text) {
  static constexpr size_t kWidth = 24;
  size_t begin = text.size() > kWidth ? text.size() - kWidth : 0;
  while (begin < text.size() && (text[begin] & 0xC0) == 0x80) ++begin;
  std::string end = text.substr(begin);
  std::replace(end.begin(), end.end(), '\n', ' ');
  return fmt::format("{:>{}}", end, kWidth);
}

void show(const Keystroke& k) {
  std::cout << fmt::format("{}|  {:>5.2f} ms ", end_of(k.text), 1e3 * k.seconds);
  for (const Suggestion& s : k.suggestions) {
    std::cout << fmt::format("  {}{} {:.0f} %", s.completes ? "" : "_", s.word,
                             100 * s.probability);
  }
  std::cout << "\n";
}

double percentile(const std::vector<double>& sorted, double share) {
  const auto last = static_cast<double>(sorted.size() - 1);
  return sorted[static_cast<size_t>(share * last + 0.5)];
}

// Types a text character by character, as a person would, and asks after each.
std::vector<Keystroke> type(Suggester& keyboard, const std::string& text, const Options& o) {
  std::vector<Keystroke> keystrokes;
  for (size_t end = 0; end < text.size();) {
    end += decode_utf8(text, end).size;
    Keystroke k{text.substr(0, end), 0, {}, {}};
    const Suggester::Work before = keyboard.work();
    const auto start = std::chrono::steady_clock::now();
    k.suggestions = keyboard.suggest(k.text);
    k.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    k.work = keyboard.work() - before;
    if (!o.json && !o.summary) show(k);
    keystrokes.push_back(std::move(k));
    keyboard.prepare(o.prepare);
  }
  if (keystrokes.empty()) fail(ErrorKind::usage, "suggest", "expected a text to type, got none");
  return keystrokes;
}

struct Summary {
  explicit Summary(const std::vector<Keystroke>& keystrokes) {
    for (const Keystroke& k : keystrokes) {
      seconds.push_back(k.seconds);
      paths += static_cast<double>(k.work.paths);
      rows += static_cast<double>(k.work.rows);
      runs += static_cast<double>(k.work.runs);
    }
    std::sort(seconds.begin(), seconds.end());
    for (double* sum : {&paths, &rows, &runs}) *sum /= static_cast<double>(keystrokes.size());
  }
  std::vector<double> seconds;           // ascending
  double paths = 0, rows = 0, runs = 0;  // of a keystroke
};

void print_json(const std::vector<Keystroke>& keystrokes, bool summary) {
  const Summary all(keystrokes);
  Json json = {{"keystrokes", keystrokes.size()},
               {"p50_seconds", percentile(all.seconds, 0.5)},
               {"p95_seconds", percentile(all.seconds, 0.95)},
               {"p99_seconds", percentile(all.seconds, 0.99)},
               {"most_seconds", all.seconds.back()},
               {"paths", all.paths},
               {"rows", all.rows},
               {"runs", all.runs},
               {"peak_rss_bytes", peak_resident_bytes()}};
  for (const Keystroke& k : keystrokes) {
    if (summary) break;
    json["typed"].push_back({{"text", k.text},
                             {"seconds", k.seconds},
                             {"paths", k.work.paths},
                             {"rows", k.work.rows},
                             {"runs", k.work.runs},
                             {"suggestions", to_json(k.suggestions)}});
  }
  print(json);
}

void print_summary(const std::vector<Keystroke>& keystrokes) {
  const Summary all(keystrokes);
  std::cout << fmt::format(
      "{} keystrokes: p50 {:.2f}, p95 {:.2f}, p99 {:.2f}, at most {:.2f} ms\n"
      "each: {:.1f} paths, {:.1f} rows in {:.1f} runs of the model; peak memory {}\n",
      keystrokes.size(), 1e3 * percentile(all.seconds, 0.5), 1e3 * percentile(all.seconds, 0.95),
      1e3 * percentile(all.seconds, 0.99), 1e3 * all.seconds.back(), all.paths, all.rows, all.runs,
      human_bytes(peak_resident_bytes()));
}

void suggest(Options o) {
  const std::string path = take_model(o.words);
  if (o.words.empty() && !o.type) fail(ErrorKind::usage, "suggest", "expected a text, got none");
  Suggester keyboard(open_model(path), o.suggest);
  if (!o.type) return suggest_once(keyboard, o);
  const auto keystrokes = type(keyboard, o.words.empty() ? read_stdin() : join(o.words), o);
  if (o.json) return print_json(keystrokes, o.summary);
  print_summary(keystrokes);
}

}  // namespace

void add_suggest(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("suggest", "The most probable next words, as a keyboard does");
  c->add_option("words", o->words, "A .gguf file (or the built-in model), then the text");
  c->add_option("-n,--count", o->suggest.count, "How many")->capture_default_str();
  c->add_flag("--type", o->type,
              "Type the text (or standard input) letter by letter and time each answer");
  c->add_flag("--summary", o->summary, "With --type: print the times only");
  c->add_option("--prepare", o->prepare,
                "With --type: paths to look into after each answer, while nobody waits")
      ->capture_default_str();
  c->add_flag("--json", o->json, "Print JSON");
  c->callback([c, o] {
    o->suggest.threads = global_threads(*c);
    suggest(*o);
  });
}

}  // namespace bantam::cli
