#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bantam {

// A text and what is to be written from it: what encoder-decoders learn and are measured on.
struct TextPair {
  std::string source, target;
};

// The names of the two texts in a record of JSON.
struct PairFields {
  std::string source = "source", target = "target";
};

// Reads pairs from a file: of ".jsonl" one object on each line, of any other name a source and a
// target with a tab between them; ".zst" after either is unpacked. Empty lines are left out, and
// white space around texts. Throws ErrorKind::file for what cannot be read, ErrorKind::format
// naming the line for one that is no pair.
std::vector<TextPair> read_pairs(const std::string& path, const PairFields& fields = {});
// The same from the text of such a file.
std::vector<TextPair> parse_pairs(std::string_view text, const std::string& path,
                                  const PairFields& fields = {});

}  // namespace bantam
