#pragma once

#include <string>

#include "models/model.h"

namespace bantam {

// Reads a model of llama2.c (formats/llama2c.h) with its tokenizer.bin; the weights stay mapped.
//   save_model(import_llama2c("stories15M.bin", "tokenizer.bin"), "stories15M.gguf");
// Throws ErrorKind::file, format or model.
Model import_llama2c(const std::string& path, const std::string& tokenizer_path);

}  // namespace bantam
