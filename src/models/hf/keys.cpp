#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/error.h"
#include "models/hf/families.h"

namespace bantam::hf {

namespace {

// Llama 3.1's interpolation by wavelength: each frequency is divided by its factor.
std::vector<float> llama3_factors(const JsonField& scaling, double theta, int64_t dims) {
  const double factor = scaling["factor"].real();
  const double low = scaling["low_freq_factor"].real(1);
  const double high = scaling["high_freq_factor"].real(4);
  const double context = scaling["original_max_position_embeddings"].real(8192);
  if (!(factor > 0) || !(high > low) || !(context > 0)) {
    scaling.wrong("a positive factor and low_freq_factor below high_freq_factor");
  }
  std::vector<float> factors;
  for (int64_t i = 0; i < dims / 2; ++i) {
    const double exponent = 2 * static_cast<double>(i) / static_cast<double>(dims);
    const double wavelength = 2 * std::numbers::pi * std::pow(theta, exponent);
    const double smooth = std::clamp((context / wavelength - low) / (high - low), 0.0, 1.0);
    factors.push_back(static_cast<float>(1 / ((1 - smooth) / factor + smooth)));
  }
  return factors;
}

void add_factors(const std::string& name, const std::vector<float>& factors, GgufWriter& out) {
  out.add_tensor(name, Tensor::from(factors, Shape{static_cast<int64_t>(factors.size())}));
}

void write_long_rope(const JsonField& config, const JsonField& scaling, int64_t dims,
                     const std::string& p, GgufWriter& out) {
  const auto original =
      static_cast<double>(first_of(config, {"original_max_position_embeddings"})
                              .integer(scaling["original_max_position_embeddings"].integer(4096)));
  const double scale = config["max_position_embeddings"].real() / original;
  const double attention = scale <= 1 ? 1 : std::sqrt(1 + std::log(scale) / std::log(original));
  out.set(p + "rope.scaling.original_context_length", static_cast<uint32_t>(original));
  out.set(
      p + "rope.scaling.attn_factor",
      static_cast<float>(first_of(scaling, {"attention_factor", "long_mscale"}).real(attention)));
  for (const char* which : {"long", "short"}) {
    const JsonField field = scaling[fmt::format("{}_factor", which)];
    std::vector<float> factors;
    for (const JsonField& f : field.items()) factors.push_back(static_cast<float>(f.real()));
    if (static_cast<int64_t>(factors.size()) != dims / 2) {
      field.wrong(fmt::format("{} factors, not {}", dims / 2, factors.size()));
    }
    add_factors(fmt::format("rope_factors_{}.weight", which), factors, out);
  }
}

// Rotary embeddings. Configurations of Transformers 5 keep them under rope_parameters.
void write_rotary(const JsonField& config, int64_t head_size, const std::string& p,
                  GgufWriter& out) {
  const JsonField parameters = config["rope_parameters"];
  const auto either = [&](std::initializer_list<std::string_view> names) {
    const JsonField field = first_of(config, names);
    return field || !parameters ? field : first_of(parameters, names);
  };
  const double theta = either({"rope_theta", "rotary_emb_base"}).real(10000);
  const double part = either({"partial_rotary_factor", "rotary_pct"}).real(1);
  const auto dims = static_cast<int64_t>(static_cast<double>(head_size) * part);
  out.set(p + "rope.freq_base", static_cast<float>(theta));
  out.set(p + "rope.dimension_count", static_cast<uint32_t>(dims));
  const JsonField scaling = config["rope_scaling"] ? config["rope_scaling"] : parameters;
  if (!scaling) return;
  const JsonField type = first_of(scaling, {"rope_type", "type"});
  const std::string name = type.text("default");
  if (name == "default") return;
  if (name == "llama3") {
    add_factors("rope_freqs.weight", llama3_factors(scaling, theta, dims), out);
  } else if (name == "longrope" || name == "su") {
    write_long_rope(config, scaling, dims, p, out);
  } else if (name == "linear" || name == "yarn") {
    out.set(p + "rope.scaling.type", name);
    const JsonField factor = scaling["factor"];
    expect(factor.real() > 0, factor, "a positive number");
    out.set(p + "rope.scaling.factor", static_cast<float>(factor.real()));
    if (const JsonField original = scaling["original_max_position_embeddings"]) {
      out.set(p + "rope.scaling.original_context_length",
              static_cast<uint32_t>(original.integer()));
    }
    for (const char* beta : {"beta_fast", "beta_slow"}) {
      if (const JsonField given = scaling[beta])
        out.set(fmt::format("{}rope.scaling.yarn_{}", p, beta), static_cast<float>(given.real()));
    }
  } else {
    type.wrong("default, linear, llama3, longrope or yarn");
  }
}

}  // namespace

JsonField first_of(const JsonField& config, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    if (JsonField field = config[name]) return field;
  }
  return config[*names.begin()];
}

void expect(bool plain, const JsonField& field, std::string_view expected) {
  if (!plain) field.wrong(expected);
}

