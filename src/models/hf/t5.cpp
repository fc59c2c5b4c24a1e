#include "models/hf/t5.h"

#include <set>
#include <vector>

#include "base/error.h"

namespace bantam::hf {

namespace {

// Parts of a layer; which layer of a block it is says the rest.
struct Part {
  std::string_view hf, gguf;
};

constexpr Part kAttention[] = {{"q.weight", "_q.weight"},
                               {"k.weight", "_k.weight"},
                               {"v.weight", "_v.weight"},
                               {"o.weight", "_o.weight"},
                               {"relative_attention_bias.weight", "_rel_b.weight"}};
constexpr Part kFeedForward[] = {{"wi.weight", "ffn_up.weight"},
                                 {"wi_0.weight", "ffn_gate.weight"},
                                 {"wi_1.weight", "ffn_up.weight"},
                                 {"wo.weight", "ffn_down.weight"}};

std::string_view find(std::span<const Part> parts, std::string_view hf) {
  for (const Part& p : parts)
    if (p.hf == hf) return p.gguf;
  return {};
}

// "3.layer.0.SelfAttention.q.weight" -> "3.attn_q.weight"; "" where it is none.
std::string block_part(std::string_view text, bool decoder) {
  const size_t dot = text.find('.');
  const std::string_view number = text.substr(0, dot);
  if (dot == text.npos || number.find_first_not_of("0123456789") != number.npos) return "";
  text.remove_prefix(dot + 1);
  for (const auto& [layer, stem] :
       {std::pair{"layer.0.SelfAttention.", "attn"}, {"layer.1.EncDecAttention.", "cross_attn"}}) {
    if (!text.starts_with(layer)) continue;
    const std::string_view part = find(kAttention, text.substr(std::string_view(layer).size()));
    return part.empty() ? "" : fmt::format("{}.{}{}", number, stem, part);
  }
  const std::string last = decoder ? "layer.2." : "layer.1.";
  if (text == "layer.0.layer_norm.weight") return fmt::format("{}.attn_norm.weight", number);
  if (text == last + "layer_norm.weight") return fmt::format("{}.ffn_norm.weight", number);
  if (text == "layer.1.layer_norm.weight") return fmt::format("{}.cross_attn_norm.weight", number);
  const std::string feed_forward = last + "DenseReluDense.";
  if (!text.starts_with(feed_forward)) return "";
  const std::string_view part = find(kFeedForward, text.substr(feed_forward.size()));
  return part.empty() ? "" : fmt::format("{}.{}", number, part);
}

// GGUF's name; "" where it is no tensor of a T5.
std::string gguf_name(std::string_view hf) {
  if (hf.starts_with("transformer.")) hf.remove_prefix(12);
  for (const char* table :
       {"shared.weight", "encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}) {
    if (hf == table) return "token_embd.weight";
  }
  if (hf == "lm_head.weight") return "output.weight";
  for (const auto& [stack, gguf] : {std::pair{"encoder", "enc"}, {"decoder", "dec"}}) {
    if (hf == fmt::format("{}.final_layer_norm.weight", stack))
      return fmt::format("{}.output_norm.weight", gguf);
    const std::string block = fmt::format("{}.block.", stack);
    if (!hf.starts_with(block)) continue;
    const std::string part = block_part(hf.substr(block.size()), gguf[0] == 'd');
    return part.empty() ? "" : fmt::format("{}.blk.{}", gguf, part);
  }
  return "";
}

bool is_encoder_only(const JsonField& config) {
  for (const JsonField& name : config["architectures"].items())
    if (name.is_text() && name.text().ends_with("EncoderModel")) return true;
  return false;
}

void write_keys(const JsonField& c, const std::string& architecture, GgufWriter& out) {
  const auto count = [&](const char* key, const JsonField& field, std::optional<int64_t> otherwise,
                         int64_t least = 1) {
    const int64_t value = otherwise ? field.integer(*otherwise) : field.integer();
    if (value < least || value > int64_t{1} << 31)
      field.wrong(least > 0 ? "a positive number" : "0 or a positive number");
    out.set(fmt::format("{}.{}", architecture, key), static_cast<uint32_t>(value));
    return value;
  };
  count("context_length", c["n_positions"], 512);
  count("embedding_length", c["d_model"], {});
  count("feed_forward_length", c["d_ff"], {});
  const int64_t blocks = count("block_count", c["num_layers"], {});
  count("attention.head_count", c["num_heads"], {});
  count("attention.key_length", c["d_kv"], {});
  count("attention.value_length", c["d_kv"], {});
  count("vocab_size", c["vocab_size"], {});
  count("attention.relative_buckets_count", c["relative_attention_num_buckets"], 32);
  const auto eps = static_cast<float>(c["layer_norm_epsilon"].real(1e-6));
  out.set(architecture + ".attention.layer_norm_epsilon", eps);
  out.set(architecture + ".attention.layer_norm_rms_epsilon", eps);
  if (architecture == "t5") {
    count("decoder_block_count", c["num_decoder_layers"], blocks);
    count("decoder_start_token_id", c["decoder_start_token_id"], c["pad_token_id"].integer(0), 0);
  }
  const JsonField most = c["relative_attention_max_distance"];
  if (most.integer(128) != 128) most.wrong("128, the only one that GGUF's runtimes know");
  const JsonField projection = c["feed_forward_proj"];
  const std::string kind = projection.text("relu");
  if (kind != "relu" && kind != "gated-gelu") projection.wrong("relu or gated-gelu");
}

DType target_type(std::string_view name, const Tensor& t, std::optional<DType> wanted) {
  if (t.shape().rank() < 2 || name.ends_with("_rel_b.weight")) return DType::f32;
  if (!wanted) return t.dtype();
  return t.shape()[-1] % dtype_info(*wanted).block_length == 0 ? *wanted : DType::f16;
}

}  // namespace

bool is_t5(const JsonField& config) {
  const std::string type = config["model_type"].text("");
  return type == "t5" || type == "mt5" || type == "umt5";
}

void write_t5(const JsonField& config, const SafetensorsFolder& folder, std::optional<DType> type,
              GgufWriter& out) {
  const bool encoder_only = is_encoder_only(config);
  const std::string architecture = encoder_only ? "t5encoder" : "t5";
  out.set("general.architecture", architecture);
  write_keys(config, architecture, out);
  const bool headless = encoder_only || config["tie_word_embeddings"].boolean(true);
  std::set<std::string> written;
  for (const std::string& hf : folder.names()) {
    const std::string name = gguf_name(hf);
    if (name.empty()) {
      fail(ErrorKind::model, config.file(), "tensor \"{}\": expected one of a T5 model, got this",
           hf);
    }
    // The first checkpoints have a table for cross-attention, which nothing reads.
    if (name.ends_with(".cross_attn_rel_b.weight") || (headless && name == "output.weight"))
      continue;
    if (encoder_only && name.starts_with("dec.")) continue;
    if (!written.insert(name).second) continue;  // the one embedding under its other names
    const Tensor tensor = folder.tensor(hf);
    const DType target = target_type(name, tensor, type);
    out.add_tensor(name, target, tensor.shape(), [tensor, target](const GgufWriter::Emit& emit) {
      const Tensor t = tensor.dtype() == target ? tensor : tensor.to(target);
      emit(std::span(t.as<const std::byte>(), static_cast<size_t>(t.bytes())));
    });
  }
}

}  // namespace bantam::hf
