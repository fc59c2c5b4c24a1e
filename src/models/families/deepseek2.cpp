#include <cmath>

#include "base/error.h"
#include "models/architectures.h"
#include "models/blocks.h"
#include "models/experts.h"

// DeepSeek-V2 and V3 (DeepSeek-AI 2024): multi-head latent attention, and fine-grained experts
// beside shared ones in all but the first blocks.
//
// A key is W_k c with a latent c of each token, so that q^T W_k c = (W_k^T q)^T c: with the query
// moved into the latent space there is one key for all heads, and it is the latent itself (with the
// rotated part, which all heads share, beside it). What attention mixes is latents too, and W_v
// takes each head's mixture back.

namespace bantam {
namespace {

// Files from before latent attention was computed as such describe the heads that come out of it.
void modernise_sizes(ModelConfig& c) {
  LatentAttention& l = c.latent;
  l.key_size = c.head_size;
  l.value_size = c.value_size;
  c.head_count_kv = 1;
  c.head_size = l.rank + c.rope_dims;
  c.value_size = l.rank;
}

void keys(ConfigKeys& k, ModelConfig& c) {
  decoder_keys(k, c);
  LatentAttention& l = c.latent;
  k.size("attention.q_lora_rank", l.query_rank);
  k.count("attention.kv_lora_rank", l.rank);
  k.size("attention.key_length_mla", l.key_size);
  k.size("attention.value_length_mla", l.value_size);
  if (l.key_size == 0) modernise_sizes(c);
  k.expect(c.rope_dims < l.key_size, "attention.key_length_mla",
           fmt::format("more than the {} rotated elements", c.rope_dims), l.key_size);
  k.number("rope.scaling.yarn_log_multiplier", l.yarn_log_multiplier, 0);
  k.size("leading_dense_block_count", c.experts.leading_dense_blocks);
  expert_keys(k, c);
  routing_keys(k, c);
}

// Longer contexts (YaRN) sharpen all scores, not only the rotated part.
double score_scale(const ModelConfig& c) {
  double sharper = 1;
  if (c.rope_scaling.kind == RopeScaling::yarn) {
    sharper += c.latent.yarn_log_multiplier * std::log(c.rope_scaling.factor);
  }
  return sharper * sharper / std::sqrt(static_cast<double>(c.latent.key_size));
}

ops::RopeOptions rope_options(Builder& b, const ModelConfig& c) {
  ops::RopeOptions options = b.rope_options(c);
  options.magnitude = c.rope_scaling.attention_factor;
  return options;
}

// A matrix for each head: [N, H, D] -> [N, H, out].
Value per_head(Builder& b, Value x, std::string_view part, int64_t out) {
  Graph& g = b.g;
  const Value by_head = ops::transpose(g, x, 0, 1);
  return ops::transpose(g, b.head_linear(by_head, b.name(part), out), 0, 1);
}

Value queries(Builder& b, const ModelConfig& c, Value x) {
  const int64_t columns = c.head_count * c.latent.key_size;
  if (c.latent.query_rank == 0) return b.linear(x, b.name("attn_q"), columns);
  const Value low = b.linear(x, b.name("attn_q_a"), c.latent.query_rank);
  return b.linear(b.rms_norm(low, b.name("attn_q_a_norm"), c.norm_eps), b.name("attn_q_b"),
                  columns);
}

Value attention(Builder& b, const ModelConfig& c, Value x) {
  Graph& g = b.g;
  const int64_t H = c.head_count, rank = c.latent.rank, rotated = c.rope_dims;
  const int64_t plain = c.latent.key_size - rotated;
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);

  const Value q = b.heads(queries(b, c, h), H);
  const Value q_latent = per_head(b, ops::slice_columns(g, q, 0, plain), "attn_k_b", rank);
  const ops::RopeOptions turn = rope_options(b, c);
  const Value q_rotated = b.rope(ops::slice_columns(g, q, plain, rotated), turn);

  const Value low = b.linear(h, b.name("attn_kv_a_mqa"), rank + rotated);
  const Value latent = b.heads(
      b.rms_norm(ops::slice_columns(g, low, 0, rank), b.name("attn_kv_a_norm"), c.norm_eps), 1);
  const Value k_rotated = b.rope(b.heads(ops::slice_columns(g, low, rank, rotated), 1), turn);

  const Value query[] = {q_latent, q_rotated}, key[] = {latent, k_rotated};
  const Value mixed = b.attention(ops::concat_columns(g, query), ops::concat_columns(g, key),
                                  latent, {.scale = score_scale(c)});
  const Value values = per_head(b, b.heads(mixed, H), "attn_v_b", c.latent.value_size);
  const Value y = ops::reshape(g, values, {g.shape(x)[0], H * c.latent.value_size});
  return b.dropout(b.linear(y, b.name("attn_output"), c.embedding_length));
}

Value feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("ffn_norm"), c.norm_eps);
  const Experts& e = c.experts;
  if (e.count == 0 || b.block() < e.leading_dense_blocks) return swiglu_feed_forward(b, c, h);
  const Routing routing{e.sigmoid_gate ? Routing::Gate::sigmoid : Routing::Gate::softmax,
                        e.renormalise};
  const Value y = mixture_of_experts(b, c, h, routing);
  if (e.shared == 0) return y;
  return ops::add(b.g, y, shared_expert(b, c, h, e.shared * e.feed_forward_length));
}

Value build(Builder& b, const ModelConfig& c) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = ops::add(b.g, x, attention(b, c, x));
    x = ops::add(b.g, x, feed_forward(b, c, x));
  }
  return rms_norm_head(b, c, x);
}

}  // namespace

extern const Architecture deepseek2_architecture{
    .name = "deepseek2", .rope_pairs = ops::RopePairs::interleaved, .keys = keys, .build = build};

}  // namespace bantam
