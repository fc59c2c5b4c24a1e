#pragma once

#include <string>
#include <string_view>

namespace bantam {

// BERT's basic tokenisation (Devlin et al. 2019) in the order of Hugging Face's normaliser.
struct BertOptions {
  bool clean_text = true;  // control characters go, white space becomes a space
  bool space_around_cjk = true;
  bool strip_accents = true;
  bool lower_case = true;
};
std::string bert_normalise(std::string_view text, const BertOptions& options);

// The end of the word or punctuation mark that starts at `position`, which is no white space.
size_t bert_word_end(std::string_view text, size_t position);
// The next position at or after this one that is no white space.
size_t skip_white_space(std::string_view text, size_t position);

}  // namespace bantam
