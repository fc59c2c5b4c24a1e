#pragma once

#include "cpu/elementwise/lanes/lanes.h"
#include "cpu/embedding/embedding.h"

namespace bantam::cpu {

// embedding.h over the lanes L of an instruction set.
template <class L>
struct EmbeddingOverLanes {
  using F = typename L::F;

  // Sums stay in registers for the whole list, 64 columns at a time.
  template <class T>
  static void gather_sum(const void* dy_rows, int64_t columns, const int32_t* rows, int64_t count,
                         float* out) {
    const T* dy = static_cast<const T*>(dy_rows);
    int64_t c = 0;
    for (; c + 4 * kLanes <= columns; c += 4 * kLanes) {
      F s0 = L::set(0.0f), s1 = s0, s2 = s0, s3 = s0;
      for (int64_t k = 0; k < count; ++k) {
        const T* p = dy + rows[k] * columns + c;
        s0 = L::add(s0, L::load(p));
        s1 = L::add(s1, L::load(p + kLanes));
        s2 = L::add(s2, L::load(p + 2 * kLanes));
        s3 = L::add(s3, L::load(p + 3 * kLanes));
      }
      L::store(out + c, s0);
      L::store(out + c + kLanes, s1);
      L::store(out + c + 2 * kLanes, s2);
      L::store(out + c + 3 * kLanes, s3);
    }
    for_blocks<L>(columns - c, [&](int64_t i, auto width) {
      F total = L::set(0.0f);
      for (int64_t k = 0; k < count; ++k) {
        total = L::add(total, load<L>(dy + rows[k] * columns + c + i, width));
      }
      store<L>(out + c + i, total, width);
    });
  }

  static constexpr EmbeddingKernels kernels() { return {{gather_sum<float>, gather_sum<Bf16>}}; }
};

}  // namespace bantam::cpu
