#include "models/builder.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "tensor/layout.h"

namespace bantam {
namespace {

int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}

}  // namespace

std::string block_name(int64_t block, std::string_view name) {
  return fmt::format("blk.{}.{}", block, name);
}

Builder::Builder(Graph& graph, BuildOptions options) : g(graph), options_(std::move(options)) {
  if (builds(BuildOptions::Part::decoder)) text_ = text("", options_.rows);
  if (options_.dropout > 0) seed_ = g.input("seed", {DType::i32, {1}});
}

Builder::Text Builder::text(std::string_view prefix, Extent rows) {
  const auto index = [&](std::string_view name) {
    return g.input(fmt::format("{}{}", prefix, name), {DType::i32, {rows}});
  };
  return {index("ids"), index("sequences"), index("positions")};
}

void Builder::block(int64_t index, int64_t use) {
  // Uses follow each other, so that the next number is free.
  g.set_segment(use == 0 && index == 0 ? first_segment_ : g.segment() + 1);
  block_ = index;
  use_ = use;
}

Value Builder::weight(std::string_view name, const SymShape& shape) {
  const auto stored = options_.weight_type ? options_.weight_type(name) : BuildOptions::Storage{};
  return g.weight(options_.prefix + std::string(name), {stored.dtype, shape, stored.layout});
}

Value Builder::parameter(std::string_view name, const SymShape& shape) {
  return g.weight(options_.prefix + std::string(name), {DType::f32, shape});
}

bool Builder::biased(std::string_view name, Bias bias) const {
  return bias == Bias::always || (bias == Bias::where_present && has(name));
}

bool Builder::has(std::string_view name) const {
  return options_.has_weight && options_.has_weight(name);
}

Value Builder::embed(std::string_view table, int64_t vocabulary, int64_t columns) {
  const Value t = weight(fmt::format("{}.weight", table), {vocabulary, columns});
  return dropout(ops::embedding(g, t, text_.ids));
}

Value Builder::embed_positions(std::string_view table, int64_t positions, int64_t columns) {
  if (context() > positions) {
    fail(ErrorKind::usage, table,
         "expected a context of at most {} tokens, for which the model has positions, got {}",
         positions, context());
  }
  const Value t = weight(fmt::format("{}.weight", table), {positions, columns});
  return ops::embedding(g, t, text_.positions);
}

Value Builder::rms_norm(Value x, std::string_view name, double eps) {
  // Falcon-H1's published files leave ".weight" out.
  const std::string whole = has(name) ? std::string(name) : fmt::format("{}.weight", name);
  const Value w = parameter(whole, {g.shape(x)[-1]});
  return ops::rms_norm(g, x, w, eps, options_.compute);
}

Value Builder::layer_norm(Value x, std::string_view name, double eps) {
  const Value w = parameter(fmt::format("{}.weight", name), {g.shape(x)[-1]});
  const Value bias = parameter(fmt::format("{}.bias", name), {g.shape(x)[-1]});
  return ops::layer_norm(g, x, w, bias, eps, options_.compute);
}

Value Builder::linear(Value x, std::string_view name, int64_t out, Bias bias_kind) {
  Value w = weight(fmt::format("{}.weight", name), {out, g.shape(x)[-1]});
  if (options_.compute == DType::bf16) w = ops::cast(g, w, DType::bf16);
  const Value y = ops::linear(g, ops::cast(g, x, options_.compute), w, options_.compute);
  const std::string bias = fmt::format("{}.bias", name);
  return biased(bias, bias_kind) ? ops::add(g, y, parameter(bias, {out})) : y;
}

Value Builder::heads(Value x, int64_t count) {
  const SymShape& s = g.shape(x);
  return ops::reshape(g, x, {s[0], count, s[1].factor / count});
}

int64_t Builder::context() const {
  if (source_ends_.defined())
    return options_.cache ? options_.cache->source_cells : options_.source_length;
  return options_.cache ? options_.cache->cells : options_.sequence_length;
}

