#include "models/hf/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "base/error.h"

namespace bantam::hf {

namespace {

// "model.layers.3.mlp.up_proj.weight" as "model.layers.*.mlp.up_proj.weight" and {3}.
struct Name {
  std::string pattern;
  std::vector<int64_t> numbers;
};

Name parse_name(std::string_view text) {
  for (const std::string_view prefix : {"language_model.", "transformer."}) {
    if (text.starts_with(prefix)) text.remove_prefix(prefix.size());
  }
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
  std::string suffix;  // ".weight", ".bias" or nothing
};

Found find_rule(const Family& family, const std::string& pattern) {
  for (const std::string_view suffix : {"", ".weight", ".bias"}) {
    if (!pattern.ends_with(suffix)) continue;
    const std::string_view stem =
        std::string_view(pattern).substr(0, pattern.size() - suffix.size());
    const auto it = std::ranges::find(family.tensors, stem, &TensorRule::hf);
    if (it != family.tensors.end()) return {&*it, std::string(suffix)};
  }
  return {};
}

std::string gguf_name(const Found& found, const Name& name) {
  std::string text(found.rule->gguf);
  const size_t star = text.find('*');
  if (star != text.npos) text.replace(star, 1, fmt::format("{}", name.numbers.at(0)));
  return text + found.suffix;
}

// Row i of the result is row source(i) of the tensor.
template <typename Source>
Tensor permuted_rows(const Tensor& t, Source source) {
  Tensor out = Tensor::zeros(t.dtype(), t.shape());
  const int64_t rows = t.shape()[0];
  const auto bytes = static_cast<size_t>(t.bytes() / rows);
  for (int64_t i = 0; i < rows; ++i) {
    std::memcpy(out.as<std::byte>() + static_cast<size_t>(i) * bytes,
                t.as<std::byte>() + static_cast<size_t>(source(i)) * bytes, bytes);
  }
  return out;
}

// From the two halves of each head to neighbouring pairs.
Tensor paired(const Tensor& t, int64_t head_size) {
  return permuted_rows(t, [head_size](int64_t row) {
    const int64_t within = row % head_size;
    return row - within + (within % 2) * (head_size / 2) + within / 2;
  });
}

Tensor regrouped(const Tensor& t, int64_t heads, int64_t head_size) {
  return permuted_rows(t, [=](int64_t row) {
    const int64_t part = row / (heads * head_size);
    const int64_t head = row / head_size % heads;
    return (head * 3 + part) * head_size + row % head_size;
  });
}

Tensor transposed(const Tensor& t) {
  const int64_t rows = t.shape()[0];
  const int64_t columns = t.shape()[1];
  Tensor out = Tensor::zeros(t.dtype(), Shape{columns, rows});
  const auto size = static_cast<size_t>(dtype_info(t.dtype()).block_bytes);
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      std::memcpy(out.as<std::byte>() + static_cast<size_t>(c * rows + r) * size,
                  t.as<std::byte>() + static_cast<size_t>(r * columns + c) * size, size);
    }
  }
  return out;
}

template <typename Function>
Tensor mapped(const Tensor& t, Function function) {
  Tensor out = t.to(DType::f32);
  for (int64_t i = 0; i < out.shape().elements(); ++i) {
    out.as<float>()[i] = function(out.as<float>()[i]);
  }
  return out;
}

Shape changed_shape(Change change, const Shape& shape) {
  if (change == Change::transpose && shape.rank() == 2) return {shape[1], shape[0]};
  if (change != Change::squeeze) return shape;
  std::vector<int64_t> dims;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] != 1) dims.push_back(shape[axis]);
  }
  return Shape(dims);
}

Tensor changed(Change change, const Tensor& t, const Dimensions& d) {
  switch (change) {
    case Change::plus_one:
      return mapped(t, [](float x) { return x + 1; });
    case Change::negated_exp:
      return mapped(t, [](float x) { return -std::exp(x); });
    case Change::transpose:
      return t.shape().rank() == 2 ? transposed(t) : t;
    case Change::rotary_q:
    case Change::rotary_k:
      return paired(t, d.head_size);
    case Change::neox_qkv:
      return regrouped(t, d.heads, d.head_size);
    case Change::squeeze:
      return t.reshaped(changed_shape(change, t.shape()));
    default:
      return t;
  }
}

