#pragma once

#include <string>

#include "formats/gguf_writer.h"

namespace bantam::hf {

// What a folder of sentence-transformers says beyond the model: modules.json and the pooling that
// it names become "PREFIX.pooling_type"; whether vectors are of length 1
// "bantam.embedding.normalise"; config_sentence_transformers.json's prompts
// "bantam.embedding.prompt.NAME". Nothing where the files are absent. Throws ErrorKind::format for
// a module that Bantam does not compute.
void write_embedding_keys(const std::string& folder, const std::string& prefix, GgufWriter& out);

}  // namespace bantam::hf
