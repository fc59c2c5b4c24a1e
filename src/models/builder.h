#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "graph/graph.h"
#include "graph/ops.h"
#include "models/model.h"

namespace bantam {

// How a model file's graph meets the world: where weights come from, which type activations have
// between ops, and where keys and values are kept. Model files see none of that; they say what is
// computed.
struct BuildOptions {
  // Goes before the names of weights and caches, so that two models can share a graph.
  std::string prefix;
  // How a weight is stored. Not given: f32, the master weights of training.
  struct Storage {
    DType dtype = DType::f32;
    Layout layout = Layout::rows;
  };
  std::function<Storage(std::string_view)> weight_type;
  // Whether the model has an optional weight (biases, frequency factors). Not given: none.
  std::function<bool(std::string_view)> has_weight;
  // bf16: projections and attention compute in bf16 from f32 master weights (training).
  DType compute = DType::f32;
  double dropout = 0;

  // Inference: keys and values live in pages of a cache, `cells` positions for each sequence.
  struct Cache {
    int64_t sequences = 1, cells = 0;
    DType type = DType::f16;
    int64_t sources = 1, source_cells = 0;  // encoder-decoders: source texts, and cells of each
    int64_t batch = 256;                    // most rows of a run
    int64_t pool = 0;  // most cells that there are pages for; 0: enough for all sequences
    // Blocks that would see all cells see the last `window` (0: all) and the first `keep`.
    int64_t window = 0, keep = 0;
    // Or, beside the last `window`, the `heavy` that had most attention (0: none). Cells that are
    // not kept make room for others, in fewer than there are positions: the input "slots" says
    // which is whose.
    int64_t heavy = 0;
  };
  std::optional<Cache> cache;
  // Training: the rows are whole sequences of this length (the cache is not set), those of the
  // source likewise.
  int64_t sequence_length = 0, source_length = 0;
  // Encoder-decoders: which half a run computes. Between the halves of inference stand the states
  // that hold what the decoder looks at.
  enum class Part { whole, encoder, decoder } part = Part::whole;

  Extent rows;                       // N: tokens in a run
  Extent source_rows;                // tokens that the encoder reads in a run
  std::optional<Extent> logit_rows;  // compute logits for the rows that the input "rows" names
};

// "blk.3.attn_q"
std::string block_name(int64_t block, std::string_view name);

// Whether a projection adds a bias: where the model's weights have one, or in every model.
enum class Bias { where_present, always, never };

// What a model file builds with. Inputs of the graph: "ids", "sequences", "positions" (i32 [N]),
// with logit_rows also "rows" (i32 [M]), with dropout also "seed" (i32 [1]), where
// attention over a cache is not causal also "ends" (i32 [N]): the last position of each row's text.
// What an encoder reads has inputs of its own, "source_ids", "source_sequences", "source_positions"
// and "source_ends"; rows that look at a source have "seen_ends", its last position, and, where
// they stand in a cache, "seen_sources", which one it is. The pages of a cache are told by tables:
// "pages" (i32 [S, B]), and one for each window that blocks have, "pages.512".
class Builder {
 public:
  Builder(Graph& graph, BuildOptions options);

  Graph& g;

  // Everything until the next call belongs to this transformer block. Where weights serve several
  // times in a row, `use` tells the times apart.
  void block(int64_t index, int64_t use = 0);
  [[nodiscard]] int64_t block() const { return block_; }
  // The name of one of its weights: "attn_q" -> "blk.3.attn_q".
  [[nodiscard]] std::string name(std::string_view part) const {
    return stack_ + block_name(block_, part);
  }

  // Whether the model has an optional weight.
  [[nodiscard]] bool has(std::string_view name) const;
  // A weight that is computed with in f32: norms, biases, sinks.
  Value parameter(std::string_view name, const SymShape& shape);

  Value embed(std::string_view table, int64_t vocabulary, int64_t columns);  // -> [N, C] f32
  // A learned vector for every position.
  Value embed_positions(std::string_view table, int64_t positions, int64_t columns);
  Value rms_norm(Value x, std::string_view name, double eps);
  Value layer_norm(Value x, std::string_view name, double eps);
  // x W^T with the weight `name`.weight [out, K], plus `name`.bias [out].
  Value linear(Value x, std::string_view name, int64_t out, Bias bias = Bias::where_present);
  Value heads(Value x, int64_t count);  // [N, H D] -> [N, H, D]
  // As the configuration and the model's frequency factors say.
  ops::RopeOptions rope_options(const ModelConfig& config);
  Value rope(Value x, const ops::RopeOptions& options);
  // Attention of this block's queries over all keys so far; -> [N, H E].
  Value attention(Value q, Value k, Value v, const ops::AttentionOptions& options);
  // Biases of scores by the distance of a row of this text to every other, `name`.weight [buckets,
  // H] -> [H, N, C].
  Value relative_bias(std::string_view name, int64_t buckets, int64_t heads,
                      const ops::RelativeBias& options);
  Value dropout(Value x);
  // The rows of which the caller wants a result: [M, C].
  Value wanted_rows(Value x);
  // Logits of the wanted rows: [M, V]. Name of the weight without ".weight".
  Value head(Value x, std::string_view name, int64_t vocabulary);

