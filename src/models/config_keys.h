#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/model.h"

namespace bantam {

// The GGUF keys of an architecture, named once for every direction. An architecture's `keys`
// function passes each field of the configuration through one of the calls below; a subclass then
// reads it from a file, writes it, or leaves it, and every value is checked on the way.
//
//   void granite_keys(ConfigKeys& k, ModelConfig& c) {
//     decoder_keys(k, c);
//     k.number("logit_scale", c.logit_scale, 1);
//   }
//
// Keys stand without the architecture's name ("attention.head_count"). One without a default must
// be there. Errors are of ErrorKind::model and name the file and the key.
class ConfigKeys {
 public:
  explicit ConfigKeys(std::string where) : where_(std::move(where)) {}
  virtual ~ConfigKeys() = default;

  // Extents, 1 to 2^31.
  void count(std::string_view key, int64_t& value, std::optional<int64_t> otherwise = {});
  // Positive reals (epsilons, frequencies).
  void positive(std::string_view key, double& value, std::optional<double> otherwise = {});
  // Ids of tokens, 0 to 2^31.
  void token(std::string_view key, int32_t& value, std::optional<int64_t> otherwise = {});
  // The following are left out of files where they have a default of 0, 1 or false.
  void size(std::string_view key, int64_t& value, int64_t otherwise = 0);  // 0 to 2^31
  void number(std::string_view key, double& value, double otherwise);      // finite
  void flag(std::string_view key, bool& value, bool otherwise);
  // One of several names, as its index.
  void choice(std::string_view key, int& index, const std::vector<std::string_view>& names,
              int otherwise);
  // A number for every block, or one each: `all` is then the largest, and `each` is empty where
  // they agree. From 0 on; at least one is positive.
  void per_block(std::string_view key, int64_t& all, std::vector<int64_t>& each, int64_t blocks,
                 std::optional<int64_t> otherwise = {});

  // For what one value alone does not tell.
  void expect(bool condition, std::string_view key, std::string_view expected, int64_t got) const;

 protected:
  enum class Write { always, unless_default };
  virtual void integer(std::string_view key, int64_t& value, std::optional<int64_t> otherwise,
                       Write write) = 0;
  virtual void real(std::string_view key, double& value, std::optional<double> otherwise,
                    Write write) = 0;
  virtual void boolean(std::string_view key, bool& value, bool otherwise) = 0;
  virtual void text(std::string_view key, std::string& value, std::string_view otherwise) = 0;
  // `values`: one, or one for each block.
  virtual void integers(std::string_view key, std::vector<int64_t>& values,
                        std::optional<int64_t> otherwise) = 0;

  [[nodiscard]] const std::string& where() const { return where_; }
  // What errors call a key.
  [[nodiscard]] virtual std::string label(std::string_view key) const { return std::string(key); }

 private:
  std::string where_;
};

// Groups of keys that families share.

// context_length, embedding_length, block_count, feed_forward_length.
void size_keys(ConfigKeys& k, ModelConfig& c);
// attention.head_count, head_count_kv, key_length, value_length.
void head_keys(ConfigKeys& k, ModelConfig& c);
// rope.dimension_count, freq_base and rope.scaling.*.
void rope_keys(ConfigKeys& k, ModelConfig& c);
// attention.sliding_window and its pattern: by default every `period`-th block sees all.
void window_keys(ConfigKeys& k, ModelConfig& c, int64_t window, int64_t period);
void rms_norm_keys(ConfigKeys& k, ModelConfig& c);    // attention.layer_norm_rms_epsilon
void layer_norm_keys(ConfigKeys& k, ModelConfig& c);  // attention.layer_norm_epsilon
// All of them, with RMS normalisation: what Llama and most of its successors have.
void decoder_keys(ConfigKeys& k, ModelConfig& c);

}  // namespace bantam
