#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include "base/json_field.h"
#include "formats/gguf_writer.h"
#include "models/hf/changes.h"

// How Hugging Face's model families are called in GGUF: tensors and keys.
namespace bantam::hf {

// "*" stands for the number of the block and, a second time, of the expert. A name without
// ".weight" or ".bias" at its end means both. Where one tensor becomes several, `gguf` has their
// names with spaces between.
struct TensorRule {
  std::string_view hf, gguf;
  const Change* change = nullptr;  // none: as it is
};

// Rules for the names that begin with `prefix`; "*" in it makes them parts of a block in GGUF, too.
struct TensorGroup {
  std::string_view prefix;
  std::span<const TensorRule> rules;
};

// A number of config.json and its name in GGUF. Where several names mean the same key, the last
// that is there counts.
struct KeyRule {
  enum Kind { count, number, flag };
  std::string_view hf, gguf;
  Kind kind = count;
};

// Up to eight groups; the first that knows a name decides.
template <typename T>
class Groups {
 public:
  constexpr Groups() = default;
  constexpr Groups(std::initializer_list<T> groups) {
    for (const T& group : groups) all_[count_++] = group;
  }
  [[nodiscard]] constexpr const T* begin() const { return all_.data(); }
  [[nodiscard]] constexpr const T* end() const { return all_.data() + count_; }

 private:
  std::array<T, 8> all_ = {};
  size_t count_ = 0;
};

// What a family's own keys are written with.
struct KeyWriter {
  const JsonField& config;
  const Dimensions& d;
  std::string prefix;  // "llama."
  GgufWriter& out;

  void count(std::string_view key, int64_t value) const;
  void number(std::string_view key, double value) const;
  void flag(std::string_view key, bool value) const;
  void per_block(std::string_view key, const std::vector<int64_t>& values) const;
};

// Rows up to `end` are multiplied by the factor.
struct RowScale {
  int64_t end;
  double factor;
};

struct Family {
  std::string_view model_type;  // of config.json
  std::string_view gguf;        // general.architecture
  Groups<TensorGroup> tensors = {};
  Groups<std::span<const KeyRule>> keys = {};
  // What takes more than copying a number, and what must hold; null for nothing.
  void (*more)(const KeyWriter& keys) = nullptr;
  // Multipliers that training kept apart from the weights, by GGUF's name of a tensor.
  std::vector<RowScale> (*scales)(const JsonField& config, std::string_view gguf) = nullptr;
  bool layer_norm = false;  // LayerNorm, not RMSNorm
  bool rotary = true;
  bool encoder = false;
  // What hidden_act may be, with spaces around each; empty where `more` looks at it.
  std::string_view activations = " silu swish ";
  // Which of several forms that share a `model_type`; null for all.
  bool (*fits)(const JsonField& config) = nullptr;
};

// By kind, each in a file of its own.
std::span<const Family> decoder_families();
std::span<const Family> mixture_families();
std::span<const Family> hybrid_families();
std::span<const Family> encoder_families();

// Throws ErrorKind::model with the known names.
const Family& find_family(const JsonField& config);

// The numbers that tensors are laid out by. Throws ErrorKind::format or model with the field.
Dimensions read_dimensions(const JsonField& config);

// Writes the keys of the architecture, and the frequency factors of RoPE as tensors where the
// configuration has them.
void write_keys(const Family& family, const JsonField& config, GgufWriter& out);

// The first of these members that is there.
JsonField first_of(const JsonField& config, std::initializer_list<std::string_view> names);
// Throws that the field is wrong unless it is plain.
void expect(bool plain, const JsonField& field, std::string_view expected);

}  // namespace bantam::hf
