#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "formats/gguf.h"
#include "graph/rope_pairs.h"
#include "tensor/tensor.h"
#include "text/tokenizer.h"

namespace bantam {

// How rotary positions reach beyond the context that a model was first trained for.
struct RopeScaling {
  enum Kind { none, linear, yarn, longrope };
  Kind kind = linear;
  double factor = 1;                     // of the context
  int64_t original_context = 0;          // 0: the model's
  double attention_factor = 1;           // of the rotated elements
  double beta_fast = 32, beta_slow = 1;  // YaRN
  bool operator==(const RopeScaling&) const = default;
};

// How the vectors of a text's tokens become one, numbered as GGUF numbers it.
enum class Pooling { none, mean, first, last };

// A mixture of experts; count 0: the model has none.
struct Experts {
  int64_t count = 0;
  int64_t used = 0;                        // by each token
  int64_t feed_forward_length = 0;         // of one expert
  int64_t shared = 0;                      // experts that every token uses
  int64_t shared_feed_forward_length = 0;  // of all of them together, where files say that
  int64_t leading_dense_blocks = 0;
  int64_t groups = 1, groups_used = 1;  // experts are chosen from the best groups
  double weights_scale = 1;
  bool renormalise = false;   // the weights of the chosen experts sum to 1
  bool sigmoid_gate = false;  // instead of a softmax

  bool operator==(const Experts&) const = default;
};

// A selective state space.
struct StateSpace {
  int64_t conv_kernel = 0;
  int64_t inner_size = 0;
  int64_t state_size = 0;
  int64_t time_step_rank = 0;  // of Mamba-2: heads
  int64_t group_count = 1;
  bool norm_scan = false;  // the step size, B and C are normalised

  bool operator==(const StateSpace&) const = default;
};

// Attention through a latent space (DeepSeek-V2).
struct LatentAttention {
  int64_t query_rank = 0;  // 0: queries are projected directly
  int64_t rank = 0;        // of keys and values
  int64_t key_size = 0, value_size = 0;
  double yarn_log_multiplier = 0;

  bool operator==(const LatentAttention&) const = default;
};

// Hyper-parameters of a transformer, named as GGUF names them. Each architecture reads the fields
// that its `keys` function lists (models/architectures.h); the others keep their neutral defaults.
struct ModelConfig {
  std::string architecture = "llama";
  int64_t context_length = 0;       // longest context of its training
  int64_t embedding_length = 0;     // C
  int64_t block_count = 0;          // L
  int64_t feed_forward_length = 0;  // F
  int64_t head_count = 0;           // H
  int64_t head_count_kv = 0;        // K
  int64_t head_size = 0;            // D, of queries and keys
  int64_t value_size = 0;           // of values; 0: D
  int64_t vocab_size = 0;           // V
  // Where blocks differ, one number for each; else empty. The numbers above are then the largest.
  std::vector<int64_t> feed_forward_lengths = {}, head_counts = {}, head_counts_kv = {};

  double norm_eps = 1e-5;
  double rope_theta = 10000;
  double rope_theta_windowed = 10000;  // of blocks with a window
  int64_t rope_dims = 0;               // rotated elements of each head
  ops::RopePairs rope_pairs = ops::RopePairs::interleaved;
  RopeScaling rope_scaling = {};
  bool tied_embeddings = true;  // the output head is the embedding table