ops::RopeOptions Builder::rope_options(const ModelConfig& c) {
  const RopeScaling& s = c.rope_scaling;
  ops::RopeOptions o;
  o.theta = c.rope_theta;
  o.pairs = c.rope_pairs;
  o.dims = c.rope_dims;
  o.magnitude = s.attention_factor;
  if (s.kind == RopeScaling::linear || s.kind == RopeScaling::yarn) o.scale = 1 / s.factor;
  const int64_t original = s.original_context > 0 ? s.original_context : c.context_length;
  if (s.kind == RopeScaling::yarn && s.factor != 1) {
    o.context = static_cast<double>(original);
    o.beta_fast = s.beta_fast;
    o.beta_slow = s.beta_slow;
    o.magnitude *= 1 + 0.1 * std::log(s.factor);
  }
  const std::string_view long_or_short =
      context() > original ? "rope_factors_long.weight" : "rope_factors_short.weight";
  for (const std::string_view name : {std::string_view("rope_freqs.weight"), long_or_short})
    if (has(name)) o.factors = parameter(name, {c.rope_dims / 2});
  return o;
}

Value Builder::rope(Value x, const ops::RopeOptions& options) {
  return ops::rope(g, x, text_.positions, options);
}

// Of a window: what the first row of a run sees of it and the rows themselves, wherever in its page
// that begins.
int64_t Builder::page_count(int64_t window, int64_t keep) const {
  const BuildOptions::Cache& c = *options_.cache;
  int64_t each = round_up(c.cells, kPageCells);
  if (window > 0) {
    each = std::min(each, keep + round_up(window - 1 + c.batch, kPageCells) + kPageCells);
  }
  const int64_t all = each * c.sequences;
  return (c.pool > 0 ? std::min(all, round_up(c.pool, kPageCells)) : all) / kPageCells;
}

Value Builder::page_table(int64_t window, int64_t keep) {
  std::string name = "pages";
  for (const int64_t part : {window, keep})
    if (part > 0) name += fmt::format(".{}", part);
  const BuildOptions::Cache& c = *options_.cache;
  return g.input(name, {DType::i32, {c.sequences, round_up(c.cells, kPageCells) / kPageCells}});
}

// Keys are kept as products with a query read them: a vector of cells at a time.
Value Builder::cell_state(std::string_view name, const SymShape& shape, std::string_view which) {
  const Layout layout = which == "k" ? Layout::interleaved : Layout::rows;
  return g.state(fmt::format("{}{}", options_.prefix, name), {options_.cache->type, shape, layout});
}

Value Builder::source_state(std::string_view name, Extent heads, Extent size,
                            std::string_view which) {
  const BuildOptions::Cache& c = *options_.cache;
  const int64_t cells = round_up(c.source_cells, kInterleavedRows);
  return cell_state(name, {c.sources, cells, heads, size}, which);
}

// Outliers of keys would take most of the 16 levels; scores stay what they are if queries are
// rotated too.
Value Builder::rotated(Value x) {
  if (!options_.cache || options_.cache->type != DType::q4_0) return x;
  const int64_t columns = g.shape(x)[-1].factor;
  return ops::hadamard(g, x, columns & -columns);
}

Value Builder::cells(Value x, std::string_view which, const ops::AttentionOptions& o) {
  const SymShape& s = g.shape(x);
  if (!options_.cache) {
    const int64_t length = context();
    return ops::reshape(g, x, {s[0].factor / length, length, s[1], s[2]});
  }
  if (!paged()) {
    // An encoder is done with a block's keys and values when the next one writes its own.
    const Value cache = source_state(fmt::format("source.{}", which), s[1], s[2], which);
    return ops::cache_write(g, cache, x, text_.sequences, text_.positions);
  }
  return paged_cells(x, which, page_count(o.window, o.keep), text_.positions, o.pages);
}

