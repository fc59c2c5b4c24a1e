#include "compress/quantize.h"

#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "base/thread_pool.h"
#include "models/architectures.h"
#include "tensor/layout.h"

namespace bantam {
namespace {

bool holds_weights(DType dtype) {
  return dtype_info(dtype).gguf_id >= 0 && dtype != DType::i8 && dtype != DType::i32;
}

void check_type(DType dtype) {
  const DTypeInfo& info = dtype_info(dtype);
  if (!holds_weights(dtype)) {
    fail(ErrorKind::usage, "quantize", "expected a type for weights, got {}", info.name);
  }
  if (info.from_float == nullptr) {
    fail(ErrorKind::usage, "quantize",
         "{} can be read but not written; expected a type such as iq4_xs or q3_k", info.name);
  }
}

// For rows that are no whole blocks of 256.
DType with_smaller_blocks(DType wanted) {
  switch (wanted) {
    case DType::q4_k:
      return DType::q5_0;
    case DType::q5_k:
      return DType::q5_1;
    case DType::q2_k:
    case DType::q3_k:
    case DType::iq4_xs:
    case DType::tq1_0:
    case DType::tq2_0:
      return DType::iq4_nl;
    default:
      return DType::q8_0;
  }
}

Tensor convert(const Tensor& source, DType dtype, ThreadPool& pool) {
  if (source.dtype() == dtype) return deinterleave(source);
  const int64_t n = source.shape()[-1];
  const int64_t to = row_bytes(dtype, n);
  Tensor out = Tensor::zeros(dtype, source.shape());
  std::vector<std::vector<float>> rows(static_cast<size_t>(pool.size()),
                                       std::vector<float>(static_cast<size_t>(n)));
  static constexpr int64_t kRowsAtOnce = 4;
  pool.parallel_for(source.shape().rows(), kRowsAtOnce,
                    [&](int64_t begin, int64_t end, int worker) {
                      float* row = rows[static_cast<size_t>(worker)].data();
                      for (int64_t i = begin; i < end; ++i) {
                        row_to_float(source.view(), i, row);
                        dtype_info(dtype).from_float(row, out.as<std::byte>() + i * to, n);
                      }
                    });
  return out;
}

}  // namespace

bool is_projection(std::string_view name) {
  static constexpr std::string_view kOthers[] = {"_norm",          "ffn_gate_inp",  "ssm_conv1d",
                                                 "shortconv.conv", "position_embd", "token_types",
                                                 "attn_rel_b"};
  if (!name.ends_with(".weight")) return false;
  return std::none_of(std::begin(kOthers), std::end(kOthers), [&](std::string_view other) {
    return name.find(other) != std::string_view::npos;
  });
}

DType type_for_row(DType wanted, int64_t n) {
  const auto fits = [n](DType dtype) { return n % dtype_info(dtype).block_length == 0; };
  if (fits(wanted)) return wanted;
  const DType smaller = with_smaller_blocks(wanted);
  return fits(smaller) ? smaller : DType::f16;
}

DType wanted_type(const QuantizeOptions& options, std::string_view weight,
                  const ModelConfig& config) {
  const bool is_head = weight == (config.tied_embeddings ? "token_embd.weight" : "output.weight");
  if (is_head && options.head_type) return *options.head_type;
  return options.mixture == nullptr ? options.type
                                    : mixture_type(*options.mixture, weight, is_head, config);
}

QuantizeResult quantize(const Model& model, const QuantizeOptions& options) {
  check_type(options.type);
  check_type(options.head_type.value_or(options.type));
  const auto exact = f32_weights(model);
  ThreadPool pool(options.threads);
  QuantizeResult result{model, {}};
  for (auto& [name, tensor] : result.model.weights) {
    const bool kept = exact.contains(name) || !is_projection(name);
    if (kept || tensor.shape().rank() < 2 || !holds_weights(tensor.dtype())) continue;
    const DType wanted = wanted_type(options, name, model.config);
    const DType used = type_for_row(wanted, tensor.shape()[-1]);
    if (used != wanted) result.fallbacks.push_back({name, wanted, used});
    tensor = convert(tensor, used, pool);
  }
  return result;
}

}  // namespace bantam
