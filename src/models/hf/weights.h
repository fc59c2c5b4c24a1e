#pragma once

#include <optional>

#include "formats/safetensors.h"
#include "models/hf/families.h"

namespace bantam::hf {

// Adds all tensors of the folder to the file under GGUF's names, changed as the family's rules say
// while the file is written. Matrices become `type` where one is given; vectors and what steers a
// model (norms, routers) are f32. Throws ErrorKind::model for a tensor that no rule names.
void add_weights(const Family& family, const JsonField& config, const SafetensorsFolder& folder,
                 std::optional<DType> type, GgufWriter& out);

}  // namespace bantam::hf
