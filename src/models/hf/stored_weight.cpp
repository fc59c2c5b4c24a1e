#include "models/hf/stored_weight.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.h"
#include "base/half.h"

namespace bantam::hf {
namespace {

// No infinities: where exponent and mantissa are all ones it is not a number.
float e4m3_to_float(uint8_t bits) {
  const int exponent = bits >> 3 & 15, mantissa = bits & 7;
  float x = 0;
  if (exponent == 15 && mantissa == 7) {
    x = std::numeric_limits<float>::quiet_NaN();
  } else if (exponent == 0) {
    x = std::ldexp(static_cast<float>(mantissa), -9);
  } else {
    x = std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
  }
  return (bits & 0x80) != 0 ? -x : x;
}

// The upper half of an f16.
float e5m2_to_float(uint8_t bits) {
  return f16_to_float(static_cast<uint16_t>(bits << 8));
}

// How many elements share a scale, of `extent` with `scales` along it.
int64_t sharing(int64_t extent, int64_t scales, int64_t block) {
  if (scales == 1) return std::max<int64_t>(extent, 1);
  if (scales == extent) return 1;
  return scales == (extent + block - 1) / block ? block : 0;
}

}  // namespace

StoredFormat::StoredFormat(const JsonField& config) : file(config.file()) {
  const JsonField field = config["quantization_config"];
  if (!field) return;
  const JsonField method = field["quant_method"];
  const std::string name = method.text();
  if (name == "mxfp4") return;
  const bool compressed = name == "compressed-tensors";
  if (compressed && field["format"].text() != "float-quantized") {
    field["format"].wrong("float-quantized; import the model that this one was made from");
  }
  if (name != "fp8" && name != "fbgemm_fp8" && !compressed) {
    method.wrong(
        "fp8, fbgemm_fp8, compressed-tensors or mxfp4; import the model that this one "
        "was made from and quantise that");
  }
  fp8 = true;
  const JsonField block = field["weight_block_size"];
  if (!block) return;
  const auto extents = block.items();
  if (extents.size() != 2) block.wrong("rows and columns");
  block_rows = extents[0].integer();
  block_columns = extents[1].integer();
  if (block_rows < 1 || block_columns < 1) block.wrong("rows and columns, at least 1 each");
}

bool StoredFormat::is_scale(std::string_view name) const {
  if (!fp8) return false;
  for (const std::string_view end : {".weight_scale_inv", ".weight_scale", ".input_scale",
                                     ".activation_scale", ".k_scale", ".v_scale"}) {
    if (name.ends_with(end)) return true;
  }
  return false;
}

StoredWeight::StoredWeight(const SafetensorsFolder& folder, const std::string& name,
                           const StoredFormat& format) {
  const std::string type = folder.type(name);
  if (type != "F8_E4M3" && type != "F8_E5M2") {
    outline_ = folder.tensor(name);
    return;
  }
  decode_ = type == "F8_E4M3" ? e4m3_to_float : e5m2_to_float;
  bytes_ = folder.bytes(name);
  const Shape& shape = bytes_.shape();
  std::string scale = name + "_scale_inv";  // multiplies all the same
  if (!folder.contains(scale)) scale = name + "_scale";
  scales_ = folder.tensor(scale).to(DType::f32);
  const Shape& s = scales_.shape();
  const bool matrix = shape.rank() == 2 && s.rank() <= 2;
  if (matrix) {
    scale_rows_ = sharing(shape[0], s.rank() > 0 ? s[0] : 1, format.block_rows);
    scale_columns_ = sharing(shape[1], s.rank() > 1 ? s[1] : 1, format.block_columns);
  }
  if (!matrix || scale_rows_ == 0 || scale_columns_ == 0) {
    fail(
        ErrorKind::model, format.file,
        "tensor \"{}\": expected one scale, one for each row or one for each {} x {} of {}, got {}",
        scale, format.block_rows, format.block_columns, shape.str(), s.str());
  }
  outline_ = Tensor::wrap(DType::bf16, shape, nullptr, nullptr);
}

Tensor StoredWeight::value() const {
  if (decode_ == nullptr) return outline_;
  const Shape& shape = bytes_.shape();
  Tensor out = Tensor::zeros(DType::f32, shape);
  const auto* from = bytes_.as<uint8_t>();
  const int64_t columns = shape[1];
  const int64_t across = (columns + scale_columns_ - 1) / scale_columns_;
  for (int64_t i = 0; i < shape[0]; ++i) {
    const float* scales = scales_.as<float>() + i / scale_rows_ * across;
    for (int64_t j = 0; j < columns; ++j) {
      out.as<float>()[i * columns + j] =
          decode_(from[i * columns + j]) * scales[j / scale_columns_];
    }
  }
  return out;
}

}  // namespace bantam::hf