void check_rows(const std::string& name, const Tensor& t, int64_t expected,
                const JsonField& config) {
  if (t.shape().rank() > 0 && t.shape()[0] == expected) return;
  fail(ErrorKind::model, config.file(), "tensor \"{}\": expected {} rows, got the shape {}", name,
       expected, t.shape().str());
}

void check(const std::string& name, Change change, const Tensor& t, const Dimensions& d,
           const JsonField& config) {
  if (change == Change::rotary_q) check_rows(name, t, d.heads * d.head_size, config);
  if (change == Change::rotary_k) check_rows(name, t, d.kv_heads * d.head_size, config);
  if (change == Change::neox_qkv) check_rows(name, t, 3 * d.heads * d.head_size, config);
  const bool halves = change == Change::rotary_q || change == Change::rotary_k;
  if (halves && d.head_size % 2 != 0) {
    fail(ErrorKind::model, config.file(), "head_dim: expected an even number, got {}", d.head_size);
  }
}

DType target_type(const std::string& name, const Shape& shape, DType from,
                  std::optional<DType> wanted) {
  const bool steers = name.find("_norm") != name.npos || name.find("ffn_gate_inp") != name.npos ||
                      name.find("ssm_conv1d") != name.npos || name.find(".ssm_a") != name.npos ||
                      name.find(".ssm_d") != name.npos;
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
        dimensions_(read_dimensions(config)),
        tied_(config["tie_word_embeddings"].boolean(false)) {}

  void run() {
    for (const std::string& hf : folder_.names()) add(hf);
    for (const auto& [name, experts] : experts_) add_stacked(name, experts);
  }

 private:
  void add(const std::string& hf) {
    const Name name = parse_name(hf);
    const Found found = find_rule(family_, name.pattern);
    if (found.rule == nullptr) {
      fail(ErrorKind::model, config_.file(), "tensor \"{}\": expected one of a {} model, got this",
           hf, family_.model_type);
    }
    const Change change = found.rule->change;
    if (change == Change::drop) return;
    const std::string gguf = gguf_name(found, name);
    if (tied_ && gguf == "output.weight") return;
    if (change == Change::expert) {
      experts_[gguf][name.numbers.at(1)] = hf;
      return;
    }
    const Tensor tensor = folder_.tensor(hf);
    check(hf, change, tensor, dimensions_, config_);
    const Shape shape = changed_shape(change, tensor.shape());
    const DType target = target_type(gguf, shape, tensor.dtype(), type_);
    out_.add_tensor(gguf, target, shape,
                    [tensor, change, target, d = dimensions_](const GgufWriter::Emit& emit) {
                      emit_tensor(changed(change, tensor, d), target, emit);
                    });
  }

  void add_stacked(const std::string& gguf, const std::map<int64_t, std::string>& experts) {
    const auto count = static_cast<int64_t>(experts.size());
    const Tensor first = folder_.tensor(experts.begin()->second);
    if (first.shape().rank() != 2) {
      fail(ErrorKind::model, config_.file(), "tensor \"{}\": expected a matrix, got the shape {}",
           experts.begin()->second, first.shape().str());
    }
    std::vector<Tensor> slices;
    for (const auto& [number, hf] : experts) {
      slices.push_back(folder_.tensor(hf));
      const bool fits = number + 1 == static_cast<int64_t>(slices.size()) &&
                        slices.back().shape() == first.shape() &&
                        slices.back().dtype() == first.dtype();
      if (fits) continue;
      fail(ErrorKind::model, config_.file(),
           "tensor \"{}\": expected expert {} of shape {}, got expert {} of shape {}", hf,
           slices.size() - 1, first.shape().str(), number, slices.back().shape().str());
    }
    const Shape shape{count, first.shape()[0], first.shape()[1]};
    const DType target = target_type(gguf, shape, first.dtype(), type_);
    out_.add_tensor(gguf, target, shape, [slices, target](const GgufWriter::Emit& emit) {
      for (const Tensor& slice : slices) emit_tensor(slice, target, emit);
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
  Dimensions dimensions_;
  bool tied_;
  std::map<std::string, std::map<int64_t, std::string>> experts_;  // GGUF name -> number -> name
};

}  // namespace

void add_weights(const Family& family, const JsonField& config, const SafetensorsFolder& folder,
                 std::optional<DType> type, GgufWriter& out) {
  Importer(family, config, folder, type, out).run();
}

}  // namespace bantam::hf
