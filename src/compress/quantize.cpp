#include "compress/quantize.h"

#include "base/error.h"
#include "base/thread_pool.h"
#include "models/architectures.h"

namespace bantam {
namespace {

bool holds_weights(DType dtype) {
  const DTypeInfo& info = dtype_info(dtype);
  return info.gguf_id >= 0 && info.to_float != nullptr && info.from_float != nullptr &&
         dtype != DType::i8 && dtype != DType::i32;
}

void check_type(DType dtype) {
  if (holds_weights(dtype)) return;
  fail(ErrorKind::usage, "quantize", "expected a type for weights, got {}", dtype_info(dtype).name);
}

Tensor convert(const Tensor& source, DType dtype, ThreadPool& pool) {
  if (source.dtype() == dtype) return source;
  const int64_t n = source.shape()[-1];
  const int64_t from = row_bytes(source.dtype(), n), to = row_bytes(dtype, n);
  Tensor out = Tensor::zeros(dtype, source.shape());
  std::vector<std::vector<float>> rows(static_cast<size_t>(pool.size()),
                                       std::vector<float>(static_cast<size_t>(n)));
  static constexpr int64_t kRowsAtOnce = 4;
  pool.parallel_for(
      source.shape().rows(), kRowsAtOnce, [&](int64_t begin, int64_t end, int worker) {
        float* row = rows[static_cast<size_t>(worker)].data();
        for (int64_t i = begin; i < end; ++i) {
          dtype_info(source.dtype()).to_float(source.as<std::byte>() + i * from, row, n);
          dtype_info(dtype).from_float(row, out.as<std::byte>() + i * to, n);
        }
      });
  return out;
}

}  // namespace

DType type_for_row(DType wanted, int64_t n) {
  const auto fits = [n](DType dtype) { return n % dtype_info(dtype).block_length == 0; };
  if (fits(wanted)) return wanted;
  const DType smaller_blocks = wanted == DType::q4_k ? DType::q4_0 : DType::q8_0;
  return fits(smaller_blocks) ? smaller_blocks : DType::f16;
}

QuantizeResult quantize(const Model& model, const QuantizeOptions& options) {
  const DType head_type = options.head_type.value_or(options.type);
  check_type(options.type);
  check_type(head_type);
  const std::string head = model.config.tied_embeddings ? "token_embd.weight" : "output.weight";
  const auto exact = f32_weights(model);
  ThreadPool pool(options.threads);
  QuantizeResult result{model, {}};
  for (auto& [name, tensor] : result.model.weights) {
    // Routers are small, and an error of theirs sends a token elsewhere.
    const bool kept = exact.contains(name) || name.find("ffn_gate_inp") != std::string::npos;
    if (kept || tensor.shape().rank() < 2 || !holds_weights(tensor.dtype())) continue;
    const DType wanted = name == head ? head_type : options.type;
    const DType used = type_for_row(wanted, tensor.shape()[-1]);
    if (used != wanted) result.fallbacks.push_back({name, wanted, used});
    tensor = convert(tensor, used, pool);
  }
  return result;
}

}  // namespace bantam
