#pragma once

#include <string>
#include <vector>

#include "formats/gguf.h"
#include "models/model.h"

namespace bantam {

// A model's hyper-parameters from and to GGUF metadata. `where` names the file in messages.
ModelConfig read_config(const GgufFile& file, std::string_view where);
class GgufWriter;
void write_config(const ModelConfig& config, GgufWriter& out);

// The keys that the configuration's architecture knows, whether or not they are written.
std::vector<std::string> config_keys(const ModelConfig& config);

}  // namespace bantam