  double embedding_scale = 1;
  double residual_scale = 1;                        // of what a block adds
  double logit_scale = 1;                           // what logits are divided by
  double attention_scale = 0;                       // of q k^T; 0: D^(-1/2)
  double attention_softcap = 0, logit_softcap = 0;  // 0: none
  int64_t window = 0;              // cells that a windowed block sees; 0: no block is
  int64_t window_period = 0;       // every so manieth block sees all; 0: none does
  bool parallel_residual = false;  // attention and feed-forward read the same
  // Encoders: every token sees the whole text, and what comes out is a vector for each.
  bool causal = true;
  Pooling pooling = Pooling::none;
  int64_t token_types = 0;  // kinds of text that a token may belong to; 0: not told apart
  // Encoder-decoders: 0 blocks: the model is none.
  int64_t decoder_block_count = 0;
  int32_t decoder_start_token = 0;  // stands before every text that is written
  int64_t relative_buckets = 0;     // of distances between tokens; 0: no biases by distance
  bool gated_feed_forward = false;  // of T5: GELU with a gate, not ReLU
  int64_t block_repeats = 1;        // times that each block's weights are used in a row

  Experts experts = {};
  StateSpace ssm = {};
  LatentAttention latent = {};
  int64_t short_conv = 0;  // taps of LFM2's convolutions
  bool uses_rope = true;

  // Whether texts are written from a source text that an encoder reads.
  [[nodiscard]] bool reads_source() const { return decoder_block_count > 0; }
  [[nodiscard]] int64_t heads(int64_t block) const { return at(head_counts, block, head_count); }
  [[nodiscard]] int64_t heads_kv(int64_t block) const {
    return at(head_counts_kv, block, head_count_kv);
  }
  [[nodiscard]] bool windowed(int64_t block) const {
    return window > 0 && (window_period == 0 || block % window_period < window_period - 1);
  }
  [[nodiscard]] int64_t feed_forward(int64_t block) const {
    return at(feed_forward_lengths, block, feed_forward_length);
  }

  bool operator==(const ModelConfig&) const = default;

 private:
  static int64_t at(const std::vector<int64_t>& each, int64_t block, int64_t all) {
    return each.empty() ? all : each[static_cast<size_t>(block)];
  }
};

// Throws ErrorKind::model unless the numbers make a model of their architecture: positive, heads
// that divide, an even number of rotary dimensions within the head. `where` names the file or
// recipe.
void check_config(const ModelConfig& config, std::string_view where);

using Weights = std::map<std::string, Tensor, std::less<>>;

// A configuration, named weights and a tokenizer. Weights of a loaded file are mapped, not copied.
//
//   Model model = load_model("model.gguf");
//   model.tokenizer->encode("Hello");
struct Model {
  std::string name;  // for people: general.name or the file's name
  ModelConfig config;
  Weights weights;                             // by GGUF tensor name
  std::shared_ptr<const Tokenizer> tokenizer;  // null if the file has none that Bantam knows
  std::string unknown_tokenizer;               // what the file calls it then; or empty
  // Metadata that Bantam does not interpret but carries along (licence, reports, ...).
  std::vector<std::pair<std::string, GgufValue>> metadata;

  [[nodiscard]] int64_t weight_bytes() const;
  [[nodiscard]] int64_t parameters() const;
  // The type that most weight bytes have: "q4_k", "f32".
  [[nodiscard]] DType main_type() const;
};

// Throws ErrorKind::model: what is wanted takes a tokenizer, and the model has none.
[[noreturn]] void fail_without_tokenizer(const Model& model);

// Reads a GGUF file (or, named by any of them, the parts of one), or what is already parsed. Every
// weight that the architecture needs must be there with the right shape. Throws ErrorKind::file,
// format or model.
Model load_model(const std::string& path);
Model load_model(const GgufFile& file, std::string_view name);

// Writes a GGUF file that other runtimes load. Atomic. Where `part_bytes` are given and a file
// would hold more, parts NAME-00001-of-00002.gguf. Returns the names of the files.
std::vector<std::string> save_model(const Model& model, const std::string& path,
                                    std::optional<int64_t> part_bytes = {});

// The GGUF keys `tokenizer.ggml.*`.
TokenizerSpec read_tokenizer(const GgufFile& file);
class GgufWriter;
void write_tokenizer(const TokenizerSpec& spec, GgufWriter& out);

}  // namespace bantam
