#include <cmath>

#include "base/error.h"
#include "models/architectures.h"
#include "models/blocks.h"

// T5 (Raffel et al. 2020), T5 1.1 and FLAN-T5 (Chung et al. 2022): an encoder that sees its whole
// text and a decoder that looks at what the encoder made of it. Scores are not scaled but biased by
// the distance of two tokens; one table serves all blocks of a stack (umT5 has one in each block).
// The later models gate their feed-forward with GELU and have a head of their own.

namespace bantam {
namespace {

// Distances from here on share the last bucket; files have no key for it.
constexpr int64_t kMostDistance = 128;

// Nothing is rotated: what configurations have by default, so that files need not say it.
constexpr ops::RopePairs kNone = ops::RopePairs::interleaved;

void encoder_keys(ConfigKeys& k, ModelConfig& c) {
  size_keys(k, c);
  head_keys(k, c);
  rms_norm_keys(k, c);
  k.count("attention.relative_buckets_count", c.relative_buckets, 32);
  k.expect(c.relative_buckets >= 4 && c.relative_buckets <= kMostDistance,
           "attention.relative_buckets_count", fmt::format("4 to {}", kMostDistance),
           c.relative_buckets);
  k.expect(c.head_counts.empty() && c.head_counts_kv.empty() && c.feed_forward_lengths.empty(),
           "block_count", "blocks of one size, not sizes for each of them", c.block_count);
}

void keys(ConfigKeys& k, ModelConfig& c) {
  encoder_keys(k, c);
  k.count("decoder_block_count", c.decoder_block_count, c.block_count);
  k.token("decoder_start_token_id", c.decoder_start_token, 0);
}

void lone_encoder_keys(ConfigKeys& k, ModelConfig& c) {
  encoder_keys(k, c);
  c.causal = false;
}

// The bias of each block's scores: that of the first, unless a block has its own.
class Distances {
 public:
  Distances(Builder& b, const ModelConfig& c, bool bidirectional)
      : b_(b), c_(c), bidirectional_(bidirectional) {}

  Value bias() {
    const std::string name = b_.name("attn_rel_b");
    if (first_.defined() && !b_.has(name + ".weight")) return first_;
    const Value own = b_.relative_bias(name, c_.relative_buckets, c_.head_count,
                                       {.most = kMostDistance, .bidirectional = bidirectional_});
    if (!first_.defined()) first_ = own;
    return own;
  }

 private:
  Builder& b_;
  const ModelConfig& c_;
  bool bidirectional_;
  Value first_;
};

Value add_attention(Builder& b, const ModelConfig& c, Value x, Value bias, bool causal) {
  const Value h = b.rms_norm(x, b.name("attn_norm"), c.norm_eps);
  const Heads heads = project_heads(b, c, h, Bias::never);
  const Value mixed = b.attention(heads.q, heads.k, heads.v, {.causal = causal, .bias = bias});
  const Value y = b.linear(mixed, b.name("attn_o"), c.embedding_length, Bias::never);
  return ops::add(b.g, x, b.dropout(y));
}

Value add_feed_forward(Builder& b, const ModelConfig& c, Value x) {
  const Value h = b.rms_norm(x, b.name("ffn_norm"), c.norm_eps);
  const Value y = c.gated_feed_forward ? geglu_feed_forward(b, c, h)
                                       : feed_forward(b, c, h, ops::relu, Bias::never);
  return ops::add(b.g, x, y);
}

Value encode(Builder& b, const ModelConfig& c) {
  b.stack("enc.");
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  Distances distances(b, c, true);
  for (int64_t block = 0; block < c.block_count; ++block) {
    b.block(block);
    x = add_attention(b, c, x, distances.bias(), false);
    x = add_feed_forward(b, c, x);
  }
  return b.rms_norm(x, "enc.output_norm", c.norm_eps);
}

// What a block of the decoder sees of the encoder's result.
struct Seen {
  Value k, v;
};

Seen see(Builder& b, const ModelConfig& c, Value source) {
  const auto cells = [&](const char* part, const char* which, int64_t size) {
    const auto project = [&] {
      return b.linear(source, b.name(part), c.head_count_kv * size, Bias::never);
    };
    return b.source_cells(project, which, c.head_count_kv, size);
  };
  return {cells("cross_attn_k", "k", c.head_size), cells("cross_attn_v", "v", value_size(c))};
}

Value add_cross_attention(Builder& b, const ModelConfig& c, Value x, const Seen& seen) {
  const Value h = b.rms_norm(x, b.name("cross_attn_norm"), c.norm_eps);
  const Value q = b.heads(
      b.linear(h, b.name("cross_attn_q"), c.head_count * c.head_size, Bias::never), c.head_count);
  const Value mixed = b.source_attention(q, seen.k, seen.v, 1);
  const Value y = b.linear(mixed, b.name("cross_attn_o"), c.embedding_length, Bias::never);
  return ops::add(b.g, x, b.dropout(y));
}

Value decode(Builder& b, const ModelConfig& c, Value source) {
  Value x = b.embed("token_embd", c.vocab_size, c.embedding_length);
  Distances distances(b, c, false);
  for (int64_t block = 0; block < c.decoder_block_count; ++block) {
    b.block(block);
    x = add_attention(b, c, x, distances.bias(), true);
    x = add_cross_attention(b, c, x, see(b, c, source));
    x = add_feed_forward(b, c, x);
  }
  x = b.rms_norm(x, "dec.output_norm", c.norm_eps);
  if (!c.tied_embeddings) return b.head(x, "output", c.vocab_size);
  const double scale = 1 / std::sqrt(static_cast<double>(c.embedding_length));
  return b.head(ops::scale(b.g, x, scale), "token_embd", c.vocab_size);
}

Value build(Builder& b, const ModelConfig& c) {
  Value source;
  if (b.builds(BuildOptions::Part::encoder)) {
    b.read_source();
    source = encode(b, c);
  }
  b.write_text();
  b.stack("dec.");
  if (b.builds(BuildOptions::Part::decoder)) return decode(b, c, source);
  for (int64_t block = 0; block < c.decoder_block_count; ++block) {
    b.block(block);
    see(b, c, source);
  }
  return source;
}

Value build_encoder(Builder& b, const ModelConfig& c) {
  return b.wanted_rows(encode(b, c));
}

}  // namespace

extern const Architecture t5_architecture{
    .name = "t5", .rope_pairs = kNone, .keys = keys, .build = build};
extern const Architecture t5encoder_architecture{
    .name = "t5encoder", .rope_pairs = kNone, .keys = lone_encoder_keys, .build = build_encoder};

}  // namespace bantam
