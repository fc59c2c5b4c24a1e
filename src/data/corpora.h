#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "data/normalise.h"
#include "data/pairs.h"

namespace bantam {

// How the turns of a dialogue are written as text. The user speaks first, then both in turn.
struct DialogueFormat {
  std::string user_prefix = "User: ", user_suffix = "\n";
  std::string assistant_prefix = "Assistant: ", assistant_suffix = "\n";

  [[nodiscard]] std::string render(const std::vector<std::string>& turns) const;
};

// A file to learn from and how to read it; the name tells the rest. ".txt" and ".md" (any name but
// ".jsonl") hold text, ".jsonl" one JSON object per line; ".zst" after either is unpacked.
struct SourceSpec {
  std::string path;
  Normalisation normalisation{};

  // Text: documents stand between lines that hold only the separator. A file without one is cut at
  // blank lines into documents of about `document_bytes` (at line ends where paragraphs are long).
  std::string separator = "<|endoftext|>";
  int64_t document_bytes = 2000;

  // JSON lines: one text; or a prompt and its response; or a list of turns.
  // Or a source and a target, for encoder-decoders, in a ".tsv" too.
  enum class Records { text, exchange, turns, pair } records = Records::text;
  PairFields pair_fields{};
  std::string source_prefix{};  // goes before each source: what is to be done with it
  std::string text_field = "text";
  std::string prompt_field = "prompt", response_field = "response";
  std::string turns_field = "turns";
  // Of a prompt, only what stands between these is kept, where they occur (instruction templates).
  std::string prompt_after{}, prompt_before{};
  DialogueFormat dialogue{};
};

// The documents of a source in order, normalised, without white space around them; empty ones are
// left out. Throws ErrorKind::file for what cannot be read, ErrorKind::format naming the line for a
// record that is not as specified.
std::vector<std::string> read_documents(const SourceSpec& source);

// The pairs of a source of pairs; read_documents gives their texts one after the other.
std::vector<TextPair> read_pairs(const SourceSpec& source);

// Whether a document belongs to the held-out part: about one in `every`, decided by its text alone,
// so that the split survives reordering and copies of a document fall on the same side. 0: none.
bool is_held_out(std::string_view document, uint64_t every);

}  // namespace bantam
