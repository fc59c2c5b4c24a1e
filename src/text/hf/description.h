#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "text/normal_forms.h"
#include "text/tokenizers/bert_words.h"

// What a Hugging Face `tokenizer.json` says, as plain data with everything checked. Names follow
// the file's.
namespace bantam::hf {

struct Pattern {
  std::string text;
  bool is_regex = false;
};

struct Normaliser {
  enum class Kind {
    bert,
    form,
    lower_case,
    nmt,
    precompiled,
    prepend,
    replace,
    strip,
    strip_accents
  } kind = Kind::form;
  NormalForm form = NormalForm::nfc;
  BertOptions bert;
  Pattern pattern;                 // replace
  std::string content;             // replace, prepend; precompiled: the charsmap
  bool left = true, right = true;  // strip
};

// What becomes of the matches of a split.
enum class Behaviour { removed, isolated, merged_with_previous, merged_with_next, contiguous };

struct PreTokenizer {
  enum class Kind {
    bert,
    byte_level,
    delimiter,
    digits,
    fixed_length,
    metaspace,
    punctuation,
    split,
    white_space,
    white_space_split
  } kind = Kind::split;
  Pattern pattern;  // split; delimiter
  Behaviour behaviour = Behaviour::isolated;
  bool invert = false;
  bool prefix_space = false;                                              // byte_level
  bool use_regex = true;                                                  // byte_level
  bool individual = false;                                                // digits
  std::string replacement;                                                // metaspace
  enum class Prepend { always, first, never } prepend = Prepend::always;  // metaspace
  bool split = true;                                                      // metaspace
  int64_t length = 1;  // fixed_length, in characters
};

struct Model {
  enum class Kind { bpe, unigram, word_piece, word_level } kind = Kind::bpe;
  std::vector<std::string> tokens;  // by id; those that only are added tokens are empty
  std::vector<bool> known;          // by id: the model itself has it
  std::vector<double> scores;       // unigram
  std::vector<std::pair<std::string, std::string>> merges;
  int32_t unk = -1;
  bool byte_fallback = false, fuse_unk = false, ignore_merges = false;
  std::string continuing_prefix, end_suffix;
  int64_t longest_word = 100;  // word_piece
};

struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool single_word = false, lstrip = false, rstrip = false, normalized = false, special = false;
};

struct Decoder {
  enum class Kind {
    bpe,
    byte_fallback,
    byte_level,
    fuse,
    metaspace,
    replace,
    strip,
    word_piece
  } kind = Kind::fuse;
  Pattern pattern;      // replace
  std::string content;  // replace; strip: the character; word_piece: the prefix; bpe: the suffix
  int64_t start = 0, stop = 0;  // strip
  bool clean_up = true;         // word_piece
  bool prepends = true;         // metaspace
};

struct Description {
  std::vector<Normaliser> normalisers;
  std::vector<PreTokenizer> pre_tokenizers;
  Model model;
  std::vector<AddedToken> added;
  std::vector<Decoder> decoders;
  std::vector<int32_t> before, after;  // what the post-processor puts around a single text
};

// Throws ErrorKind::format for what the file may not say or Bantam does not know; `file` is for
// messages.
Description parse_description(std::string_view json, std::string_view file);

}  // namespace bantam::hf
