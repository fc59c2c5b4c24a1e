#include "cli/common.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>

#include "base/cores.h"
#include "base/error.h"
#include "base/thread_choice.h"
#include "base/thread_pool.h"
#include "runtime/default_model.h"

namespace bantam::cli {
namespace {

volatile sig_atomic_t interrupted = 0;

}  // namespace

std::shared_ptr<const Model> open_model(const std::string& path) {
  if (!path.empty()) return std::make_shared<Model>(load_model(path));
  if (const char* named = std::getenv("BANTAM_MODEL"); named != nullptr && *named != '\0') {
    return std::make_shared<Model>(load_model(named));
  }
  return default_model();
}

const Tokenizer& tokenizer_of(const Model& model) {
  if (model.tokenizer == nullptr) fail_without_tokenizer(model);
  return *model.tokenizer;
}

std::string printable(std::string_view text) {
  constexpr size_t kShown = 4000;
  const std::string_view shown = text.substr(0, kShown);
  std::string out;
  for (size_t i = 0; i < shown.size(); ++i) {
    const auto byte = static_cast<unsigned char>(shown[i]);
    const auto next = static_cast<unsigned char>(i + 1 < shown.size() ? shown[i + 1] : 0);
    const bool upper = byte == 0xC2 && next >= 0x80 && next < 0xA0;  // U+0080 to U+009F
    const bool lower = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7F;
    out += upper || lower ? fmt::format("\\x{:02x}", byte) : std::string(1, shown[i]);
  }
  return text.size() > kShown ? out + "..." : out;
}

std::string one_line(std::string_view text) {
  std::string out = printable(text);
  std::ranges::replace(out, '\n', ' ');
  std::ranges::replace(out, '\t', ' ');
  return out;
}

std::string take_model(std::vector<std::string>& words) {
  if (words.empty() || !words.front().ends_with(".gguf")) return "";
  // A lone name is a file even if it does not exist: a better message than continuing its name.
  const bool exists = std::filesystem::exists(words.front());
  if (!exists && words.front().find(' ') != std::string::npos) return "";
  std::string model = std::move(words.front());
  words.erase(words.begin());
  return model;
}

std::string join(std::span<const std::string> words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

int given_threads(const CLI::App& command) {
  const CLI::Option* threads = command.get_parent()->get_option("--threads");
  return threads->count() > 0 ? threads->as<int>() : 0;
}

void warn_of_ignored_masks() {
  if (masks_are_kept()) return;
  std::cerr << "bantam: this system ignores affinity masks: threads run on other processors than "
               "those they are bound to.\n";
}

void pin_threads() {
  warn_of_ignored_masks();
  ThreadPool::bind_workers();
}

int global_threads(const CLI::App& command) {
  if (command.get_parent()->count("--threads") > 0) return given_threads(command);
  const char* variable = std::getenv("BANTAM_THREADS");
  if (variable != nullptr && *variable != '\0') return 0;
  return remembered_threads().value_or(0);
}

std::vector<int32_t> parse_ids(const std::string& text) {
  std::vector<int32_t> ids;
  const char* at = text.data();
  const char* end = at + text.size();
  const auto separator = [](char c) { return c == ',' || c == ' ' || c == '\n' || c == '\t'; };
  while (true) {
    while (at != end && separator(*at)) ++at;
    if (at == end) return ids;
    int32_t id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    if (error != std::errc() || (next != end && !separator(*next)) || id < 0) {
      fail(ErrorKind::usage, "ids", "expected token ids like 1,2,3, got \"{}\"", text);
    }
    ids.push_back(id);
    at = next;
  }
}

std::string writable_types() {
  std::string names;
  for (int i = 0; i < static_cast<int>(DType::q8a); ++i) {
    const DTypeInfo& info = dtype_info(static_cast<DType>(i));
    if (info.dtype == DType::i32 || info.dtype == DType::i8 || info.from_float == nullptr) continue;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", info.name);
  }
  return names;
}

DType parse_dtype(const std::string& name, std::string_view option) {
  const std::optional<DType> dtype = dtype_from_name(name);
  if (dtype && dtype_info(*dtype).gguf_id >= 0 && *dtype != DType::i8 && *dtype != DType::i32) {
    return *dtype;
  }
  fail(ErrorKind::usage, option, "expected one of {}, got \"{}\"", writable_types(), name);
}

QuantizeOptions parse_weight_types(const std::string& name) {
  QuantizeOptions options;
  options.mixture = find_mixture(name);
  if (options.mixture != nullptr) return options;
  if (!dtype_from_name(name)) {
    fail(ErrorKind::usage, "--type", "expected one of {}, {}, got \"{}\"", writable_types(),
         fmt::join(mixture_names(), ", "), name);
  }
  options.type = parse_dtype(name, "--type");
  return options;
}

int64_t parse_bytes(const std::string& text, std::string_view option) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  std::string unit;
  for (const char* c = rest; c != end; ++c) {
    if (*c != ' ') unit += static_cast<char>(std::toupper(static_cast<unsigned char>(*c)));
  }
  static constexpr std::string_view kUnits = "KMGT";
  const size_t power = unit.empty() || unit == "B" ? 0 : kUnits.find(unit[0]) + 1;
  const bool known = unit.size() <= 1 || unit.substr(1) == "B" || unit.substr(1) == "IB";
  if (error != std::errc{} || !(number > 0) || number > 1e15 || !known ||
      (power == 0 && !unit.empty() && unit != "B")) {
    fail(ErrorKind::usage, option, "expected an amount of memory such as 900M or 1.5G, got \"{}\"",
         text);
  }
  return static_cast<int64_t>(number * std::pow(1024.0, static_cast<double>(power)));
}

void add_exact(CLI::App& command, bool& exact) {
  command.add_flag("--exact", exact,
                   "Multiply quantised weights without rounding activations to 8 bits (slow)");
}

DType parse_cache_type(const std::string& name) {
  const std::optional<DType> dtype = dtype_from_name(name);
  for (const DType known : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0}) {
    if (dtype == known) return known;
  }
  fail(ErrorKind::usage, "--cache-type", "expected f32, f16, bf16, q8_0 or q4_0, got \"{}\"", name);
}

