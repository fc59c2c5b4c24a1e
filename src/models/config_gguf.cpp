#include "models/config_gguf.h"

#include "base/error.h"
#include "formats/gguf_writer.h"
#include "models/architectures.h"
#include "models/config_keys.h"

namespace bantam {
namespace {

class GgufConfigReader : public ConfigKeys {
 public:
  GgufConfigReader(const GgufFile& file, std::string prefix, std::string_view where)
      : ConfigKeys(std::string(where)), file_(file), prefix_(std::move(prefix)) {}

 private:
  [[nodiscard]] std::string full(std::string_view key) const { return prefix_ + std::string(key); }

  void integer(std::string_view key, int64_t& value, std::optional<int64_t> otherwise,
               Write) override {
    value = otherwise ? file_.integer(full(key), *otherwise) : file_.integer(full(key));
  }
  void real(std::string_view key, double& value, std::optional<double> otherwise, Write) override {
    value = otherwise ? file_.real(full(key), *otherwise) : file_.real(full(key));
  }
  void boolean(std::string_view key, bool& value, bool otherwise) override {
    value = file_.boolean(full(key), otherwise);
  }
  void text(std::string_view key, std::string& value, std::string_view otherwise) override {
    value = file_.text(full(key), otherwise);
  }
  void integers(std::string_view key, std::vector<int64_t>& values,
                std::optional<int64_t> otherwise) override {
    if (otherwise && file_.find(full(key)) == nullptr) {
      values = {*otherwise};
    } else {
      values = file_.integers(full(key));
    }
  }

  const GgufFile& file_;
  std::string prefix_;
};

class GgufConfigWriter : public ConfigKeys {
 public:
  // What other runtimes take for granted where a key is absent.
  static bool is_neutral(double value) { return value == 0 || value == 1; }

  GgufConfigWriter(GgufWriter& out, std::string prefix)
      : ConfigKeys("model"), out_(out), prefix_(std::move(prefix)) {}

 private:
  [[nodiscard]] std::string full(std::string_view key) const { return prefix_ + std::string(key); }

  void integer(std::string_view key, int64_t& value, std::optional<int64_t> otherwise,
               Write write) override {
    if (write == Write::unless_default && value == otherwise &&
        is_neutral(static_cast<double>(value)))
      return;
    out_.set(full(key), static_cast<uint32_t>(value));
  }
  void real(std::string_view key, double& value, std::optional<double> otherwise,
            Write write) override {
    if (write == Write::unless_default && value == otherwise && is_neutral(value)) return;
    out_.set(full(key), static_cast<float>(value));
  }
  void boolean(std::string_view key, bool& value, bool otherwise) override {
    if (value || otherwise) out_.set(full(key), value);
  }
  void text(std::string_view key, std::string& value, std::string_view otherwise) override {
    if (value != otherwise) out_.set(full(key), value);
  }
  void integers(std::string_view key, std::vector<int64_t>& values,
                std::optional<int64_t>) override {
    if (values.size() == 1) return out_.set(full(key), static_cast<uint32_t>(values[0]));
    out_.set(full(key), GgufArray(std::vector<int32_t>(values.begin(), values.end())));
  }

  GgufWriter& out_;
  std::string prefix_;
};

// Leaves the values as they are, which checks them, and notes the keys.
class ConfigChecker : public ConfigKeys {
 public:
  explicit ConfigChecker(std::string_view where) : ConfigKeys(std::string(where)) {}
  std::vector<std::string> keys;

 private:
  void note(std::string_view key) { keys.emplace_back(key); }
  void integer(std::string_view key, int64_t&, std::optional<int64_t>, Write) override {
    note(key);
  }
  void real(std::string_view key, double&, std::optional<double>, Write) override { note(key); }
  void boolean(std::string_view key, bool&, bool) override { note(key); }
  void text(std::string_view key, std::string&, std::string_view) override { note(key); }
  void integers(std::string_view key, std::vector<int64_t>&, std::optional<int64_t>) override {
    note(key);
  }
};

// With the numbers that the configuration leaves to others.
ModelConfig complete(ModelConfig c) {
  if (c.value_size == 0) c.value_size = c.head_size;
  return c;
}

ConfigChecker checked(const ModelConfig& config, std::string_view where) {
  ModelConfig c = complete(config);
  ConfigChecker checker(where);
  find_architecture(c.architecture, where).keys(checker, c);
  checker.count("vocab_size", c.vocab_size);
  return checker;
}

int64_t vocabulary(const GgufFile& file, const std::string& prefix, std::string_view where) {
  const GgufTensor* table = file.find_tensor("token_embd.weight");
  if (table == nullptr || table->shape.rank() != 2) {
    fail(ErrorKind::model, where, "expected a matrix \"token_embd.weight\", got {}",
         table == nullptr ? "none" : table->shape.str());
  }
  return file.integer(prefix + "vocab_size", table->shape[0]);
}

}  // namespace

void check_config(const ModelConfig& config, std::string_view where) {
  checked(config, where);
}

std::vector<std::string> config_keys(const ModelConfig& config) {
  std::vector<std::string> keys = checked(config, "model").keys;
  for (std::string& key : keys) key = fmt::format("{}.{}", config.architecture, key);
  return keys;
}

ModelConfig read_config(const GgufFile& file, std::string_view where) {
  ModelConfig c;
  c.architecture = file.text("general.architecture");
  const Architecture& architecture = find_architecture(c.architecture, where);
  const std::string prefix = c.architecture + ".";
  GgufConfigReader reader(file, prefix, where);
  architecture.keys(reader, c);
  const auto tensors = static_cast<int64_t>(file.tensors().size());
  reader.expect(c.block_count <= tensors, prefix + "block_count",
                fmt::format("no more blocks than the file's {} tensors", tensors), c.block_count);
  reader.expect(c.decoder_block_count <= tensors, prefix + "decoder_block_count",
                fmt::format("no more blocks than the file's {} tensors", tensors),
                c.decoder_block_count);
  c.vocab_size = vocabulary(file, prefix, where);
  reader.expect(c.vocab_size > 0, prefix + "vocab_size", "a positive number", c.vocab_size);
  reader.expect(c.decoder_start_token < c.vocab_size, prefix + "decoder_start_token_id",
                fmt::format("an id below the vocabulary size {}", c.vocab_size),
                c.decoder_start_token);
  const std::string pairs = file.text("bantam.rope_pairs", "");
  c.rope_pairs = pairs.empty()            ? architecture.rope_pairs
                 : pairs == "interleaved" ? ops::RopePairs::interleaved
                                          : ops::RopePairs::halves;
  if (const GgufTensor* types = file.find_tensor("token_types.weight"); types != nullptr)
    c.token_types = types->shape[0];
  c.gated_feed_forward = file.find_tensor("enc.blk.0.ffn_gate.weight") != nullptr;
  c.tied_embeddings = file.find_tensor("output.weight") == nullptr;
  return c;
}

void write_config(const ModelConfig& config, GgufWriter& out) {
  ModelConfig c = complete(config);
  const Architecture& architecture = find_architecture(c.architecture, "model");
  GgufConfigWriter writer(out, c.architecture + ".");
  architecture.keys(writer, c);
  writer.count("vocab_size", c.vocab_size);
  if (c.token_types > 0)
    out.set("tokenizer.ggml.token_type_count", static_cast<uint32_t>(c.token_types));
  if (c.rope_pairs != architecture.rope_pairs) {
    const bool interleaved = c.rope_pairs == ops::RopePairs::interleaved;
    out.set("bantam.rope_pairs", std::string(interleaved ? "interleaved" : "halves"));
  }
}

}  // namespace bantam
