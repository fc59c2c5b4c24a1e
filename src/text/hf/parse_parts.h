#pragma once

#include "base/json_field.h"
#include "text/hf/description.h"

// The parts of parse_description.
namespace bantam::hf {

std::vector<Normaliser> parse_normalisers(const JsonField& field);
std::vector<PreTokenizer> parse_pre_tokenizers(const JsonField& field);
std::vector<Decoder> parse_decoders(const JsonField& field);
void parse_post_processor(const JsonField& field, Description& d);
Model parse_model(const JsonField& field);
std::vector<AddedToken> parse_added_tokens(const JsonField& field);

// The members of a "Sequence", or the field itself, or nothing if absent; nested ones in a row.
std::vector<JsonField> flattened(const JsonField& field, std::string_view members);

}  // namespace bantam::hf
