#include "runtime/chat.h"

#include <fmt/format.h>

#include <charconv>
#include <functional>
#include <iostream>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "cli/cache.h"
#include "cli/commands.h"
#include "cli/common.h"
#include "cli/head.h"
#include "cli/line_editor.h"
#include "cli/sampling.h"

namespace bantam::cli {
namespace {

struct Options {
  std::string model, system, template_name;
  std::string head = "full";
  CacheFlags cache;
  GenerateOptions generate{.max_tokens = 1024, .sampler = {}, .stop = {}, .end_tokens = {}};
  int64_t context = 0;
  int threads = 0;
  bool greedy = false, stats = false;
};

// The conversation on the screen. Replies go to standard output; all else to standard error, so
// that a pipe gets the replies alone.
class Conversation {
 public:
  Conversation(const Options& o, std::shared_ptr<Engine> engine)
      : options_(o.generate),
        always_stats_(o.stats),
        engine_(std::move(engine)),
        chat_(engine_, o.template_name) {
    chat_.set_system(o.system);
  }

  void run() {
    greet();
    while (!done_) {
      const std::optional<std::string> line = editor_.read("> ");
      if (!line) break;
      if (line->empty()) continue;
      try {
        if (line->front() == '/') {
          command(*line);
        } else {
          reply([&](const auto& on_text) { return chat_.say(*line, options_, on_text); });
        }
      } catch (const Error& e) {
        if (e.kind() != ErrorKind::usage && !editor_.interactive()) throw;
        note(one_line(e.what()));
        failed_ = true;
      }
    }
    if (editor_.interactive()) std::cout << std::endl;
    // A script is told that something was wrong; a person has seen it.
    if (failed_ && !editor_.interactive()) {
      fail(ErrorKind::usage, "chat", "some lines had no effect, see above");
    }
  }

 private:
  using Generate = std::function<GenerateResult(const Session::OnText&)>;

  static void note(std::string_view text) { std::cerr << text << "\n"; }

  // A template that cannot work is told at once, not behind the first message. It may refuse this
  // one, though.
  void try_template() const {
    try {
      static_cast<void>(chat_.format().render(std::vector<ChatMessage>{{"user", "Hello"}}, true));
    } catch (const Error& e) {
      if (e.kind() != ErrorKind::usage) throw;
    }
  }

  void greet() {
    try_template();
    const ChatFormat& format = chat_.format();
    if (!format.own()) {
      note(
          "This model has no chat template: it sees a plain transcript and was perhaps never "
          "taught to chat.");
    } else if (!format.end_of_turn()) {
      note("The chat template puts no end token behind a reply: replies may run on.");
    }
    if (editor_.interactive()) {
      note(fmt::format("{}, context of {} tokens. /help lists commands, Ctrl-D ends.",
                       one_line(engine_->model().name), engine_->context()));
    }
  }

  void reply(const Generate& generate) {
    const Interrupt interrupt;
    bool begun = false;
    last_ = generate([&](std::string_view piece) {
      if (!begun) {  // the space that some formats put first is not shown
        const size_t first = piece.find_first_not_of(" \n");
        piece.remove_prefix(std::min(first, piece.size()));
        begun = !piece.empty();
      }
      std::cout << piece << std::flush;
      return !interrupt.requested() && std::cout.good();
    });
    std::cout << std::endl;
    if (last_.reason == StopReason::context_full) {
      note("The context is full: /undo takes back a turn, /clear starts anew.");
    } else if (last_.reason == StopReason::max_tokens) {
      note(fmt::format("Cut after {} tokens: -n or /params max-tokens allow more.",
                       last_.tokens.size()));
    }
    if (always_stats_) stats("");
  }

  struct Command {
    std::string_view name, help;
    void (Conversation::*run)(const std::string& argument);
  };
  static const Command kCommands[];

  void command(const std::string& line) {
    const size_t space = std::min(line.find_first_of(" \n"), line.size());
    const std::string name = line.substr(1, space - 1);
    const size_t begin = line.find_first_not_of(" \n", space);
    const std::string argument = begin == std::string::npos ? "" : line.substr(begin);
    for (const Command* c = kCommands; !c->name.empty(); ++c) {
      if (c->name == name) return (this->*c->run)(argument);
    }
    fail(ErrorKind::usage, "chat", "expected a command that /help lists, got \"/{}\"", name);
  }

