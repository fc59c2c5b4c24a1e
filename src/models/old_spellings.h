#pragma once

#include <string_view>

#include "models/model.h"

namespace bantam {

// Files of earlier years store some weights in another form. Brings these into today's, in memory:
//
//   blk.N.ffn_{gate,up,down}.E.weight   one matrix for each expert, instead of ffn_*_exps (Mixtral)
//   blk.N.attn_kv_b.weight              instead of attn_k_b and attn_v_b (DeepSeek-V2)
//
// `where` names the file. Throws ErrorKind::model where parts are missing or do not fit together.
void modernise(const ModelConfig& config, std::string_view where, Weights& weights);

// W_k and W_v of multi-head latent attention, out of the common matrix [H (D + E), R] that they are
// published in.
struct LatentSizes {
  int64_t heads, rank, key, value;  // H, R, D without its rotated part, E
};
struct LatentProjections {
  Tensor keys;    // [H, R, D]: transposed, so that it moves queries into the latent space
  Tensor values;  // [H, E, R]
};
// Throws ErrorKind::model for another shape.
void check_latent_projection(const LatentSizes& sizes, const Tensor& kv_b, std::string_view name,
                             std::string_view where);
LatentProjections split_latent_projection(const LatentSizes& sizes, const Tensor& kv_b);

// The rule that a byte-level BPE of a file without "tokenizer.ggml.pre" splits its text by, as its
// vocabulary tells; empty for GPT-2's.
std::string_view guess_pre_tokenizer(const TokenizerSpec& spec);

}  // namespace bantam
