#include "models/hf/tensor_groups.h"

// Encoders: BERT and DistilBERT, of which only what makes vectors is taken.

namespace bantam::hf {

namespace {

constexpr TensorRule kEmbeddings[] = {
    {"embeddings.word_embeddings", "token_embd"},
    {"embeddings.position_embeddings", "position_embd"},
    {"embeddings.token_type_embeddings", "token_types"},
    {"embeddings.LayerNorm", "token_embd_norm"},
    {"embeddings.position_ids", "", &drop},
};

// For the tasks of pre-training.
constexpr TensorRule kHeads[] = {
    {"pooler.dense", "", &drop},
    {"cls.predictions.bias", "", &drop},
    {"cls.predictions.decoder", "", &drop},
    {"cls.predictions.transform.dense", "", &drop},
    {"cls.predictions.transform.LayerNorm", "", &drop},
    {"cls.seq_relationship", "", &drop},
    {"vocab_transform", "", &drop},
    {"vocab_layer_norm", "", &drop},
    {"vocab_projector", "", &drop},
};

constexpr TensorRule kBert[] = {
    {"attention.self.query", "attn_q"},
    {"attention.self.key", "attn_k"},
    {"attention.self.value", "attn_v"},
    {"attention.output.dense", "attn_output"},
    {"attention.output.LayerNorm", "attn_output_norm"},
    {"intermediate.dense", "ffn_up"},
    {"output.dense", "ffn_down"},
    {"output.LayerNorm", "layer_output_norm"},
};

constexpr TensorRule kDistilBert[] = {
    {"attention.q_lin", "attn_q"},
    {"attention.k_lin", "attn_k"},
    {"attention.v_lin", "attn_v"},
    {"attention.out_lin", "attn_output"},
    {"sa_layer_norm", "attn_output_norm"},
    {"ffn.lin1", "ffn_up"},
    {"ffn.lin2", "ffn_down"},
    {"output_layer_norm", "layer_output_norm"},
};

void encoder_keys(const KeyWriter& k) {
  k.flag("attention.causal", false);
  const JsonField activation = first_of(k.config, {"hidden_act", "activation"});
  expect(activation.text("gelu") == "gelu", activation, "gelu");
  const JsonField positions = k.config["position_embedding_type"];
  expect(positions.text("absolute") == "absolute", positions, "absolute");
  if (const JsonField types = k.config["type_vocab_size"]) {
    k.out.set("tokenizer.ggml.token_type_count", static_cast<uint32_t>(types.integer()));
  }
}

void distilbert_keys(const KeyWriter& k) {
  encoder_keys(k);
  k.number("attention.layer_norm_epsilon", 1e-12);
}

constexpr Family kFamilies[] = {
    {.model_type = "bert",
     .gguf = "bert",
     .tensors = {{"", kEmbeddings}, {"encoder.layer.*.", kBert}, {"", kHeads}},
     .more = encoder_keys,
     .layer_norm = true,
     .rotary = false,
     .encoder = true,
     .activations = ""},
    {.model_type = "distilbert",
     .gguf = "bert",
     .tensors = {{"", kEmbeddings}, {"layer.*.", kDistilBert}, {"", kHeads}},
     .more = distilbert_keys,
     .layer_norm = true,
     .rotary = false,
     .encoder = true,
     .activations = ""},
};

}  // namespace

std::span<const Family> encoder_families() {
  return kFamilies;
}

}  // namespace bantam::hf