  void help(const std::string& /*argument*/) {
    for (const Command* c = kCommands; !c->name.empty(); ++c) {
      note(fmt::format("/{:<8} {}", c->name, c->help));
    }
    note("A backslash at the end of a line goes on with the next. Ctrl-C stops a reply.");
  }
  void system(const std::string& text) {
    if (!text.empty()) return chat_.set_system(text == "none" ? "" : text);
    note(chat_.system().empty() ? "no system message" : chat_.system());
  }
  void clear(const std::string& /*argument*/) { chat_.clear(); }
  void retry(const std::string& /*argument*/) {
    ++options_.sampler.seed;  // the same seed would give the same reply
    reply([&](const auto& on_text) { return chat_.retry(options_, on_text); });
  }
  void undo(const std::string& /*argument*/) {
    const std::string message = chat_.undo();
    note(message.empty() ? "nothing to take back" : fmt::format("took back: {}", message));
  }
  void edit(const std::string& text) {
    if (!text.empty() || !editor_.interactive()) {
      if (text.empty()) fail(ErrorKind::usage, "/edit", "expected a text without a terminal");
      chat_.undo();
      return reply([&](const auto& on_text) { return chat_.say(text, options_, on_text); });
    }
    editor_.offer(chat_.undo());
  }
  void save(const std::string& path) {
    if (path.empty()) fail(ErrorKind::usage, "/save", "expected the name of a file");
    write_text_file(path, fmt::format("{}\n", chat_to_json(chat_.messages())));
    note(fmt::format("saved {} messages to {}", chat_.messages().size(), path));
  }
  void load(const std::string& path) {
    if (path.empty()) fail(ErrorKind::usage, "/load", "expected the name of a file");
    try {
      chat_.set_messages(chat_from_json(read_text_file(path), path));
    } catch (const Error& e) {
      fail(ErrorKind::usage, "/load", "{}", e.what());
    }
    note(fmt::format("loaded {} messages", chat_.messages().size()));
  }
  void params(const std::string& text);
  void stats(const std::string& /*argument*/) {
    const auto rate = [](size_t tokens, double seconds) {
      return seconds > 0 ? static_cast<double>(tokens) / seconds : 0;
    };
    const size_t decoded = last_.tokens.empty() ? 0 : last_.tokens.size() - 1;
    Table t;
    t.row({"read", fmt::format("{} new tokens", last_.prompt_tokens),
           fmt::format("{:.1f} tokens/s",
                       rate(static_cast<size_t>(last_.prompt_tokens), last_.prefill_seconds))});
    t.row({"written", fmt::format("{} tokens", last_.tokens.size()),
           fmt::format("{:.1f} tokens/s", rate(decoded, last_.decode_seconds))});
    t.row({"stopped by", std::string(stop_reason_name(last_.reason))});
    t.row({"context",
           fmt::format("{} of {} tokens", chat_.session().position(), engine_->context())});
    t.row({"memory", human_bytes(peak_resident_bytes()),
           fmt::format("{} predicted", human_bytes(engine_->memory().total()))});
    std::cerr << t.str();
  }
  void quit(const std::string& /*argument*/) { done_ = true; }

  GenerateOptions options_;
  bool always_stats_;
  std::shared_ptr<Engine> engine_;
  Chat chat_;
  LineEditor editor_;
  GenerateResult last_;
  bool done_ = false, failed_ = false;
};

const Conversation::Command Conversation::kCommands[] = {
    {"help", "this list", &Conversation::help},
    {"system", "show or set the system message; \"none\" removes it", &Conversation::system},
    {"clear", "forget all but the system message", &Conversation::clear},
    {"retry", "another reply to the last message", &Conversation::retry},
    {"undo", "take back the last message and its reply", &Conversation::undo},
    {"edit", "change the last message, or replace it by the text that follows",
     &Conversation::edit},
    {"save", "write the chat to a JSON file", &Conversation::save},
    {"load", "go on with a chat from a JSON file", &Conversation::load},
    {"params", "show the sampling, or set: /params temperature 0.5", &Conversation::params},
    {"stats", "speed and memory of the last reply", &Conversation::stats},
    {"quit", "end", &Conversation::quit},
    {"", "", nullptr},
};

template <typename T>
void parse_into(const std::string& text, T& value) {
  T parsed{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail(ErrorKind::usage, "/params", "expected a number, got \"{}\"", text);
  }
  value = parsed;
}

void Conversation::params(const std::string& text) {
  GenerateOptions changed = options_;
  SamplerOptions& s = changed.sampler;
  const auto visit = [&](const auto& f) {
    f("temperature", s.temperature);
    f("top-k", s.top_k);
    f("top-p", s.top_p);
    f("min-p", s.min_p);
    f("repetition-penalty", s.repetition_penalty);
    f("seed", s.seed);
    f("max-tokens", changed.max_tokens);
  };
  if (text.empty()) {
    visit([](std::string_view name, const auto& value) {
      note(fmt::format("{:<18}  {}", name, value));
    });
    return;
  }
  const size_t space = std::min(text.find(' '), text.size());
  const std::string wanted = text.substr(0, space);
  bool found = false;
  visit([&](std::string_view name, auto& value) {
    if (name != wanted) return;
    found = true;
    parse_into(text.substr(std::min(space + 1, text.size())), value);
  });
  if (!found) {
    fail(ErrorKind::usage, "/params", "expected a name that /params lists, got \"{}\"", wanted);
  }
  check_sampler_options(s);
  options_ = changed;
}

void chat(Options o) {
  if (o.greedy) o.generate.sampler.temperature = 0;
  check_sampler_options(o.generate.sampler);
  const std::shared_ptr<const Model> model = open_model(o.model);
  EngineOptions options;
  options.threads = o.threads;
  options.context = o.context;
  set_cache(o.cache, options);
  set_head(o.head, o.generate.sampler, options);
  Conversation(o, std::make_shared<Engine>(model, options)).run();
}

}  // namespace

void add_chat(CLI::App& app) {
  auto o = std::make_shared<Options>();
  CLI::App* c = app.add_subcommand("chat", "Talk with a model, turn by turn");
  c->add_option("model", o->model, "A .gguf file (without it, the built-in model)");
  c->add_option("-s,--system", o->system, "The system message: how the model should behave");
  c->add_option("--template", o->template_name, "Of several chat templates, the one of this name");
  c->add_option("-n,--max-tokens", o->generate.max_tokens,
                "Of a reply; 0: until the context is full")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  c->add_option("--stop", o->generate.stop, "Ends a reply before this string; repeatable")
      ->allow_extra_args(false);
  c->add_option("--context", o->context, "Longest chat in tokens; 0: what the model was made for")
      ->check(CLI::NonNegativeNumber);
  add_cache(*c, o->cache);
  add_head(*c, o->head);
  c->add_flag("--stats", o->stats, "Print speed and memory after each reply");
  add_sampling(*c, o->generate.sampler, o->greedy);
  c->callback([c, o] {
    o->threads = global_threads(*c);
    chat(*o);
  });
}

}  // namespace bantam::cli
