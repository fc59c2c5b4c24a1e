#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/session.h"

namespace bantam {

struct SuggestOptions {
  size_t count = 5;
  int64_t most_runs = 32;  // of the model: bounds the time whatever the text is
};

struct Suggestion {
  std::string word;        // whole, also where its beginning is typed already
  double probability = 0;  // given the text so far
  bool completes = false;  // it ends the word that the text breaks off in
};

// The most probable next words after a text, best first, for keyboards. After "I am going to the "
// these are next words ("park"). A text that does not end in white space may have stopped within a
// word: then words that complete it ("the" -> "their") and words that follow it compete.
//
// A word is a path of tokens up to one that begins with a space or punctuation, or ends the text;
// its probability is that of the path and the boundary, over that of all paths that agree with the
// text. Paths are expanded best first, and those of the same word add up. The session is rewound to
// an empty text before, and holds part of the text afterwards.
std::vector<Suggestion> suggest(Session& session, std::string_view text,
                                const SuggestOptions& options = {});

}  // namespace bantam
