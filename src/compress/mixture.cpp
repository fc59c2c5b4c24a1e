#include "compress/mixture.h"

#include <charconv>
#include <span>
#include <string>

namespace bantam {

namespace {

// Which layers a rule is for, of `count`.
enum class Where { all, first_two, first_four, first_eighth, first_sixteenth, spread, grouped };

struct Rule {
  std::string_view weight;  // "ffn_down": blk.N.ffn_down.weight, blk.N.ffn_down_exps.weight
  Where where;
  DType dtype;
};

constexpr Rule kQ2K[] = {{"attn_v", Where::grouped, DType::q4_k},
                         {"attn_v", Where::all, DType::q3_k},
                         {"attn_output", Where::all, DType::q3_k},
                         {"ffn_down", Where::all, DType::q3_k}};
constexpr Rule kQ2KS[] = {{"attn_v", Where::grouped, DType::q4_k},
                          {"ffn_down", Where::first_eighth, DType::q4_k}};
constexpr Rule kQ3KM[] = {{"attn_v", Where::first_two, DType::q5_k},
                          {"attn_v", Where::all, DType::q4_k},
                          {"attn_qkv", Where::all, DType::q4_k},
                          {"attn_output", Where::all, DType::q4_k},
                          {"ffn_down", Where::first_sixteenth, DType::q5_k},
                          {"ffn_down", Where::all, DType::q4_k}};
constexpr Rule kQ3KL[] = {{"attn_v", Where::all, DType::q5_k},
                          {"attn_qkv", Where::all, DType::q4_k},
                          {"attn_output", Where::all, DType::q5_k},
                          {"ffn_down", Where::all, DType::q5_k}};
constexpr Rule kQ4KS[] = {{"attn_v", Where::first_four, DType::q5_k},
                          {"ffn_down", Where::first_eighth, DType::q5_k}};
constexpr Rule kQ4KM[] = {{"attn_v", Where::spread, DType::q6_k},
                          {"attn_qkv", Where::all, DType::q5_k},
                          {"ffn_down", Where::spread, DType::q6_k}};
constexpr Rule kQ5KM[] = {{"attn_v", Where::spread, DType::q6_k},
                          {"attn_qkv", Where::all, DType::q6_k},
                          {"ffn_down", Where::spread, DType::q6_k}};

}  // namespace

struct Mixture {
  std::string_view name;
  DType dtype, head;
  std::span<const Rule> rules;  // the first that fits
};

namespace {

constexpr Mixture kMixtures[] = {
    {"q2_k_s", DType::q2_k, DType::q6_k, kQ2KS}, {"q2_k_m", DType::q2_k, DType::q6_k, kQ2K},
    {"q3_k_s", DType::q3_k, DType::q6_k, {}},    {"q3_k_m", DType::q3_k, DType::q6_k, kQ3KM},
    {"q3_k_l", DType::q3_k, DType::q6_k, kQ3KL}, {"q4_k_s", DType::q4_k, DType::q6_k, kQ4KS},
    {"q4_k_m", DType::q4_k, DType::q6_k, kQ4KM}, {"q5_k_s", DType::q5_k, DType::q6_k, {}},
    {"q5_k_m", DType::q5_k, DType::q6_k, kQ5KM},
};

bool fits(Where where, int64_t layer, int64_t count, const ModelConfig& config) {
  const int64_t eighth = count / 8;
  switch (where) {
    case Where::all:
      return true;
    case Where::first_two:
      return layer < 2;
    case Where::first_four:
      return layer < 4;
    case Where::first_eighth:
      return layer < eighth;
    case Where::first_sixteenth:
      return layer < count / 16;
    case Where::spread:  // both ends, and every third in between
      return layer < eighth || layer >= 7 * count / 8 || (layer - eighth) % 3 == 2;
    case Where::grouped:  // many queries share the values, so that these are few
      return config.head_count >= 4 * config.head_count_kv;
  }
  return false;
}

}  // namespace

const Mixture* find_mixture(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (const Mixture& m : kMixtures) {
    if (m.name == lower) return &m;
  }
  return nullptr;
}

std::vector<std::string_view> mixture_names() {
  std::vector<std::string_view> names;
  for (const Mixture& m : kMixtures) names.push_back(m.name);
  return names;
}

DType mixture_type(const Mixture& mixture, std::string_view weight, bool head,
                   const ModelConfig& config) {
  static constexpr std::string_view kPrefix = "blk.", kEnd = ".weight";
  if (head) return mixture.head;
  const bool decoder = weight.starts_with("dec.");
  if (decoder || weight.starts_with("enc.")) weight.remove_prefix(4);
  if (!weight.starts_with(kPrefix) || !weight.ends_with(kEnd)) return mixture.dtype;
  int64_t layer = 0;
  const char* end = weight.data() + weight.size();
  const auto number = std::from_chars(weight.data() + kPrefix.size(), end, layer);
  if (number.ec != std::errc() || number.ptr == end || *number.ptr != '.') return mixture.dtype;
  std::string_view kind(number.ptr + 1, static_cast<size_t>(end - number.ptr - 1));
  kind.remove_suffix(kEnd.size());
  for (const Rule& rule : mixture.rules) {
    const bool same = kind.starts_with(rule.weight) &&
                      (kind.size() == rule.weight.size() || kind[rule.weight.size()] == '_');
    if (same &&
        fits(rule.where, layer, decoder ? config.decoder_block_count : config.block_count, config))
      return rule.dtype;
  }
  return mixture.dtype;
}

}  // namespace bantam
