#include "models/builder.h"

#include "base/error.h"

namespace bantam {

std::string block_name(int64_t block, std::string_view name) {
  return fmt::format("blk.{}.{}", block, name);
}

Builder::Builder(Graph& graph, BuildOptions options) : g(graph), options_(std::move(options)) {
  const Type index{DType::i32, {options_.rows}};
  ids_ = g.input("ids", index);
  sequences_ = g.input("sequences", index);
  positions_ = g.input("positions", index);
  if (options_.dropout > 0) seed_ = g.input("seed", {DType::i32, {1}});
}

void Builder::block(int64_t index) {
  block_ = index;
  g.set_segment(static_cast<int>(index));
}

Value Builder::weight(std::string_view name, const SymShape& shape) {
  const DType stored = options_.weight_type ? options_.weight_type(name) : DType::f32;
  return g.weight(options_.prefix + std::string(name), {stored, shape});
}

Value Builder::vector(std::string_view name, Extent size) {
  return g.weight(options_.prefix + std::string(name), {DType::f32, {size}});
}

bool Builder::has(std::string_view name) const {
  return options_.has_weight && options_.has_weight(name);
}

Value Builder::embed(std::string_view table, int64_t vocabulary, int64_t columns) {
  const Value t = weight(fmt::format("{}.weight", table), {vocabulary, columns});
  return dropout(ops::embedding(g, t, ids_));
}

Value Builder::rms_norm(Value x, std::string_view name, double eps) {
  const Value w = vector(fmt::format("{}.weight", name), g.shape(x)[-1]);
  return ops::rms_norm(g, x, w, eps, options_.compute);
}

Value Builder::linear(Value x, std::string_view name, int64_t out, Bias bias_kind) {
  Value w = weight(fmt::format("{}.weight", name), {out, g.shape(x)[-1]});
  if (options_.compute == DType::bf16) w = ops::cast(g, w, DType::bf16);
  const Value y = ops::linear(g, x, w, options_.compute);
  const std::string bias = fmt::format("{}.bias", name);
  return bias_kind == Bias::always || has(bias) ? ops::add(g, y, vector(bias, out)) : y;
}

Value Builder::heads(Value x, int64_t count) {
  const SymShape& s = g.shape(x);
  return ops::reshape(g, x, {s[0], count, s[1].factor / count});
}

Value Builder::rope(Value x, const ModelConfig& c) {
  Value factors;
  if (has("rope_freqs.weight")) factors = vector("rope_freqs.weight", c.rope_dims / 2);
  return ops::rope(g, x, positions_, c.rope_theta, c.rope_pairs, c.rope_dims, false, factors);
}

std::pair<Value, Value> Builder::keys_values(Value k, Value v) {
  const SymShape& s = g.shape(k);
  if (!options_.cache) {
    const int64_t length = options_.sequence_length;
    const SymShape shape{s[0].factor / length, length, s[1], s[2]};
    return {ops::reshape(g, k, shape), ops::reshape(g, v, shape)};
  }
  const Type type{options_.cache->type,
                  {options_.cache->sequences, options_.cache->cells, s[1], s[2]}};
  const Value keys = g.state(fmt::format("{}cache.{}.k", options_.prefix, block_), type);
  const Value values = g.state(fmt::format("{}cache.{}.v", options_.prefix, block_), type);
  return {ops::cache_write(g, keys, k, sequences_, positions_),
          ops::cache_write(g, values, v, sequences_, positions_)};
}

Value Builder::attention(Value q, Value k, Value v, double scale) {
  const auto [keys, values] = keys_values(k, v);
  const Value out = ops::attention(g, q, keys, values, sequences_, positions_, scale);
  const SymShape& s = g.shape(out);
  return ops::reshape(g, out, {s[0], s[1] * s[2].factor});
}

Value Builder::dropout(Value x) {
  if (options_.dropout == 0) return x;
  return ops::dropout(g, x, seed_, options_.dropout, dropouts_++);
}

Value Builder::head(Value x, std::string_view name, int64_t vocabulary) {
  g.set_segment(-1);
  if (options_.logit_rows) {
    const Value rows = g.input("rows", {DType::i32, {*options_.logit_rows}});
    x = ops::embedding(g, x, rows, options_.compute);
  }
  return linear(x, name, vocabulary);
}

}  // namespace bantam