namespace {

// Where blocks differ, the largest of their numbers.
int64_t positive(const JsonField& field) {
  int64_t value = field.is_array() ? 0 : field.integer();
  for (const JsonField& item : field.is_array() ? field.items() : std::vector<JsonField>()) {
    value = std::max(value, item.integer());
  }
  expect(value > 0 && value <= (int64_t{1} << 31), field, "a positive number");
  return value;
}

int64_t positive(const JsonField& config, std::initializer_list<std::string_view> names) {
  return positive(first_of(config, names));
}

// A number that not all families have.
int64_t optional(const JsonField& config, std::initializer_list<std::string_view> names,
                 int64_t otherwise) {
  return first_of(config, names) ? positive(config, names) : otherwise;
}

}  // namespace

Dimensions read_dimensions(const JsonField& config) {
  Dimensions d;
  d.embedding = positive(config, {"hidden_size", "n_embd", "d_model", "dim", "model_dim"});
  d.blocks =
      positive(config, {"num_hidden_layers", "n_layer", "n_layers", "num_transformer_layers"});
  d.scan_groups = optional(config, {"mamba_n_groups", "n_groups"}, 1);
  d.latent_rank = optional(config, {"kv_lora_rank"}, 0);
  d.plain_key = optional(config, {"qk_nope_head_dim"}, 0);
  d.latent_value = optional(config, {"v_head_dim"}, 0);
  d.heads = optional(config, {"num_attention_heads", "n_head", "n_heads", "num_query_heads"}, 0);
  if (d.heads == 0) return d;  // no attention
  d.kv_heads = optional(config, {"num_key_value_heads", "num_kv_heads"}, d.heads);
  d.head_size = optional(config, {"head_dim"}, d.embedding / d.heads);
  return d;
}

void KeyWriter::count(std::string_view key, int64_t value) const {
  out.set(prefix + std::string(key), static_cast<uint32_t>(value));
}

void KeyWriter::number(std::string_view key, double value) const {
  out.set(prefix + std::string(key), static_cast<float>(value));
}

void KeyWriter::flag(std::string_view key, bool value) const {
  out.set(prefix + std::string(key), value);
}

void KeyWriter::per_block(std::string_view key, const std::vector<int64_t>& values) const {
  out.set(prefix + std::string(key), GgufArray(std::vector<int32_t>(values.begin(), values.end())));
}

namespace {

void write_sizes(const Family& family, const KeyWriter& k) {
  const JsonField& config = k.config;
  const Dimensions& d = k.d;
  const JsonField context =
      first_of(config, {"max_position_embeddings", "n_positions", "n_ctx", "max_context_length"});
  if (d.heads > 0 || context) positive(context);
  k.count("context_length", context.integer(1 << 20));
  k.count("embedding_length", d.embedding);
  k.count("block_count", d.blocks);
  const JsonField inner = first_of(config, {"intermediate_size", "n_inner", "hidden_dim"});
  if (d.heads > 0 && inner) positive(inner);
  k.count("feed_forward_length", d.heads > 0 ? inner.integer(4 * d.embedding) : 0);
  k.count("attention.head_count", d.heads);
  if (d.heads > 0) k.count("attention.head_count_kv", d.kv_heads);
  if (d.heads > 0 && config["head_dim"]) {
    k.count("attention.key_length", d.head_size);
    k.count("attention.value_length", d.head_size);
  }
  k.count("vocab_size", positive(config["vocab_size"]));
  k.number(family.layer_norm ? "attention.layer_norm_epsilon" : "attention.layer_norm_rms_epsilon",
           first_of(config, {"rms_norm_eps", "layer_norm_eps", "layer_norm_epsilon"}).real(1e-5));
}

void copy_key(const KeyRule& rule, const KeyWriter& k) {
  const JsonField field = k.config[rule.hf];
  if (!field) return;
  switch (rule.kind) {
    case KeyRule::count:
      expect(field.integer() >= 0 && field.integer() < int64_t{1} << 32, field,
             "0 or a positive number");
      return k.count(rule.gguf, field.integer());
    case KeyRule::number:
      return k.number(rule.gguf, field.real());
    case KeyRule::flag:
      return k.flag(rule.gguf, field.boolean());
  }
}

// An architecture has one activation; with another the model would be a different one.
void check_activation(const Family& family, const JsonField& config) {
  const JsonField field =
      first_of(config, {"hidden_activation", "hidden_act", "activation_function"});
  if (!field || family.activations.empty()) return;
  const std::string& name = field.text();
  const bool known = family.activations.find(fmt::format(" {} ", name)) != std::string_view::npos;
  const std::string_view one = family.activations.substr(1);
  expect(known, field, one.substr(0, one.find(' ')));
}

}  // namespace

void write_keys(const Family& family, const JsonField& config, GgufWriter& out) {
  check_activation(family, config);
  const Dimensions d = read_dimensions(config);
  const KeyWriter k{config, d, fmt::format("{}.", family.gguf), out};
  write_sizes(family, k);
  if (family.rotary) write_rotary(config, d.head_size, k.prefix, out);
  for (const std::span<const KeyRule> group : family.keys) {
    for (const KeyRule& rule : group) copy_key(rule, k);
  }
  if (family.more != nullptr) family.more(k);
}

}  // namespace bantam::hf
