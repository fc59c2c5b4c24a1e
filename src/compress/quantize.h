#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compress/mixture.h"

namespace bantam {

struct QuantizeOptions {
  DType type = DType::q4_k;
  const Mixture* mixture = nullptr;  // decides instead of `type`
  std::optional<DType> head_type;    // of the output head (tied: of the embedding); else `type`
  int threads = 0;
};

struct QuantizeResult {
  Model model;
  // Weights whose rows are no whole number of the wanted blocks, and what they became instead.
  struct Fallback {
    std::string name;
    DType wanted, used;
  };
  std::vector<Fallback> fallbacks;
};

// The model with its matrices stored as `options.type`; vectors (norms, biases) keep f32, and
// matrices that no product multiplies by (positions, convolutions, routers) what they are. Rows
// that types with blocks of 256 cannot hold become a type with blocks of 32 of no fewer bits (q4_k
// -> q5_0, q5_k -> q5_1, q6_k -> q8_0, all smaller ones -> iq4_nl); rows that no block fits become
// f16. Rounds to nearest; the result does not depend on threads. Throws ErrorKind::usage for a type
// that holds no weights or that Bantam does not write.
QuantizeResult quantize(const Model& model, const QuantizeOptions& options);

// Whether the named weight is one to quantise: not a matrix that is looked up or applied element by
// element, or that decides more than it weighs. Those keep their type, as in files made elsewhere.
bool is_projection(std::string_view weight);

// The type that the options ask for, for the named matrix of a model.
DType wanted_type(const QuantizeOptions& options, std::string_view weight,
                  const ModelConfig& config);

// The type that a row of n weights gets when `wanted` was asked for.
DType type_for_row(DType wanted, int64_t n);

}  // namespace bantam
