#include "base/half.h"
#include "cpu/elementwise/lanes/lanes.h"
#include "cpu/embedding/embedding.h"

namespace bantam::cpu::scalar {
namespace {

float value(float x) {
  return x;
}
float value(Bf16 x) {
  return bf16_to_float(x.bits);
}

template <class T>
void gather_sum(const void* dy, int64_t columns, const int32_t* rows, int64_t count, float* out) {
  for (int64_t c = 0; c < columns; ++c) out[c] = 0.0f;
  for (int64_t k = 0; k < count; ++k) {
    const T* row = static_cast<const T*>(dy) + rows[k] * columns;
    for (int64_t c = 0; c < columns; ++c) out[c] += value(row[c]);
  }
}

}  // namespace

constinit const EmbeddingKernels kEmbeddingKernels = {{gather_sum<float>, gather_sum<Bf16>}};

}  // namespace bantam::cpu::scalar
