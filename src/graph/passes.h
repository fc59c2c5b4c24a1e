#pragma once

#include <optional>
#include <string_view>

#include "graph/graph.h"

namespace bantam {

// Each pass returns an equivalent graph with the same leaves and outputs (by name).
Graph eliminate_dead_code(const Graph& g);
Graph eliminate_common_subexpressions(const Graph& g);
Graph fold_constants(const Graph& g);
// Projections that read the same value (q/k/v, gate/up) become one `linear_group` step.
Graph fuse_projections(const Graph& g);
// linear(x, quantised W) -> linear(quantize(x), W): after CSE activations are quantised once a row.
Graph quantize_activations(const Graph& g);
// linear(x, W) -> linear(x, cast(W, f32)) for W quantised or in 16 bits, before projections are
// fused: no activation is rounded, and a weight is in f32 only while it is multiplied.
Graph widen_weights(const Graph& g);
// Norms, gated units and residual sums join the steps beside them: rms_norm(a + b), both products
// of a gated unit with what is made of them, and what is quantised, in one step. The same bits.
Graph fuse_steps(const Graph& g);
// The quantised weights that only products (and look-ups of rows beside them) read become
// interleaved; whoever binds them has to bring them in that layout.
Graph interleave_weights(Graph g);
// Where the output "logits" is a product with a weight in q8_0 or q6_k: the same by way of
// ops::screened_linear, with three more leaves. Nothing where it is not.
std::optional<Graph> screen_head(const Graph& g);
inline constexpr std::string_view kHeadScreen = "head.screen", kHeadBounds = "head.bounds",
                                  kBestInput = "best";
// Fused ops that have a fallback are written out in plain ops (all, or those the filter names).
Graph expand_fallbacks(const Graph& g, bool (*expand)(const Op&));
// Activation checkpointing (Chen et al. 2016): backward nodes that need values from inside a
// segment get them from a recomputation placed just before, so only the segments' inputs stay
// alive.
Graph checkpoint_activations(const Graph& g);

// The passes that every graph goes through before planning. Inference also fuses projections and
// steps and quantises activations; training keeps projections apart for their gradients.
Graph optimize(const Graph& g, bool training);

}  // namespace bantam
