#include "models/hf/weights.h"

#include <algorithm>
#include <map>

#include "base/error.h"
#include "formats/messages.h"
#include "models/hf/stored_weight.h"

namespace bantam::hf {

namespace {

// "model.layers.3.mlp.up_proj.weight" as "model.layers.*.mlp.up_proj.weight" and {3}.
struct Name {
  std::string pattern;
  std::vector<int64_t> numbers;
};

// Some files say which model the tensors are a part of.
std::string without_owner(std::string_view text) {
  constexpr std::string_view kInner = "model.language_model.";
  if (text.starts_with(kInner)) return fmt::format("model.{}", text.substr(kInner.size()));
  for (const std::string_view prefix :
       {"language_model.", "transformer.", "bert.", "distilbert.transformer.", "distilbert."}) {
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  }
  return std::string(text);
}

// What stands beside the text part of a model.
bool is_foreign(std::string_view name) {
  if (name.starts_with("model.")) name.remove_prefix(6);
  return name.starts_with("vision_tower.") || name.starts_with("multi_modal_projector.");
}

Name parse_name(std::string_view whole) {
  std::string changed = without_owner(whole);
  const auto ends_with = [&](std::string_view end, std::string_view today) {
    if (!changed.ends_with(end)) return;
    changed.resize(changed.size() - end.size());
    changed += today;
  };
  // Norms of BERT's first checkpoints.
  ends_with(".gamma", ".weight");
  ends_with(".beta", ".bias");
  std::string_view text = changed;
  Name name;
  while (!text.empty()) {
    const size_t dot = std::min(text.find('.'), text.size());
    const std::string_view part = text.substr(0, dot);
    const bool number =
        part.size() <= 9 && std::ranges::all_of(part, [](char c) { return c >= '0' && c <= '9'; });
    if (!name.pattern.empty()) name.pattern += '.';
    if (number && !part.empty()) {
      name.numbers.push_back(std::stoll(std::string(part)));
      name.pattern += '*';
    } else {
      name.pattern += part;
    }
    text.remove_prefix(std::min(dot + 1, text.size()));
  }
  return name;
}

struct Found {
  const TensorRule* rule = nullptr;
  bool in_block = false;
  std::string suffix;  // ".weight", ".bias" or nothing
};

Found find_in_group(const TensorGroup& group, std::string_view pattern) {
  if (!pattern.starts_with(group.prefix)) return {};
  pattern.remove_prefix(group.prefix.size());
  for (const std::string_view suffix : {"", ".weight", ".bias"}) {
    if (!pattern.ends_with(suffix)) continue;
    const std::string_view stem = pattern.substr(0, pattern.size() - suffix.size());
    const auto it = std::ranges::find(group.rules, stem, &TensorRule::hf);
    if (it != group.rules.end())
      return {&*it, group.prefix.find('*') != group.prefix.npos, std::string(suffix)};
  }
  return {};
}

Found find_rule(const Family& family, std::string_view pattern) {
  for (const TensorGroup& group : family.tensors) {
    if (Found found = find_in_group(group, pattern); found.rule != nullptr) return found;
  }
  return {};
}

std::vector<std::string> gguf_names(const Found& found, const Name& name) {
  std::vector<std::string> names;
  std::string_view left = found.rule->gguf;
  while (!left.empty()) {
    const size_t space = std::min(left.find(' '), left.size());
    const std::string part(left.substr(0, space));
    names.push_back(found.in_block
                        ? fmt::format("blk.{}.{}{}", name.numbers.at(0), part, found.suffix)
                        : part + found.suffix);
    left.remove_prefix(std::min(space + 1, left.size()));
  }
  return names;
}

Tensor scaled(const Tensor& t, const std::vector<RowScale>& scales) {
  if (scales.empty()) return t;
  Tensor out = t.to(DType::f32);
  const int64_t rows = t.shape()[0], columns = t.shape().elements() / rows;
  int64_t row = 0;
  for (const RowScale& s : scales) {
    for (; row < std::min(s.end, rows); ++row) {
      for (int64_t c = 0; c < columns; ++c) {
        float& x = out.as<float>()[row * columns + c];
        x = static_cast<float>(x * s.factor);
      }
    }
  }
  return out;
}

DType target_type(const std::string& name, const Shape& shape, DType from,
                  std::optional<DType> wanted) {
  const auto has = [&](std::string_view part) { return name.find(part) != name.npos; };
  const bool steers = has("_norm") || has("ffn_gate_inp") || has("ssm_conv1d") || has(".ssm_a") ||
                      has(".ssm_d") || has("shortconv.conv") || has("token_types") ||
                      has("position_embd") || name.ends_with(".bias");
  if (shape.rank() < 2 || steers) return DType::f32;
  if (!wanted) return from;
  const bool fits = shape[-1] % dtype_info(*wanted).block_length == 0;
  return fits ? *wanted : DType::f16;
}

class Importer {
 public:
  Importer(const Family& family, const JsonField& config, const SafetensorsFolder& folder,
           std::optional<DType> type, GgufWriter& out)
      : family_(family),
        config_(config),
        folder_(folder),
        type_(type),
        out_(out),
        format_(config),
        dimensions_(read_dimensions(config)),
        tied_(first_of(config, {"tie_word_embeddings", "tie_embedding"}).boolean(false)) {}

  void run() {
    for (const std::string& hf : folder_.names()) add(hf);
    expect_head();
    for (const auto& [name, slices] : stacks_) add_stacked(name, slices);
  }

