#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compress/quantize.h"
#include "models/model.h"

namespace bantam::cli {

using Json = nlohmann::ordered_json;  // keys stay in the order in which they were given

// Opens a model file; an empty name means the one that BANTAM_MODEL names, or the built-in one.
std::shared_ptr<const Model> open_model(const std::string& path);
// Throws ErrorKind::model if the model has none.
const Tokenizer& tokenizer_of(const Model& model);

// Takes the first word off `words` if it names an existing .gguf file; else "".
std::string take_model(std::vector<std::string>& words);
// "a b c" of the words that the shell has split.
std::string join(std::span<const std::string> words);

// The global option --threads; without it and BANTAM_THREADS, what `bantam isa --measure` found, or
// else 0.
int global_threads(const CLI::App& command);
// The same, but 0 where the option is not given: for work unlike decoding.
int given_threads(const CLI::App& command);

// On standard error, where the system does so.
void warn_of_ignored_masks();
// --pin: binds the workers of all teams from now on.
void pin_threads();

// --exact, see EngineOptions.
void add_exact(CLI::App& command, bool& exact);

// "1, 2,3" -> {1, 2, 3}. Throws ErrorKind::usage.
std::vector<int32_t> parse_ids(const std::string& text);
// The types that weights can be stored in: "f32, f16, ...".
std::string writable_types();
// Throws ErrorKind::usage with these names.
DType parse_dtype(const std::string& name, std::string_view option);
// --type: one of these, or a mixture; both are named where it is neither.
QuantizeOptions parse_weight_types(const std::string& name);
// "900M", "1.5 GiB", "4096" -> bytes; units are powers of 1024. Throws ErrorKind::usage.
int64_t parse_bytes(const std::string& text, std::string_view option);
// --cache-type: f32, f16 or bf16.
DType parse_cache_type(const std::string& name);

// All of standard input.
std::string read_stdin();
bool stdin_is_terminal();
bool stdout_is_terminal();

// What files and templates say, fit to be shown: no byte of it commands the terminal. Line ends and
// tabs stay, or become spaces in one_line; long texts are cut.
std::string printable(std::string_view text);
std::string one_line(std::string_view text);

std::string human_bytes(int64_t bytes);     // "1.2 GiB"
std::string human_count(int64_t count);     // "15.2 M"
std::string human_seconds(double seconds);  // "12.3 ms"

// Lines of cells printed in columns: the first column to the left, the others to the right.
class Table {
 public:
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] std::string str() const;
  // In GitHub's Markdown, the first row as heads.
  [[nodiscard]] std::string markdown() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

void print(const Json& json);
// On a terminal, one line of standard error that is rewritten and vanishes with done = 1.
void show_progress(std::string_view what, double done);

// From its construction, Ctrl-C sets a flag; the second one ends the program as usual.
class Interrupt {
 public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  [[nodiscard]] bool requested() const;
};

}  // namespace bantam::cli
