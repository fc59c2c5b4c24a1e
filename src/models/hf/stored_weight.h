#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json_field.h"
#include "formats/safetensors.h"

// Weights as a folder stores them: plain, or in FP8 (Micikevicius et al. 2022, "FP8 Formats for
// Deep Learning") beside scales.
namespace bantam::hf {

// What config.json says of quantised weights. Throws ErrorKind::model for methods that are not
// read.
struct StoredFormat {
  explicit StoredFormat(const JsonField& config);
  // Whether a tensor holds scales, which are read with the weights that they belong to.
  [[nodiscard]] bool is_scale(std::string_view name) const;

  std::string file;  // for messages
  bool fp8 = false;
  int64_t block_rows = 128, block_columns = 128;  // that share a scale
};

class StoredWeight {
 public:
  // Throws ErrorKind::model if there is no such tensor, or scales do not fit it.
  StoredWeight(const SafetensorsFolder& folder, const std::string& name,
               const StoredFormat& format);

  // Has the shape of the weight and the type that it is kept in (bf16 for FP8), but elements only
  // where they need not be computed.
  [[nodiscard]] const Tensor& outline() const { return outline_; }
  // f32 for FP8.
  [[nodiscard]] Tensor value() const;

 private:
  Tensor outline_, bytes_, scales_;
  float (*decode_)(uint8_t) = nullptr;  // null: plain
  int64_t scale_rows_ = 1, scale_columns_ = 1;
};

}  // namespace bantam::hf
