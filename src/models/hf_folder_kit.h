#pragma once

// Hugging Face folders written from GGUF files by the inverse of what the importer does.

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "base/random.h"
#include "formats/gguf.h"
#include "formats/safetensors.h"
#include "models/architectures.h"
#include "models/config_gguf.h"
#include "models/import_hf.h"

namespace bantam::test {

using Json = nlohmann::ordered_json;

inline std::string shared(const std::string& name) {
  const char* root = std::getenv("BANTAM_SHARED");
  return fmt::format("{}/{}", root != nullptr ? root : BANTAM_SOURCE_DIR "/../shared", name);
}

class TemporaryFolder {
 public:
  TemporaryFolder()
      : path_((std::filesystem::temp_directory_path() / fmt::format("bantam-hf-{}", ::getpid()))
                  .string()) {
    std::filesystem::create_directories(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline GgufFile parsed(const GgufWriter& writer) {
  auto bytes = std::make_shared<std::vector<std::byte>>(writer.bytes());
  return GgufFile::parse(*bytes, bytes, "imported");
}

using Names = std::map<std::string, std::string>;  // GGUF "attn_q" -> "self_attn.q_proj"

// Two tensors of GGUF that are one in the folder.
struct Join {
  std::string first, second, hf;
  std::function<Tensor(const Tensor&, const Tensor&)> join;
};

// What a test knows about a family, apart from the importer's own tables.
struct FolderCase {
  std::string fixture;
  std::string model_type;
  Names names = {};
  std::string layers = "model.layers.";
  bool pairs = false;     // q and k rows are stored as pairs in GGUF
  bool plus_one = false;  // norms are stored plus one
  bool conv1d = false;    // matrices of blocks are transposed
  bool neox = false;      // q, k, v are interleaved by head
  // By GGUF's name of the part: how it stands in the folder.
  std::map<std::string, std::function<Tensor(const Tensor&)>> inverse = {};
  std::vector<Join> joins = {};
  // Completes config.json.
  std::function<void(const GgufFile&, Json&)> config = {};
  float tolerance = 0;                 // of weights
  std::set<std::string> differs = {};  // keys of the fixture that no published model has so...
  bool same_config = true;             // ...and whether they make no difference
};

inline const Names kCommon = {
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"output", "lm_head"},
    {"attn_norm", "input_layernorm"},
    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},
    {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"},
    {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"},
    {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},
    {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"},
};

inline Names common_but(const Names& changes) {
  Names names = kCommon;
  for (const auto& [gguf, hf] : changes) names[gguf] = hf;
  return names;
}

inline Tensor rows_from(const Tensor& t, const std::function<int64_t(int64_t)>& source) {
  Tensor out = Tensor::zeros(DType::f32, t.shape());
  const int64_t columns = t.shape().elements() / t.shape()[0];
  for (int64_t row = 0; row < t.shape()[0]; ++row) {
    std::copy_n(t.as<float>() + source(row) * columns, columns, out.as<float>() + row * columns);
  }
  return out;
}

inline Tensor transposed(const Tensor& t) {
  Tensor out = Tensor::zeros(DType::f32, Shape{t.shape()[1], t.shape()[0]});
  for (int64_t r = 0; r < t.shape()[0]; ++r) {
    for (int64_t c = 0; c < t.shape()[1]; ++c) {
      out.as<float>()[c * t.shape()[0] + r] = t.as<float>()[r * t.shape()[1] + c];
    }
  }
  return out;
}

class FolderWriter {
 public:
  FolderWriter(const GgufFile& file, const FolderCase& c, std::string folder)
      : file_(file), case_(c), folder_(std::move(folder)) {
    prefix_ = file.text("general.architecture") + ".";
  }

  void write() {
    for (const GgufTensor& t : file_.tensors()) add(t.name, file_.tensor(t.name));
    write_safetensors(folder_ + "/model.safetensors", tensors_);
    write_text_file(folder_ + "/config.json", config().dump(1));
    write_text_file(folder_ + "/tokenizer.json",
                    R"({"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":[]},)"
                    R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false}})");
    write_text_file(folder_ + "/tokenizer_config.json",
                    R"({"eos_token":{"content":"b"},"chat_template":"{{ messages }}"})");
  }

 private:
  [[nodiscard]] int64_t number(const std::string& key, int64_t otherwise) const {
    return file_.integer(prefix_ + key, otherwise);
  }
  [[nodiscard]] int64_t heads() const {
    const GgufValue* value = file_.find(prefix_ + "attention.head_count");
    const bool one = value != nullptr && !std::holds_alternative<GgufArray>(*value);
    return one ? std::max<int64_t>(number("attention.head_count", 1), 1) : 1;
  }
  [[nodiscard]] int64_t head_size() const {
    return number("attention.key_length", number("embedding_length", 0) / heads());
  }

  // Undoes what GGUF does to a tensor of this family.
  Tensor original(const std::string& part, const Tensor& t) const {
    const int64_t D = head_size();
    if (case_.plus_one && part.ends_with("norm")) {
      Tensor less = t.clone();
      for (int64_t i = 0; i < less.shape().elements(); ++i) less.as<float>()[i] -= 1;
      return less;
    }
    if (case_.pairs && (part == "attn_q" || part == "attn_k")) {
      return rows_from(t, [D](int64_t row) {
        const int64_t i = row % D;
        return row - i + 2 * (i % (D / 2)) + i / (D / 2);
      });
    }
    if (case_.neox && part == "attn_qkv") {
      const int64_t H = heads();
      return rows_from(t, [H, D](int64_t row) {
        const int64_t head = row / (3 * D);
        const int64_t which = row / D % 3;
        return (which * H + head) * D + row % D;
      });
    }
    if (case_.conv1d && t.shape().rank() == 2) return transposed(t);
    return t;
  }

  // "blk.3.ffn_up.weight" -> "model.layers.3.", "ffn_up", ".weight"
  struct Part {
    std::string prefix, stem, suffix;
  };
  [[nodiscard]] Part parse(const std::string& name) const {
    Part p{"", name, ""};
    for (const char* suffix : {".weight", ".bias"}) {
      if (!name.ends_with(suffix)) continue;
      p.stem = name.substr(0, name.size() - std::strlen(suffix));
      p.suffix = suffix;
    }
    if (!p.stem.starts_with("blk.")) return p;
    const size_t dot = p.stem.find('.', 4);
    p.prefix = case_.layers + p.stem.substr(4, dot - 4) + ".";
    p.stem = p.stem.substr(dot + 1);
    return p;
  }

  // Whether it waits for its other half, or has found it.
  bool add_joined(const Part& p, const Tensor& t) {
    const std::string part = p.stem + p.suffix;
    for (const Join& join : case_.joins) {
      if (part != join.first && part != join.second) continue;
      Tensor& other = waiting_[p.prefix + join.hf];
      if (!other.defined()) {
        other = t;
      } else {
        const bool last = part == join.second;
        tensors_.emplace_back(p.prefix + join.hf, last ? join.join(other, t) : join.join(t, other));
      }
      return true;
    }
    return false;
  }

  void add(const std::string& name, const Tensor& tensor) {
    const Part p = parse(name);
    const auto inverse = case_.inverse.find(p.stem + p.suffix);
    // Embedding tables are not transposed.
    const bool kept = p.prefix.empty() && case_.conv1d;
    const Tensor t = inverse != case_.inverse.end() ? inverse->second(tensor)
                     : kept                         ? tensor
                                                    : original(p.stem, tensor);
    if (add_joined(p, t)) return;
    const auto whole = case_.names.find(p.stem + p.suffix);
    if (whole != case_.names.end()) return tensors_.push_back({p.prefix + whole->second, t});
    ASSERT_TRUE(case_.names.contains(p.stem)) << name;
    const std::string& hf = case_.names.at(p.stem);
    const size_t star = hf.find('*');
    if (star == hf.npos) return tensors_.push_back({p.prefix + hf + p.suffix, t});
    std::vector<int64_t> dims;
    for (int axis = 1; axis < t.shape().rank(); ++axis) dims.push_back(t.shape()[axis]);
    const Shape slice{std::span<const int64_t>(dims)};
    for (int64_t e = 0; e < t.shape()[0]; ++e) {
      const auto* data = t.as<float>() + e * slice.elements();
      tensors_.emplace_back(
          p.prefix + std::string(hf).replace(star, 1, fmt::format("{}", e)) + p.suffix,
          Tensor::from({data, static_cast<size_t>(slice.elements())}, slice));
    }
  }

  // config.json with the names that the family uses.
  [[nodiscard]] Json config() const {
    const bool gpt2 = case_.model_type == "gpt2";
    Json c = {{"model_type", case_.model_type}, {"vocab_size", number("vocab_size", 0)}};
    const auto count = [&](const char* hf, const std::string& key) {
      const GgufValue* value = file_.find(prefix_ + key);
      const bool one = value != nullptr && !std::holds_alternative<GgufArray>(*value);
      if (one && number(key, 0) != 0) c[hf] = number(key, 0);
    };
    const auto real = [&](const char* hf, const std::string& key) {
      if (file_.find(prefix_ + key) != nullptr) c[hf] = file_.real(prefix_ + key);
    };
    count(gpt2 ? "n_positions" : "max_position_embeddings", "context_length");
    count(gpt2 ? "n_embd" : "hidden_size", "embedding_length");
    count(gpt2 ? "n_layer" : "num_hidden_layers", "block_count");
    count(gpt2 ? "n_inner" : "intermediate_size", "feed_forward_length");
    count(gpt2 ? "n_head" : "num_attention_heads", "attention.head_count");
    count("num_key_value_heads", "attention.head_count_kv");
    count("head_dim", "attention.key_length");
    real(gpt2 ? "layer_norm_epsilon" : "layer_norm_eps", "attention.layer_norm_epsilon");
    real("rms_norm_eps", "attention.layer_norm_rms_epsilon");
    real("rope_theta", "rope.freq_base");
    const auto rotated = static_cast<double>(number("rope.dimension_count", head_size()));
    if (rotated != static_cast<double>(head_size())) {
      c[case_.neox ? "rotary_pct" : "partial_rotary_factor"] =
          rotated / static_cast<double>(head_size());
    }
    count("num_experts", "expert_count");
    count("num_experts_per_tok", "expert_used_count");
    count("moe_intermediate_size", "expert_feed_forward_length");
    count("shared_expert_intermediate_size", "expert_shared_feed_forward_length");
    count("sliding_window", "attention.sliding_window");
    real("attn_logit_softcapping", "attn_logit_softcapping");
    real("final_logit_softcapping", "final_logit_softcapping");
    real("rope_local_base_freq", "rope.freq_base_swa");
    real("logits_scaling", "logit_scale");
    real("residual_multiplier", "residual_scale");
    real("embedding_multiplier", "embedding_scale");
    real("attention_multiplier", "attention.scale");
    if (file_.find(prefix_ + "use_parallel_residual") != nullptr) {
      c["use_parallel_residual"] = file_.boolean(prefix_ + "use_parallel_residual");
    }
    c["tie_word_embeddings"] = file_.find_tensor("output.weight") == nullptr;
    if (case_.config) case_.config(file_, c);
    return c;
  }

  const GgufFile& file_;
  const FolderCase& case_;
  std::string folder_, prefix_;
  std::vector<std::pair<std::string, Tensor>> tensors_;
  std::map<std::string, Tensor> waiting_;
};

inline void expect_same_tensors(const GgufFile& imported, const GgufFile& fixture,
                                float tolerance) {
  ASSERT_EQ(imported.tensors().size(), fixture.tensors().size());
  for (const GgufTensor& t : fixture.tensors()) {
    ASSERT_NE(imported.find_tensor(t.name), nullptr) << t.name;
    const Tensor expected = fixture.tensor(t.name);
    const Tensor got = imported.tensor(t.name);
    ASSERT_EQ(got.shape(), expected.shape()) << t.name;
    ASSERT_EQ(got.dtype(), expected.dtype()) << t.name;
    for (int64_t i = 0; i < expected.shape().elements(); ++i) {
      ASSERT_NEAR(got.as<float>()[i], expected.as<float>()[i], tolerance) << t.name << " " << i;
    }
  }
}

inline void expect_same_keys(const GgufFile& imported, const GgufFile& fixture,
                             const std::set<std::string>& but) {
  const std::string prefix = fixture.text("general.architecture") + ".";
  for (const auto& [key, value] : fixture.metadata()) {
    if (!key.starts_with(prefix) || but.contains(key.substr(prefix.size()))) continue;
    ASSERT_NE(imported.find(key), nullptr) << key;
    if (std::holds_alternative<float>(value)) {
      EXPECT_FLOAT_EQ(static_cast<float>(imported.real(key)), std::get<float>(value)) << key;
    } else if (std::holds_alternative<bool>(value)) {
      EXPECT_EQ(imported.boolean(key), std::get<bool>(value)) << key;
    } else {
      EXPECT_EQ(imported.integers(key), fixture.integers(key)) << key;
    }
  }
}

// The folder gives the same weights and, to those who load it, the same configuration: what is
// computed from it is then the same, too.
inline void expect_round_trip(const GgufFile& fixture, const FolderCase& c) {
  const TemporaryFolder folder;
  FolderWriter(fixture, c, folder.path()).write();
  const GgufFile imported = parsed(hf_folder_to_gguf(folder.path(), std::nullopt));
  expect_same_tensors(imported, fixture, c.tolerance);
  expect_same_keys(imported, fixture, c.differs);
  if (c.same_config) {
    EXPECT_EQ(read_config(imported, "imported"), read_config(fixture, "fixture"));
  }
  EXPECT_EQ(imported.text("tokenizer.chat_template"), "{{ messages }}");
  EXPECT_EQ(imported.integer("tokenizer.ggml.eos_token_id"), 1);
}

inline ModelConfig small_config(const std::string& architecture) {
  return {.architecture = architecture,
          .context_length = 40,
          .embedding_length = 32,
          .block_count = 2,
          .feed_forward_length = 64,
          .head_count = 4,
          .head_count_kv = 2,
          .head_size = 8,
          .vocab_size = 20,
          .rope_dims = 8};
}

// A file of this configuration with random weights, and with the optional ones that `has` names.
inline GgufFile random_file(const ModelConfig& config,
                            const std::function<bool(std::string_view)>& has = {}) {
  GgufWriter out;
  out.set("general.architecture", config.architecture);
  write_config(config, out);
  uint64_t stream = 0;
  for (const WeightShape& w : required_weights(config, has)) {
    Random random(11, ++stream);
    Tensor t = Tensor::zeros(DType::f32, w.shape);
    for (int64_t i = 0; i < w.shape.elements(); ++i) t.as<float>()[i] = random.normal();
    out.add_tensor(w.name, t);
  }
  return parsed(out);
}

}  // namespace bantam::test
