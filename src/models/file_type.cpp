#include "models/file_type.h"

#include <algorithm>

namespace bantam {
namespace {

struct FileType {
  uint32_t number;
  std::string_view name;
  DType dtype;  // of most weights
};

// Where several have the same type, the one without a mixture comes first.
constexpr FileType kFileTypes[] = {
    {0, "F32", DType::f32},        {1, "F16", DType::f16},          {2, "Q4_0", DType::q4_0},
    {3, "Q4_1", DType::q4_1},      {7, "Q8_0", DType::q8_0},        {8, "Q5_0", DType::q5_0},
    {9, "Q5_1", DType::q5_1},      {21, "Q2_K_S", DType::q2_k},     {10, "Q2_K", DType::q2_k},
    {11, "Q3_K_S", DType::q3_k},   {12, "Q3_K_M", DType::q3_k},     {13, "Q3_K_L", DType::q3_k},
    {14, "Q4_K_S", DType::q4_k},   {15, "Q4_K_M", DType::q4_k},     {16, "Q5_K_S", DType::q5_k},
    {17, "Q5_K_M", DType::q5_k},   {18, "Q6_K", DType::q6_k},       {19, "IQ2_XXS", DType::iq2_xxs},
    {20, "IQ2_XS", DType::iq2_xs}, {23, "IQ3_XXS", DType::iq3_xxs}, {24, "IQ1_S", DType::iq1_s},
    {25, "IQ4_NL", DType::iq4_nl}, {26, "IQ3_S", DType::iq3_s},     {22, "IQ3_XS", DType::iq3_s},
    {27, "IQ3_M", DType::iq3_s},   {29, "IQ2_M", DType::iq2_s},     {28, "IQ2_S", DType::iq2_xs},
    {30, "IQ4_XS", DType::iq4_xs}, {31, "IQ1_M", DType::iq1_m},     {32, "BF16", DType::bf16},
    {36, "TQ1_0", DType::tq1_0},   {37, "TQ2_0", DType::tq2_0},     {38, "MXFP4_MOE", DType::mxfp4},
};

bool layers_hold(const Model& model, DType dtype) {
  return std::any_of(model.weights.begin(), model.weights.end(), [&](const auto& entry) {
    return entry.first.find("blk.") != std::string::npos && entry.second.dtype() == dtype;
  });
}

// The mixture's number, or 0.
uint32_t mixture(const Model& model, DType main) {
  const auto holds = [&](DType dtype) { return layers_hold(model, dtype); };
  if (main == DType::q2_k && holds(DType::q3_k)) return 10;
  if (main == DType::q3_k && holds(DType::q4_k)) return 12;
  if (main == DType::q3_k && holds(DType::q5_k)) return 13;
  if (main == DType::q4_k && holds(DType::q6_k)) return 15;
  if (main == DType::q5_k && holds(DType::q6_k)) return 17;
  return 0;
}

}  // namespace

uint32_t file_type(const Model& model) {
  const DType main = model.main_type();
  if (const uint32_t number = mixture(model, main)) return number;
  const auto* found = std::find_if(std::begin(kFileTypes), std::end(kFileTypes),
                                   [&](const FileType& t) { return t.dtype == main; });
  return found == std::end(kFileTypes) ? 0 : found->number;
}

std::string_view file_type_name(uint32_t file_type) {
  const auto* found = std::find_if(std::begin(kFileTypes), std::end(kFileTypes),
                                   [&](const FileType& t) { return t.number == file_type; });
  return found == std::end(kFileTypes) ? "unknown" : found->name;
}

}  // namespace bantam
