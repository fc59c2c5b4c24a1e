#pragma once

// Building blocks for model files and passes: one function per op. Shapes in the notation of
// docs/notation.md; N is any number of rows. Row-major, innermost extent last. Unless an output
// type is given, results have the type of the first input.

#include <span>
#include <vector>

#include "graph/graph.h"
#include "graph/rope_pairs.h"

namespace bantam::ops {

// --- shape ---------------------------------------------------------------------------------
Value reshape(Graph& g, Value x, const SymShape& shape);     // a view
Value transpose(Graph& g, Value x, int axis_a, int axis_b);  // copies
Value cast(Graph& g, Value x, DType dtype);  // f32 <-> bf16, f32 -> q8a; itself if equal

Value slice_columns(Graph& g, Value x, int64_t first, int64_t count);  // [..., C] -> [..., count]
Value concat_columns(Graph& g, std::span<const Value> parts);          // side by side

// --- elementwise: b has a's shape, or a's trailing extents (a bias), or one element ----------
Value add(Graph& g, Value a, Value b);
Value sub(Graph& g, Value a, Value b);
Value mul(Graph& g, Value a, Value b);
Value scale(Graph& g, Value x, double factor);
Value shift(Graph& g, Value x, double amount);  // x + amount
Value exp(Graph& g, Value x);
Value log(Graph& g, Value x);
Value rsqrt(Graph& g, Value x);
Value reciprocal(Graph& g, Value x);
Value silu(Graph& g, Value x);
Value sigmoid(Graph& g, Value x);
Value softplus(Graph& g, Value x);                        // ln(1 + e^x)
Value clamp(Graph& g, Value x, double low, double high);  // f32
// Each block of so many columns (a power of two) rotated by a Hadamard matrix. f32.
Value hadamard(Graph& g, Value x, int64_t block);
Value tanh(Graph& g, Value x);
Value erf(Graph& g, Value x);
Value relu(Graph& g, Value x);
Value gelu(Graph& g, Value x);      // x Phi(x) (Hendrycks & Gimpel 2016), Phi by way of tanh...
Value gelu_erf(Graph& g, Value x);  // ...or exactly
Value softcap(Graph& g, Value x, double cap);  // cap tanh(x / cap); x itself if cap is 0
// Zeroes elements with probability p and scales the rest by 1 / (1 - p). The mask is a function of
// (seed, salt, element index); seed: i32 [1].
Value dropout(Graph& g, Value x, Value seed, double p, int64_t salt);

// --- reductions and broadcasts (f32 results) -----------------------------------------------------
Value row_sum(Graph& g, Value x);                         // [..., C] -> [..., 1]
Value column_sum(Graph& g, Value x, int trailing = 1);    // [..., C] -> [C] (trailing extents kept)
Value sum(Graph& g, Value x);                             // [...] -> [1]
Value mul_rows(Graph& g, Value x, Value r);               // [..., C] * [..., 1]
Value add_rows(Graph& g, Value x, Value r);               // [..., C] + [..., 1]
Value broadcast_rows(Graph& g, Value r, Extent columns);  // [..., 1] -> [..., C]

// --- matrix products ---------------------------------------------------------------------------
// y = x W^T. x: [..., K]; w: [N, K] in any dtype. f32 x gives f32; bf16 x with bf16 w gives `out`.
Value linear(Graph& g, Value x, Value w, DType out = DType::f32);
// General 2-D product of f32 or bf16 matrices: a [M, K] ([K, M] if ta), b [K, N] ([N, K] if tb).
Value matmul(Graph& g, Value a, Value b, bool ta, bool tb, DType out = DType::f32);
// Batched: a [B, M, K], b [B / group, K, N] (or [.., N, K] if tb), f32.
Value batch_matmul(Graph& g, Value a, Value b, bool ta, bool tb);
// Several projections of one input in one step: activations are read and quantised once.
std::vector<Value> linear_group(Graph& g, Value x, std::span<const Value> weights);
// linear, where only the best[n] largest elements of row n are asked for (0: all): others may be
// minus infinity. x: q8a [N, K]; w: [V, K] in q8_0 or q6_k; screen, bounds: see
// cpu/quant/head_screen.h; best: i32 [N].
Value screened_linear(Graph& g, Value x, Value w, Value screen, Value bounds, Value best);
// x [..., K] f32 -> q8a, once per row (tensor/blocks.h).
Value quantize(Graph& g, Value x);

// --- fused blocks of neural networks
// ---------------------------------------------------------------
Value rms_norm(Graph& g, Value x, Value weight, double eps, DType out = DType::f32);
// (x - mean) / sqrt(variance + eps) w + b; weight and bias f32 [C].
Value layer_norm(Graph& g, Value x, Value weight, Value bias, double eps, DType out = DType::f32);
// The sum a + b, and its rms_norm.
std::vector<Value> add_rms_norm(Graph& g, Value a, Value b, Value weight, double eps,
                                DType out = DType::f32);
Value softmax(Graph& g, Value x);              // over the innermost extent
Value swiglu(Graph& g, Value gate, Value up);  // silu(gate) * up
enum class GatedUnit { silu, gelu };
// quantize(unit(x gate^T) * (x up^T)) of activations in q8a [..., K] and quantised matrices [N, K];
// N: a multiple of 32.
Value gated_linear(Graph& g, Value x, Value gate, Value up, GatedUnit unit);

// Rotary position embedding (Su et al. 2021) and its extensions to longer texts.
struct RopeOptions {
  double theta = 10000;
  RopePairs pairs = RopePairs::interleaved;
  int64_t dims = 0;      // rotated elements of each head
  Value factors = {};    // f32 [dims / 2]: what each frequency is divided by (Llama 3, LongRoPE)
  double scale = 1;      // what all frequencies are multiplied by (Chen et al. 2023)
  double magnitude = 1;  // what the rotated elements are multiplied by
  // YaRN (Peng et al. 2023): pairs that turn more than beta_fast times within `context` positions
  // keep their frequency, those below beta_slow take the scaled one. 0: all are scaled.
  double context = 0;
  double beta_fast = 32, beta_slow = 1;
  bool inverse = false;  // turn back
};
// x: [N, H, D], positions: i32 [N].
Value rope(Graph& g, Value x, Value positions, const RopeOptions& options);

struct AttentionOptions {
  double scale = 1;    // of q k^T
  bool causal = true;  // row n sees cells 0..positions[n] of its sequence; else all C
  int64_t window = 0;  // and of these only the last so many (causal only); 0: all
  int64_t keep = 0;    // beside a window the first so many too: whole pages
  double softcap = 0;  // scores become softcap tanh(score / softcap); 0: they stay
  Value sinks = {};    // f32 [H]: a score of no cell, which takes its share of the softmax
  Value bias = {};     // f32 [H, N, C], added to the scores of the row's own sequence
  Value pages = {};    // i32 [S, B]: k and v are pages [P, K, 64, D] of a cache, and C is 64 B
};
// Grouped-query attention with online softmax. q: [N, H, D]; k: [S, C, K, D]; v: [S, C, K, E]; row
// n belongs to sequence sequences[n]. -> [N, H, E].
Value attention(Graph& g, Value q, Value k, Value v, Value sequences, Value positions,
                const AttentionOptions& options);
// Adds the attention that rows give to cells of a paged cache to mass f32 [S, K, C], the sums over
// all rows so far (Zhang et al. 2023, H2O), and returns it. k: interleaved pages; lse [N, H]: the
// second output of `attention` over all cells before each row.
Value attention_mass(Graph& g, Value mass, Value q, Value k, Value lse, Value sequences,
                     Value positions, const AttentionOptions& options);
// Biases of scores by relative position (Raffel et al. 2020, T5): row n gets
// table[bucket(j - positions[n]), h] for cell j of its sequence. The first buckets are exact
// distances, the rest grow logarithmically up to `most`; one half of them is for later cells if
// bidirectional. table: f32 [buckets, H] -> [H, N, C].
struct RelativeBias {
  int64_t cells = 0;  // C
  int64_t most = 128;
  bool bidirectional = false;
};
Value relative_bias(Graph& g, Value table, Value positions, const RelativeBias& options);
// Writes row n of x [N, K, D] to cell (sequences[n], positions[n]) of a cache [S, C, K, D], or of
// one in pages, and returns the cache after the write. Rows without a cell are left out.
Value cache_write(Graph& g, Value cache, Value x, Value sequences, Value positions,
                  Value pages = {});

Value embedding(Graph& g, Value table, Value ids, DType out = DType::f32);  // [V, C], [N] -> [N, C]

// --- mixtures of experts -----------------------------------------------------------------------
// The k largest of each row of scores [N, E], best first, ties to the lower index: i32 [N, k]. With
// groups, only experts of the `groups_used` groups with the largest sums of their two best scores
// are chosen from (DeepSeek-V3).
Value top_k(Graph& g, Value scores, int64_t k, int64_t groups = 1, int64_t groups_used = 1);
Value pick(Graph& g, Value x, Value indices);  // [N, E], i32 [N, k] -> [N, k]
// Rows in the order of their experts, from experts i32 [N, k].
struct ExpertGroups {
  Value rows;     // i32 [N k]: the row that stands in each slot
  Value experts;  // i32 [N k]: its expert, ascending
  Value slots;    // i32 [N, k]: where each choice of each row went
  Value offsets;  // i32 [E + 1]: the first slot of each expert, then N k
};
ExpertGroups group_by_expert(Graph& g, Value experts, int64_t count);
Value expert_load(Graph& g, Value offsets);  // the share of all slots that each expert got: [E]
// y = x W[e]^T, the rows of x [M, K] grouped by offsets; w: [E, N, K] in any dtype. Without offsets
// x is [E, M, K].
Value expert_linear(Graph& g, Value x, Value w, Value offsets, DType out = DType::f32);
// sum over j of weights[n, j] x[slots[n, j]]: [N k, C] -> [N, C]
Value combine_experts(Graph& g, Value x, Value slots, Value weights);

// --- recurrences over the rows of a sequence; position 0 begins one
// -------------------------------- Causal depthwise convolution: x [N, C], w [C, W]. The step form
// keeps a state [S, W - 1, C].
Value causal_conv(Graph& g, Value x, Value w, Value positions);
Value causal_conv_step(Graph& g, Value x, Value w, Value sequences, Value positions, Value state);
// Selective state spaces: x [N, H, P], dt [N, H], A [H, 1] or [H, R], B and C [N, G, R] -> [N, H,
// P]. The step form keeps a state [S, H, P, R].
struct SelectiveScan {
  Value x, dt, A, B, C;
};
Value selective_scan(Graph& g, const SelectiveScan& s, Value positions);
Value selective_scan_step(Graph& g, const SelectiveScan& s, Value sequences, Value positions,
                          Value state);

// --- losses, one f32 value per row; rows whose target is < 0 count nothing
// ---------------------------
Value cross_entropy(Graph& g, Value logits, Value targets);  // [N, V], i32 [N] -> [N]
enum class Divergence { forward_kl, reverse_kl, jensen_shannon };
// Between softmax(teacher / T) and softmax(student / T), times T^2 (Hinton et al. 2015).
Value divergence(Graph& g, Value student, Value teacher, Value targets, double temperature,
                 Divergence kind);

// --- updates of states
// -----------------------------------------------------------------------------
Value accumulate(Graph& g, Value state, Value x);  // state += x
// AdamW (Loshchilov & Hutter 2019) on f32 states. `hyper`: f32 [8] = learning rate, beta1, beta2,
// eps, bias correction 1 - beta1^t, 1 - beta2^t, gradient factor (clipping, accumulation), unused.
// Weight decay is an attribute: 0 for norms and biases.
Value adamw(Graph& g, Value parameter, Value m, Value v, Value gradient, Value hyper,
            double weight_decay);
Value sum_squares(Graph& g, Value x);  // -> [1], fixed order

}  // namespace bantam::ops
