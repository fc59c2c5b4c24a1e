#pragma once

#include "formats/gguf.h"
#include "models/model.h"

namespace bantam {

// A model's hyper-parameters from and to GGUF metadata. `where` names the file in messages.
ModelConfig read_config(const GgufFile& file, std::string_view where);
void write_config(const ModelConfig& config, GgufWriter& out);

}  // namespace bantam
