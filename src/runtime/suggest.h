#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "models/model.h"

namespace bantam {

struct SuggestOptions {
  size_t count = 5;
  int64_t most_paths = 32;       // looked into for one answer: bounds the time whatever the text
  int threads = 0;               // 0: see base/cores.h
  int64_t context = 256;         // tokens of the text's end that are looked at, where the model
                                 // can; 0: as many as it was trained for
  int64_t sequences = 8;         // paths that are run together
  size_t memo_bytes = 8u << 20;  // for paths that were looked into before
};

struct Suggestion {
  std::string word;        // whole, also where its beginning is typed already
  double probability = 0;  // given the text so far
  bool completes = false;  // it ends the word that the text breaks off in

  bool operator==(const Suggestion&) const = default;
};

// The most probable next words after a text, best first, for keyboards.
//
//   Suggester keyboard(default_model());
//   keyboard.suggest("I am going to the ");    // park, house, ... : next words
//   keyboard.suggest("I am going to the s");   // store, school, ... : complete the word
//   keyboard.suggest("I am going to the st");  // mostly known from the call before
//
// A text that ends in a word may have stopped within it: then words that complete it ("the" ->
// "their") and words that follow it compete. Words are made of letters, digits and apostrophes.
//
// A word is a path of tokens up to one that begins with a space or punctuation, or ends the text;
// its probability is that of the path and the boundary, over that of all paths that agree with the
// text. Paths are looked into best first, and those of the same word add up.
//
// Meant for one call per keystroke: what the model has read of the text stays in its caches, and
// what it said about a path is remembered. Neither changes an answer: it depends on the text alone.
// Of a long text the end counts. Holds an engine of its own. One caller at a time.
class Suggester {
 public:
  // Throws ErrorKind::model for models that do not continue text or have no tokenizer.
  explicit Suggester(std::shared_ptr<const Model> model, const SuggestOptions& options = {});
  ~Suggester();
  Suggester(Suggester&&) noexcept;
  Suggester& operator=(Suggester&&) noexcept;

  std::vector<Suggestion> suggest(std::string_view text);

  // While nobody types: looks into up to `paths` more of the last text, most probable first, so
  // that the next letter finds them known.
  void prepare(int64_t paths);

  // What all calls took together.
  struct Work {
    int64_t runs = 0;   // of the model
    int64_t rows = 0;   // tokens in them
    int64_t paths = 0;  // looked into, remembered ones included
    Work operator-(const Work& before) const {
      return {runs - before.runs, rows - before.rows, paths - before.paths};
    }
  };
  [[nodiscard]] Work work() const;

 private:
  class Search;
  std::unique_ptr<Search> search_;
};

}  // namespace bantam
