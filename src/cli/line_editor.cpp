#include "cli/line_editor.h"

#include <histedit.h>

#include <clocale>
#include <iostream>

#include "cli/common.h"

namespace bantam::cli {

// libedit keeps its state in C objects; `prompt` and `cancelled` are what its callbacks use.
struct LineEditor::Terminal {
  Terminal() {
    history_init();
    el_set(editor, EL_CLIENTDATA, this);
    el_set(editor, EL_PROMPT, &Terminal::show_prompt);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_HIST, history, past);
    // Ctrl-C is a key here: it drops the line and not the program.
    el_set(editor, EL_SETTY, "-d", "-isig", nullptr);
    el_set(editor, EL_ADDFN, "cancel-line", "Drop the line", &Terminal::cancel);
    el_set(editor, EL_BIND, "^C", "cancel-line", nullptr);
  }
  ~Terminal() {
    el_end(editor);
    history_end(past);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void history_init() {
    HistEvent event;
    past = ::history_init();
    ::history(past, &event, H_SETSIZE, 1000);
    ::history(past, &event, H_SETUNIQUE, 1);
  }

  static Terminal& of(EditLine* editor) {
    void* data = nullptr;
    el_get(editor, EL_CLIENTDATA, &data);
    return *static_cast<Terminal*>(data);
  }
  static char* show_prompt(EditLine* editor) { return of(editor).prompt.data(); }
  static unsigned char cancel(EditLine* editor, int /*key*/) {
    of(editor).cancelled = true;
    return CC_NEWLINE;
  }

  // libedit asks the locale for the encoding when it starts.
  static EditLine* start() {
    std::setlocale(LC_CTYPE, "");
    return el_init("bantam", stdin, stdout, stderr);
  }

  EditLine* editor = start();
  History* past = nullptr;
  std::string prompt;
  bool cancelled = false;
};

LineEditor::LineEditor() {
  if (stdin_is_terminal() && stdout_is_terminal()) terminal_ = std::make_unique<Terminal>();
}

LineEditor::~LineEditor() = default;

bool LineEditor::interactive() const {
  return terminal_ != nullptr;
}

std::optional<std::string> LineEditor::read_line(const std::string& prompt) {
  if (terminal_ == nullptr) {
    std::string line;
    if (!std::getline(std::cin, line)) return {};
    return line;
  }
  terminal_->prompt = prompt;
  terminal_->cancelled = false;
  int size = 0;
  const char* typed = el_gets(terminal_->editor, &size);
  if (terminal_->cancelled) {
    std::cout << std::endl;
    return "";
  }
  if (typed == nullptr || size <= 0) return {};
  std::string line(typed, static_cast<size_t>(size));
  if (line.ends_with('\n')) line.pop_back();
  if (!line.empty()) {
    HistEvent event;
    history(terminal_->past, &event, H_ENTER, line.c_str());
  }
  return line;
}

std::optional<std::string> LineEditor::read(const std::string& prompt) {
  std::optional<std::string> line = read_line(prompt);
  while (line && line->ends_with('\\')) {
    line->back() = '\n';
    const std::optional<std::string> more = read_line("| ");
    if (!more) break;
    *line += *more;
  }
  return line;
}

void LineEditor::offer(const std::string& text) {
  // Keys as if typed; a line end would send the text off.
  std::string keys = text;
  for (char& c : keys) c = c == '\n' ? ' ' : c;
  if (terminal_ != nullptr) el_push(terminal_->editor, keys.c_str());
}

}  // namespace bantam::cli
