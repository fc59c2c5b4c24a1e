#include "models/builder.h"

#include "base/error.h"

// What blocks of experts and state spaces build with.

namespace bantam {

Value Builder::optional_parameter(std::string_view name, const SymShape& shape) {
  return has(name) ? parameter(name, shape) : Value{};
}

Value Builder::expert_linear(Value x, std::string_view name, int64_t out, int64_t experts,
                             const ops::ExpertGroups& groups, Bias bias_kind) {
  Value w = weight(fmt::format("{}.weight", name), {experts, out, g.shape(x)[-1]});
  if (options_.compute == DType::bf16) w = ops::cast(g, w, DType::bf16);
  const Value y =
      ops::expert_linear(g, ops::cast(g, x, options_.compute), w, groups.offsets, options_.compute);
  const std::string bias = fmt::format("{}.bias", name);
  if (!biased(bias, bias_kind)) return y;
  const Value rows = parameter(bias, {experts, out});
  return ops::add(g, y, ops::embedding(g, rows, groups.experts, g.dtype(y)));
}

Value Builder::head_linear(Value x, std::string_view name, int64_t out) {
  const SymShape& s = g.shape(x);
  Value w = weight(fmt::format("{}.weight", name), {s[0], out, s[-1]});
  if (options_.compute == DType::bf16) w = ops::cast(g, w, DType::bf16);
  return ops::expert_linear(g, ops::cast(g, x, options_.compute), w, {}, options_.compute);
}

// E sum over experts of (share of the rows that it got) (its mean probability)
void Builder::balance_experts(Value router_logits, Value offsets) {
  if (options_.cache) return;
  const SymShape shape = g.shape(router_logits);
  const Value mean = ops::scale(g, ops::column_sum(g, ops::softmax(g, router_logits)),
                                1 / static_cast<double>(shape[0].factor));
  const Value product = ops::mul(g, mean, ops::expert_load(g, offsets));
  const Value loss = ops::scale(g, ops::sum(g, product), static_cast<double>(shape[1].factor));
  balance_ = balance_.defined() ? ops::add(g, balance_, loss) : loss;
}

// A state of this block, one for each sequence.
Value Builder::state(std::string_view name, const SymShape& shape_of_one) {
  SymShape shape{options_.cache->sequences};
  for (int i = 0; i < shape_of_one.rank(); ++i) shape.push_back(shape_of_one[i]);
  return g.state(fmt::format("{}state.{}.{}", options_.prefix, block_, name), {DType::f32, shape});
}

Value Builder::causal_conv(Value x, std::string_view name, int64_t taps, Bias bias_kind) {
  const Extent columns = g.shape(x)[-1];
  const Value w = parameter(fmt::format("{}.weight", name), {columns, taps});
  x = ops::cast(g, x, DType::f32);
  const Value y = options_.cache ? ops::causal_conv_step(g, x, w, text_.sequences, text_.positions,
                                                         state("conv", {taps - 1, columns}))
                                 : ops::causal_conv(g, x, w, text_.positions);
  const std::string bias = fmt::format("{}.bias", name);
  return biased(bias, bias_kind) ? ops::add(g, y, parameter(bias, {columns})) : y;
}

Value Builder::selective_scan(const ops::SelectiveScan& s) {
  const auto f32 = [&](Value v) { return ops::cast(g, v, DType::f32); };
  const ops::SelectiveScan scan{f32(s.x), f32(s.dt), s.A, f32(s.B), f32(s.C)};
  if (!options_.cache) return ops::selective_scan(g, scan, text_.positions);
  const SymShape &x = g.shape(scan.x), &B = g.shape(scan.B);
  return ops::selective_scan_step(g, scan, text_.sequences, text_.positions,
                                  state("scan", {x[1], x[2], B[2]}));
}

}  // namespace bantam
