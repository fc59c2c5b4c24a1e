#include "models/state_space.h"

#include "base/error.h"

namespace bantam {
namespace {

// x / rms(x) of each row, without a weight.
Value unit_rms(Builder& b, Value x, double eps) {
  Graph& g = b.g;
  const double columns = static_cast<double>(g.shape(x)[-1].factor);
  const Value mean_square = ops::scale(g, ops::row_sum(g, ops::mul(g, x, x)), 1 / columns);
  return ops::mul_rows(g, x, ops::rsqrt(g, ops::shift(g, mean_square, eps)));
}

Value scan_norm(Builder& b, const ModelConfig& c, Value x, const char* part, ScanNorm norm) {
  x = ops::cast(b.g, x, DType::f32);
  if (norm == ScanNorm::none) return x;
  if (norm == ScanNorm::plain) return unit_rms(b, x, c.norm_eps);
  return b.rms_norm(x, b.name(part), c.norm_eps);
}

// y silu(z), normalised in groups of channels.
Value gated_norm(Builder& b, const ModelConfig& c, Value y, Value z, bool normalised) {
  Graph& g = b.g;
  const SymShape shape = g.shape(y);
  y = ops::swiglu(g, ops::cast(g, z, DType::f32), y);
  if (!normalised) return y;
  const int64_t groups = c.ssm.group_count, width = c.ssm.inner_size / groups;
  const Value weight = b.parameter(b.name("ssm_norm.weight"), {groups, width});
  const Value parts = ops::reshape(g, y, {shape[0], groups, width});
  return ops::reshape(g, ops::mul(g, unit_rms(b, parts, c.norm_eps), weight), shape);
}

}  // namespace

Value mamba(Builder& b, const ModelConfig& c, Value x, ScanNorm norm) {
  Graph& g = b.g;
  const StateSpace& s = c.ssm;
  const int64_t inner = s.inner_size, rank = s.time_step_rank, R = s.state_size;
  const Value projected = b.linear(x, b.name("ssm_in"), 2 * inner);
  const Value z = ops::slice_columns(g, projected, inner, inner);
  Value u = ops::slice_columns(g, projected, 0, inner);
  u = ops::silu(g, b.causal_conv(u, b.name("ssm_conv1d"), s.conv_kernel, Bias::always));

  const Value selected = b.linear(u, b.name("ssm_x"), rank + 2 * R);
  const Value dt = scan_norm(b, c, ops::slice_columns(g, selected, 0, rank), "ssm_dt_norm", norm);
  const Value B = scan_norm(b, c, ops::slice_columns(g, selected, rank, R), "ssm_b_norm", norm);
  const Value C = scan_norm(b, c, ops::slice_columns(g, selected, rank + R, R), "ssm_c_norm", norm);
  const Value step = ops::softplus(
      g, ops::cast(g, b.linear(dt, b.name("ssm_dt"), inner, Bias::always), DType::f32));

  const Value A = b.parameter(b.name("ssm_a"), {inner, R});
  const Value D = b.parameter(b.name("ssm_d"), {inner});
  Value y = b.selective_scan({b.heads(u, inner), step, A, b.heads(B, 1), b.heads(C, 1)});
  y = ops::add(g, ops::reshape(g, y, g.shape(u)), ops::mul(g, u, D));
  y = ops::swiglu(g, ops::cast(g, z, DType::f32), y);
  return b.dropout(b.linear(y, b.name("ssm_out"), c.embedding_length));
}

Value mamba2(Builder& b, const ModelConfig& c, Value x, bool normalised) {
  Graph& g = b.g;
  const StateSpace& s = c.ssm;
  const int64_t inner = s.inner_size, H = s.time_step_rank, shared = s.group_count * s.state_size;
  const Value projected = b.linear(x, b.name("ssm_in"), 2 * inner + 2 * shared + H);
  const Value z = ops::slice_columns(g, projected, 0, inner);
  Value u = ops::slice_columns(g, projected, inner, inner + 2 * shared);
  u = ops::silu(g, b.causal_conv(u, b.name("ssm_conv1d"), s.conv_kernel, Bias::always));
  const Value xs = b.heads(ops::slice_columns(g, u, 0, inner), H);
  const Value B = b.heads(ops::slice_columns(g, u, inner, shared), s.group_count);
  const Value C = b.heads(ops::slice_columns(g, u, inner + shared, shared), s.group_count);

  Value dt = ops::slice_columns(g, projected, 2 * inner + 2 * shared, H);
  dt = ops::add(g, ops::cast(g, dt, DType::f32), b.parameter(b.name("ssm_dt.bias"), {H}));
  const Value A = b.parameter(b.name("ssm_a"), {H, 1});
  const Value D = ops::broadcast_rows(g, b.parameter(b.name("ssm_d"), {H, 1}), inner / H);
  Value y = b.selective_scan({xs, ops::softplus(g, dt), A, B, C});
  y = ops::add(g, y, ops::mul(g, xs, D));
  y = gated_norm(b, c, ops::reshape(g, y, {g.shape(y)[0], inner}), z, normalised);
  return b.dropout(b.linear(y, b.name("ssm_out"), c.embedding_length));
}

void mamba_keys(ConfigKeys& k, ModelConfig& c) {
  k.count("ssm.conv_kernel", c.ssm.conv_kernel);
  k.expect(c.ssm.conv_kernel >= 2 && c.ssm.conv_kernel <= 32, "ssm.conv_kernel", "2 to 32",
           c.ssm.conv_kernel);
  k.count("ssm.inner_size", c.ssm.inner_size);
  k.count("ssm.state_size", c.ssm.state_size);
  k.count("ssm.time_step_rank", c.ssm.time_step_rank);
}

void mamba2_keys(ConfigKeys& k, ModelConfig& c) {
  mamba_keys(k, c);
  k.count("ssm.group_count", c.ssm.group_count, 1);
  const int64_t H = c.ssm.time_step_rank;
  k.expect(c.ssm.inner_size % H == 0, "ssm.time_step_rank",
           fmt::format("a divisor of the inner size {} (the heads)", c.ssm.inner_size), H);
  k.expect(H % c.ssm.group_count == 0, "ssm.group_count",
           fmt::format("a divisor of the {} heads", H), c.ssm.group_count);
}

}  // namespace bantam
