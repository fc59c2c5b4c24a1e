#pragma once

#include <span>
#include <string_view>

#include "base/json_field.h"
#include "formats/gguf_writer.h"

// How Hugging Face's model families are called in GGUF: tensors and keys.
namespace bantam::hf {

// What happens to a tensor on its way.
enum class Change {
  none,
  drop,         // buffers that are computed anyway
  plus_one,     // Gemma keeps norm weights less one
  transpose,    // GPT-2's Conv1D is [in, out]
  rotary_q,     // rows of each head from halves to pairs, the order of Llama's own checkpoints
  rotary_k,     // the same with the number of key/value heads
  neox_qkv,     // [heads, 3, D] rows to [3, heads, D]
  expert,       // one of the slices of a stacked tensor
  squeeze,      // extents of 1 go
  negated_exp,  // A = -exp(A_log)
};

// "*" stands for the number of the block and, a second time, of the expert. A name without
// ".weight" or ".bias" at its end means both.
struct TensorRule {
  std::string_view hf, gguf;
  Change change = Change::none;
};

struct Family {
  std::string_view model_type;  // of config.json
  std::string_view gguf;        // general.architecture
  std::span<const TensorRule> tensors;
  // Keys beyond those that all decoders have; null for none.
  void (*keys)(const JsonField& config, const std::string& prefix, GgufWriter& out) = nullptr;
  bool layer_norm = false;  // LayerNorm, not RMSNorm
  bool rotary = true;
};

std::span<const Family> families();
// Throws ErrorKind::model with the known names.
const Family& find_family(const JsonField& config);

// The numbers of a config.json, under the names that model families give them.
struct Dimensions {
  int64_t embedding = 0, blocks = 0, heads = 0, kv_heads = 0, head_size = 0;
};
Dimensions read_dimensions(const JsonField& config);

// Writes the keys of the architecture, and the frequency factors of RoPE as tensors where the
// configuration has them.
void write_keys(const Family& family, const JsonField& config, GgufWriter& out);

// The first of these members that is there.
JsonField first_of(const JsonField& config, std::initializer_list<std::string_view> names);

}  // namespace bantam::hf
