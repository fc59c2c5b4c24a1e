#pragma once

#include <optional>
#include <string>

#include "formats/gguf_writer.h"
#include "tensor/dtype.h"

namespace bantam {

// A Hugging Face folder (config.json, *.safetensors, tokenizer files, chat template) as the GGUF
// file that other runtimes expect. Matrices become `type` where one is given, else keep theirs.
// Throws ErrorKind::file, format or model with the file and the field.
GgufWriter hf_folder_to_gguf(const std::string& folder, std::optional<DType> type);

// Writes it. The file appears only when Bantam can load it.
void import_hf(const std::string& folder, const std::string& path, std::optional<DType> type);

}  // namespace bantam
