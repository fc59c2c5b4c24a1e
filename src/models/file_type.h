#pragma once

#include <cstdint>
#include <string_view>

#include "models/model.h"

namespace bantam {

// GGUF's `general.file_type`: a number for what most weights are stored in. The K types have names
// for mixtures, which are told apart by the types that the layers hold besides: "Q4_K_S", "Q4_K_M".
uint32_t file_type(const Model& model);

// Its name as people know it, "unknown" for a number without one.
std::string_view file_type_name(uint32_t file_type);

}  // namespace bantam
