#include "models/config_keys.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace bantam {
namespace {

constexpr int64_t kMost = int64_t{1} << 31;

}  // namespace

void ConfigKeys::expect(bool condition, std::string_view key, std::string_view expected,
                        int64_t got) const {
  if (condition) return;
  fail(ErrorKind::model, where_, "{}: expected {}, got {}", label(key), expected, got);
}

void ConfigKeys::count(std::string_view key, int64_t& value, std::optional<int64_t> otherwise) {
  integer(key, value, otherwise, Write::always);
  expect(value > 0 && value <= kMost, key, "a positive number", value);
}

void ConfigKeys::token(std::string_view key, int32_t& value, std::optional<int64_t> otherwise) {
  int64_t id = value;
  integer(key, id, otherwise, Write::always);
  expect(id >= 0 && id < kMost, key, "the id of a token", id);
  value = static_cast<int32_t>(id);
}

void ConfigKeys::size(std::string_view key, int64_t& value, int64_t otherwise) {
  integer(key, value, otherwise, Write::unless_default);
  expect(value >= 0 && value <= kMost, key, "0 or a positive number", value);
}

void ConfigKeys::positive(std::string_view key, double& value, std::optional<double> otherwise) {
  real(key, value, otherwise, Write::always);
  if (value > 0 && std::isfinite(value)) return;
  fail(ErrorKind::model, where_, "{}: expected a positive number, got {}", label(key), value);
}

void ConfigKeys::number(std::string_view key, double& value, double otherwise) {
  real(key, value, otherwise, Write::unless_default);
  if (std::isfinite(value)) return;
  fail(ErrorKind::model, where_, "{}: expected a finite number, got {}", label(key), value);
}

void ConfigKeys::flag(std::string_view key, bool& value, bool otherwise) {
  boolean(key, value, otherwise);
}

void ConfigKeys::choice(std::string_view key, int& index,
                        const std::vector<std::string_view>& names, int otherwise) {
  std::string name(names[static_cast<size_t>(index)]);
  text(key, name, names[static_cast<size_t>(otherwise)]);
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    std::string known;
    for (const std::string_view n : names)
      known += fmt::format("{}{}", known.empty() ? "" : ", ", n);
    fail(ErrorKind::model, where_, "{}: expected one of {}, got \"{}\"", label(key), known, name);
  }
  index = static_cast<int>(found - names.begin());
}

void ConfigKeys::per_block(std::string_view key, int64_t& all, std::vector<int64_t>& each,
                           int64_t blocks, std::optional<int64_t> otherwise) {
  std::vector<int64_t> values = each.empty() ? std::vector<int64_t>{all} : each;
  integers(key, values, otherwise);
  if (values.size() != 1) {
    expect(static_cast<int64_t>(values.size()) == blocks, key,
           fmt::format("one number or {}, one for each block", blocks),
           static_cast<int64_t>(values.size()));
  }
  for (const int64_t v : values) expect(v >= 0 && v <= kMost, key, "0 or positive numbers", v);
  all = *std::max_element(values.begin(), values.end());
  expect(all > 0, key, "a positive number", all);
  const bool agree = std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == all; });
  each = agree ? std::vector<int64_t>{} : std::move(values);
}

void size_keys(ConfigKeys& k, ModelConfig& c) {
  k.count("context_length", c.context_length);
  k.count("embedding_length", c.embedding_length);
  k.count("block_count", c.block_count);
  k.per_block("feed_forward_length", c.feed_forward_length, c.feed_forward_lengths, c.block_count);
}

void head_keys(ConfigKeys& k, ModelConfig& c) {
  k.per_block("attention.head_count", c.head_count, c.head_counts, c.block_count);
  k.per_block("attention.head_count_kv", c.head_count_kv, c.head_counts_kv, c.block_count,
              c.head_count);
  for (int64_t i = 0; i < (c.head_counts.empty() && c.head_counts_kv.empty() ? 1 : c.block_count);
       ++i) {
    const int64_t kv = c.heads_kv(i);
    if (kv == 0) continue;  // a block without attention
    k.expect(c.heads(i) % kv == 0, "attention.head_count_kv",
             fmt::format("a divisor of the {} heads", c.heads(i)), kv);
  }
  k.count("attention.key_length", c.head_size, c.embedding_length / c.head_count);
  k.count("attention.value_length", c.value_size, c.head_size);
}

void rope_keys(ConfigKeys& k, ModelConfig& c) {
  k.count("rope.dimension_count", c.rope_dims, c.head_size);
  k.expect(c.rope_dims % 2 == 0 && c.rope_dims <= c.head_size, "rope.dimension_count",
           fmt::format("an even number up to the head size {}", c.head_size), c.rope_dims);
  k.positive("rope.freq_base", c.rope_theta, 10000);

  RopeScaling& s = c.rope_scaling;
  int kind = s.kind;
  k.choice("rope.scaling.type", kind, {"none", "linear", "yarn", "longrope"}, RopeScaling::linear);
  s.kind = static_cast<RopeScaling::Kind>(kind);
  double old_spelling = 1;
  k.number("rope.scale_linear", old_spelling, 1);
  k.number("rope.scaling.factor", s.factor, old_spelling);
  if (s.factor == 0) s.factor = 1;  // as files say "none", too
  k.expect(s.factor > 0, "rope.scaling.factor", "a positive number",
           static_cast<int64_t>(s.factor));
  k.size("rope.scaling.original_context_length", s.original_context);
  k.number("rope.scaling.attn_factor", s.attention_factor, 1);
  if (s.kind != RopeScaling::yarn) return;
  k.number("rope.scaling.yarn_beta_fast", s.beta_fast, 32);
  k.number("rope.scaling.yarn_beta_slow", s.beta_slow, 1);
}

void window_keys(ConfigKeys& k, ModelConfig& c, int64_t window, int64_t period) {
  k.size("attention.sliding_window", c.window, window);
  if (c.window > 0) k.size("attention.sliding_window_pattern", c.window_period, period);
}

void rms_norm_keys(ConfigKeys& k, ModelConfig& c) {
  k.positive("attention.layer_norm_rms_epsilon", c.norm_eps);
}

void layer_norm_keys(ConfigKeys& k, ModelConfig& c) {
  k.positive("attention.layer_norm_epsilon", c.norm_eps);
}

void decoder_keys(ConfigKeys& k, ModelConfig& c) {
  size_keys(k, c);
  head_keys(k, c);
  rms_norm_keys(k, c);
  rope_keys(k, c);
}

}  // namespace bantam