  // Experts and states: builder_blocks.cpp.
  // Undefined if the model has none.
  Value optional_parameter(std::string_view name, const SymShape& shape);
  // Rows grouped by expert, each with its expert's matrix: `name`.weight [E, out, K], bias [E,
  // out].
  Value expert_linear(Value x, std::string_view name, int64_t out, int64_t experts,
                      const ops::ExpertGroups& groups, Bias bias);
  // x [H, N, K] with a matrix for each head: `name`.weight [H, out, K].
  Value head_linear(Value x, std::string_view name, int64_t out);
  // Switch's loss (Fedus et al. 2021), least if tokens are spread evenly over experts: collected
  // from all blocks while training, undefined if there are none.
  void balance_experts(Value router_logits, Value offsets);
  [[nodiscard]] Value expert_balance_loss() const { return balance_; }
  // Causal convolution over the tokens of a sequence: `name`.weight [C, taps], `name`.bias [C].
  // f32.
  Value causal_conv(Value x, std::string_view name, int64_t taps, Bias bias);
  Value selective_scan(const ops::SelectiveScan& scan);  // f32

  // Encoder-decoders: builder_source.cpp.
  [[nodiscard]] bool builds(BuildOptions::Part part) const {
    return options_.part == BuildOptions::Part::whole || options_.part == part;
  }
  // Names of blocks begin with this from here on: "enc." -> "enc.blk.3.attn_q".
  void stack(std::string_view name);
  // From here on rows are those of the source text, or of the text that is written.
  void read_source();
  void write_text();
  // This block's keys or values of the source [N, H, D] as attention wants them, [S, C, H, D]: from
  // `x`, or, in a decoder that runs by itself, from where the encoder has left them.
  Value source_cells(const std::function<Value()>& x, std::string_view which, int64_t heads,
                     int64_t size);
  // Attention over the source; -> [N, H E].
  Value source_attention(Value q, Value k, Value v, double scale);

 private:
  // The inputs of a text.
  struct Text {
    Value ids, sequences, positions;
  };
  Text text(std::string_view prefix, Extent rows);
  Value weight(std::string_view name, const SymShape& shape);
  [[nodiscard]] bool biased(std::string_view name, Bias bias) const;
  Value state(std::string_view name, const SymShape& shape_of_one);
  [[nodiscard]] int64_t context() const;
  // Whether keys and values are kept in pages now: not those of a source.
  [[nodiscard]] bool paged() const { return options_.cache && !source_ends_.defined(); }
  // The table of those that see a window and what is kept, and how many pages it has.
  Value page_table(int64_t window, int64_t keep);
  [[nodiscard]] int64_t page_count(int64_t window, int64_t keep) const;
  // Attention over what a cache keeps of heavy hitters, which it counts.
  Value heavy_attention(Value q, Value k, Value v, ops::AttentionOptions options);
  // Fresh keys or values [N, K, D] as [S, C, K, D], or the cache after they were written to it.
  Value cells(Value x, std::string_view which, const ops::AttentionOptions& options);
  Value paged_cells(Value x, std::string_view which, int64_t pages, Value positions, Value table);
  // Keys ("k") or values ("v") of a cache; of sources, their cells in order [S, C, K, D].
  Value cell_state(std::string_view name, const SymShape& shape, std::string_view which);
  Value source_state(std::string_view name, Extent heads, Extent size, std::string_view which);
  Value rotated(Value x);
  Value joined(Value x);  // of heads: [N, H, E] -> [N, H E]
  [[nodiscard]] std::string cache_name(std::string_view which) const;

  BuildOptions options_;
  Text text_, source_;  // what rows belong to now; what the encoder has read
  Value source_ends_;   // defined while it reads
  Value seed_, balance_;
  std::string stack_;
  int first_segment_ = 0;
  int64_t block_ = 0, use_ = 0, dropouts_ = 0;
};

}  // namespace bantam