std::string Builder::cache_name(std::string_view which) const {
  const std::string use = use_ == 0 ? "" : fmt::format("{}.", use_);
  return fmt::format("cache.{}.{}{}", block_, use, which);
}

Value Builder::paged_cells(Value x, std::string_view which, int64_t pages, Value positions,
                           Value table) {
  const SymShape& s = g.shape(x);
  const Value cache = cell_state(cache_name(which), {pages, s[1], kPageCells, s[2]}, which);
  return ops::cache_write(g, cache, x, text_.sequences, positions, table);
}

// Cells have positions in their keys already, so that attention may take them in any order.
Value Builder::heavy_attention(Value q, Value k, Value v, ops::AttentionOptions o) {
  const BuildOptions::Cache& c = *options_.cache;
  if (o.bias.defined()) {
    fail(ErrorKind::usage, block_name(block_, "attn"),
         "expected attention without biases by position for a cache of heavy hitters");
  }
  const int64_t most = std::min(c.cells, c.heavy + c.window + kPageCells);
  const int64_t blocks = round_up(most, kPageCells) / kPageCells;
  const int64_t pages = blocks * c.sequences;
  o.pages = g.input("pages.heavy", {DType::i32, {c.sequences, blocks}});
  const Value slots = g.input("slots", {DType::i32, {options_.rows}});
  q = rotated(q);
  const Value keys = paged_cells(rotated(k), "k", pages, slots, o.pages);
  const Value values = paged_cells(v, "v", pages, slots, o.pages);
  const Value out = ops::attention(g, q, keys, values, text_.sequences, slots, o);
  const Value mass = g.state(options_.prefix + cache_name("mass"),
                             {DType::f32, {c.sequences, g.shape(k)[1], blocks * kPageCells}});
  ops::attention_mass(g, mass, q, keys, {out.node, 1}, text_.sequences, slots, o);
  return out;
}

Value Builder::joined(Value x) {
  const SymShape& s = g.shape(x);
  return ops::reshape(g, x, {s[0], s[1] * s[2].factor});
}

Value Builder::attention(Value q, Value k, Value v, const ops::AttentionOptions& options) {
  ops::AttentionOptions o = options;
  if (paged()) {
    if (o.causal && o.window == 0) {
      if (options_.cache->heavy > 0) return joined(heavy_attention(q, k, v, o));
      o.window = options_.cache->window;
      o.keep = o.window > 0 ? options_.cache->keep : 0;
    }
    o.pages = page_table(o.window, o.keep);
  }
  const Value keys = cells(rotated(k), "k", o), values = cells(v, "v", o);
  Value last = text_.positions;
  if (!o.causal && (options_.cache || source_ends_.defined())) {
    // There are more cells than the text has tokens: all rows see up to its end.
    last = source_ends_.defined() ? source_ends_ : g.input("ends", {DType::i32, {options_.rows}});
    o.causal = true;
  }
  return joined(ops::attention(g, rotated(q), keys, values, text_.sequences, last, o));
}

Value Builder::relative_bias(std::string_view name, int64_t buckets, int64_t heads,
                             const ops::RelativeBias& options) {
  const Value table = parameter(fmt::format("{}.weight", name), {buckets, heads});
  ops::RelativeBias o = options;
  o.cells = context();
  if (options_.cache) o.cells = round_up(o.cells, paged() ? kPageCells : kInterleavedRows);
  return ops::relative_bias(g, table, text_.positions, o);
}

Value Builder::dropout(Value x) {
  if (options_.dropout == 0) return x;
  return ops::dropout(g, x, seed_, options_.dropout, dropouts_++);
}

Value Builder::wanted_rows(Value x) {
  g.set_segment(-1);
  if (!options_.logit_rows) return x;
  const Value rows = g.input("rows", {DType::i32, {*options_.logit_rows}});
  return ops::embedding(g, x, rows, options_.compute);
}

Value Builder::head(Value x, std::string_view name, int64_t vocabulary) {
  return linear(wanted_rows(x), name, vocabulary);
}

}  // namespace bantam
