#include "models/config_gguf.h"
#include "base/error.h"
#include "formats/gguf_writer.h"
#include "models/architectures.h"

namespace bantam {

void check_config(const ModelConfig& c, std::string_view where) {
  const auto positive = [&](std::string_view field, int64_t value) {
    if (value > 0 && value <= (int64_t{1} << 31)) return;
    fail(ErrorKind::model, where, "{}: expected a positive number, got {}", field, value);
  };
  positive("context_length", c.context_length);
  positive("embedding_length", c.embedding_length);
  positive("block_count", c.block_count);
  positive("feed_forward_length", c.feed_forward_length);
  positive("attention.head_count", c.head_count);
  positive("attention.head_count_kv", c.head_count_kv);
  positive("attention.key_length", c.head_size);
  positive("vocab_size", c.vocab_size);
  if (c.head_count % c.head_count_kv != 0) {
    fail(ErrorKind::model, where,
         "attention.head_count_kv: expected a divisor of the {} heads, got {}", c.head_count,
         c.head_count_kv);
  }
  if (c.rope_dims <= 0 || c.rope_dims % 2 != 0 || c.rope_dims > c.head_size) {
    fail(ErrorKind::model, where,
         "rope.dimension_count: expected an even number up to the head size {}, got {}",
         c.head_size, c.rope_dims);
  }
  if (!(c.rms_norm_eps > 0)) {
    fail(ErrorKind::model, where,
         "attention.layer_norm_rms_epsilon: expected a positive number, got {}", c.rms_norm_eps);
  }
  if (!(c.rope_theta > 0)) {
    fail(ErrorKind::model, where, "rope.freq_base: expected a positive number, got {}",
         c.rope_theta);
  }
}

namespace {

int64_t vocabulary(const GgufFile& file, const std::string& prefix, std::string_view where) {
  const GgufTensor* table = file.find_tensor("token_embd.weight");
  if (table == nullptr || table->shape.rank() != 2) {
    fail(ErrorKind::model, where, "expected a matrix \"token_embd.weight\", got {}",
         table == nullptr ? "none" : table->shape.str());
  }
  return file.integer(prefix + "vocab_size", table->shape[0]);
}

}  // namespace

ModelConfig read_config(const GgufFile& file, std::string_view where) {
  ModelConfig c;
  c.architecture = file.text("general.architecture");
  const Architecture& architecture = find_architecture(c.architecture, where);
  const std::string p = c.architecture + ".";
  c.context_length = file.integer(p + "context_length");
  c.embedding_length = file.integer(p + "embedding_length");
  c.block_count = file.integer(p + "block_count");
  c.feed_forward_length = file.integer(p + "feed_forward_length");
  c.head_count = file.integer(p + "attention.head_count");
  c.head_count_kv = file.integer(p + "attention.head_count_kv", c.head_count);
  const int64_t even = c.head_count > 0 ? c.embedding_length / c.head_count : 0;
  c.head_size = file.integer(p + "attention.key_length", even);
  c.vocab_size = vocabulary(file, p, where);
  c.rms_norm_eps = file.real(p + "attention.layer_norm_rms_epsilon");
  c.rope_theta = file.real(p + "rope.freq_base", 10000);
  c.rope_dims = file.integer(p + "rope.dimension_count", c.head_size);
  const std::string pairs = file.text("bantam.rope_pairs", "");
  c.rope_pairs = pairs.empty()            ? architecture.rope_pairs
                 : pairs == "interleaved" ? ops::RopePairs::interleaved
                                          : ops::RopePairs::halves;
  c.tied_embeddings = file.find_tensor("output.weight") == nullptr;
  check_config(c, where);
  return c;
}

void write_config(const ModelConfig& c, GgufWriter& out) {
  const std::string p = c.architecture + ".";
  const auto number = [&](const char* key, int64_t value) {
    out.set(p + key, static_cast<uint32_t>(value));
  };
  number("context_length", c.context_length);
  number("embedding_length", c.embedding_length);
  number("block_count", c.block_count);
  number("feed_forward_length", c.feed_forward_length);
  number("attention.head_count", c.head_count);
  number("attention.head_count_kv", c.head_count_kv);
  number("attention.key_length", c.head_size);
  number("attention.value_length", c.head_size);
  number("rope.dimension_count", c.rope_dims);
  number("vocab_size", c.vocab_size);
  out.set(p + "attention.layer_norm_rms_epsilon", static_cast<float>(c.rms_norm_eps));
  out.set(p + "rope.freq_base", static_cast<float>(c.rope_theta));
  if (c.rope_pairs != find_architecture(c.architecture, "model").rope_pairs) {
    const bool interleaved = c.rope_pairs == ops::RopePairs::interleaved;
    out.set("bantam.rope_pairs", std::string(interleaved ? "interleaved" : "halves"));
  }
}

}  // namespace bantam