 private:
  // GGUF files without a head use the embedding table for it: here that would hide a loss.
  void expect_head() const {
    const JsonField tied = first_of(config_, {"tie_word_embeddings", "tie_embedding"});
    if (tied.absent() || tied_ || has_head_) return;
    for (const TensorGroup& group : family_.tensors) {
      const auto head = std::ranges::find(group.rules, "output", &TensorRule::gguf);
      if (head == group.rules.end()) continue;
      fail(ErrorKind::model, config_.file(),
           "tie_word_embeddings: expected a tensor \"{}{}.weight\" beside false, got none",
           group.prefix, head->hf);
    }
  }

  void add(const std::string& hf) {
    if (is_foreign(hf) || format_.is_scale(hf)) return;
    const Name name = parse_name(hf);
    const Found found = find_rule(family_, name.pattern);
    if (found.rule == nullptr) {
      fail(ErrorKind::model, config_.file(), "tensor {}: expected one of a {} model, got this",
           bantam::quoted(hf), family_.model_type);
    }
    // Blocks after the last foretell further tokens; nothing here uses them.
    if (found.in_block && name.numbers.at(0) >= dimensions_.blocks) return;
    const Change* change = found.rule->change;
    if (change == &drop) return;
    const std::vector<std::string> gguf = gguf_names(found, name);
    if (gguf[0] == "output.weight") has_head_ = true;
    if (tied_ && gguf[0] == "output.weight") return;
    if (change == &stack) {
      stacks_[gguf[0]][name.numbers.at(1)] = hf;
      return;
    }
    Source source{std::string(config_.file()), hf, {}, {}, dimensions_};
    std::optional<StoredWeight> stored;
    if (change == &mxfp4 || change == &mxfp4_turns) {
      source.tensor = folder_.bytes(hf);
      source.scales = folder_.bytes(hf.substr(0, hf.rfind('_')) + "_scales");
    } else {
      stored = StoredWeight(folder_, hf, format_);
      source.tensor = stored->outline();
    }
    for (size_t part = 0; part < gguf.size(); ++part) {
      add_part(gguf[part], source, stored, change, static_cast<int>(part));
    }
    untie(gguf[0], source, stored);
  }

  // `source` is complete but for the elements of a `stored` weight.
  void add_part(const std::string& gguf, const Source& source,
                const std::optional<StoredWeight>& stored, const Change* change, int part) {
    const Change::Description is =
        change != nullptr ? change->describe(source, part)
                          : Change::Description{source.tensor.shape(), source.tensor.dtype()};
    const DType target = target_type(gguf, is.shape, is.dtype, type_);
    const std::vector<RowScale> scales = scales_of(gguf);
    out_.add_tensor(gguf, target, is.shape,
                    [source, stored, change, part, target, scales](const GgufWriter::Emit& emit) {
                      Source s = source;
                      if (stored) s.tensor = stored->value();
                      const Tensor t = change != nullptr ? change->apply(s, part) : s.tensor;
                      emit_tensor(scaled(t, scales), target, emit);
                    });
  }

  [[nodiscard]] std::vector<RowScale> scales_of(const std::string& gguf) const {
    return family_.scales != nullptr ? family_.scales(config_, gguf) : std::vector<RowScale>();
  }

  // A table that serves twice with different multipliers becomes two.
  void untie(const std::string& gguf, const Source& source,
             const std::optional<StoredWeight>& stored) {
    if (!tied_ || family_.scales == nullptr || gguf != "token_embd.weight") return;
    const auto table = scales_of(gguf), head = scales_of("output.weight");
    if (table.at(0).factor != head.at(0).factor)
      add_part("output.weight", source, stored, nullptr, 0);
  }

  void add_stacked(const std::string& gguf, const std::map<int64_t, std::string>& names) {
    const auto count = static_cast<int64_t>(names.size());
    const Tensor first = StoredWeight(folder_, names.begin()->second, format_).outline();
    std::vector<StoredWeight> slices;
    for (const auto& [number, hf] : names) {
      slices.emplace_back(folder_, hf, format_);
      const Tensor& slice = slices.back().outline();
      const bool fits = number + 1 == static_cast<int64_t>(slices.size()) &&
                        slice.shape() == first.shape() && slice.dtype() == first.dtype();
      if (fits) continue;
      fail(ErrorKind::model, config_.file(),
           "tensor \"{}\": expected expert {} of shape {}, got expert {} of shape {}", hf,
           slices.size() - 1, first.shape().str(), number, slice.shape().str());
    }
    std::vector<int64_t> dims = {count};
    for (int axis = 0; axis < first.shape().rank(); ++axis) dims.push_back(first.shape()[axis]);
    const Shape shape{std::span<const int64_t>(dims)};
    const DType target = target_type(gguf, shape, first.dtype(), type_);
    out_.add_tensor(gguf, target, shape, [slices, target](const GgufWriter::Emit& emit) {
      for (const StoredWeight& slice : slices) emit_tensor(slice.value(), target, emit);
    });
  }

  static void emit_tensor(const Tensor& tensor, DType target, const GgufWriter::Emit& emit) {
    const Tensor t = tensor.dtype() == target ? tensor : tensor.to(target);
    emit(std::span(t.as<const std::byte>(), static_cast<size_t>(t.bytes())));
  }

  const Family& family_;
  const JsonField& config_;
  const SafetensorsFolder& folder_;
  std::optional<DType> type_;
  GgufWriter& out_;
  StoredFormat format_;
  Dimensions dimensions_;
  bool tied_;
  bool has_head_ = false;
  std::map<std::string, std::map<int64_t, std::string>> stacks_;  // GGUF name -> number -> name
};

}  // namespace

void add_weights(const Family& family, const JsonField& config, const SafetensorsFolder& folder,
                 std::optional<DType> type, GgufWriter& out) {
  Importer(family, config, folder, type, out).run();
}

}  // namespace bantam::hf
