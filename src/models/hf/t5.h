#pragma once

#include <optional>

#include "base/json_field.h"
#include "formats/gguf_writer.h"
#include "formats/safetensors.h"

namespace bantam::hf {

// T5, mT5 and umT5, whose tensors and keys follow no decoder's pattern.
bool is_t5(const JsonField& config);

// Writes the architecture ("t5", or "t5encoder" for a folder of the encoder alone), its keys and
// the tensors; matrices become `type` where one is given. Throws ErrorKind::format for fields and
// ErrorKind::model for tensors that are not T5's.
void write_t5(const JsonField& config, const SafetensorsFolder& folder, std::optional<DType> type,
              GgufWriter& out);

}  // namespace bantam::hf