std::string read_stdin() {
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

bool stdin_is_terminal() {
  return isatty(STDIN_FILENO) != 0;
}

bool stdout_is_terminal() {
  return isatty(STDOUT_FILENO) != 0;
}

std::string human_bytes(int64_t bytes) {
  static constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string human_count(int64_t count) {
  if (count < 1000) return fmt::format("{}", count);
  if (count < 1000'000) return fmt::format("{:.1f} K", static_cast<double>(count) * 1e-3);
  if (count < 1000'000'000) return fmt::format("{:.1f} M", static_cast<double>(count) * 1e-6);
  return fmt::format("{:.2f} B", static_cast<double>(count) * 1e-9);
}

std::string human_seconds(double seconds) {
  if (seconds == 0) return "0 s";
  if (seconds < 1e-3) return fmt::format("{:.0f} us", seconds * 1e6);
  if (seconds < 1) return fmt::format("{:.1f} ms", seconds * 1e3);
  if (seconds < 100) return fmt::format("{:.2f} s", seconds);
  const auto minutes = static_cast<int64_t>(std::llround(seconds / 60));
  if (minutes < 60) return fmt::format("{} min", minutes);
  return fmt::format("{} h {:02} min", minutes / 60, minutes % 60);
}

std::string Table::str() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += i == 0 ? fmt::format("{:<{}}", row[i], widths[i])
                     : fmt::format("  {:>{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string Table::markdown() const {
  std::string text;
  for (size_t i = 0; i < rows_.size(); ++i) {
    for (const std::string& cell : rows_[i]) text += fmt::format("| {} ", cell);
    text += "|\n";
    for (size_t column = 0; i == 0 && column < rows_[0].size(); ++column)
      text += column == 0 ? "| --- " : "| ---: ";
    if (i == 0) text += "|\n";
  }
  return text;
}

void print(const Json& json) {
  // Text of a model may end within a character; replace what is no UTF-8.
  std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

void show_progress(std::string_view what, double done) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::cerr << (done < 1 ? fmt::format("\r{} {:3.0f} %", what, 100 * done) : "\r\x1b[K")
            << std::flush;
}

Interrupt::Interrupt() {
  interrupted = 0;
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  // SA_RESETHAND is an int macro above INT_MAX on some systems.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
}

Interrupt::~Interrupt() {
  signal(SIGINT, SIG_DFL);
}

bool Interrupt::requested() const {
  return interrupted != 0;
}

}  // namespace bantam::cli
