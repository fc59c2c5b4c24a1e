#pragma once

// What the kernels for panels have in common. Included by the files for them.

#include "cpu/prefetch.h"
#include "cpu/quant/block_rows.h"
#include "cpu/quant/every_format.h"
#include "cpu/quant/panels/panels.h"

namespace bantam::cpu::quant {
namespace {

// Signed weights stay signed: kernels for panels centre all others, too.
template <class L>
struct CentredLanes : L {
  static constexpr bool kCentred = true;
  static constexpr int kSignedOffset = 0;
  BANTAM_QUANT_INLINE void prepare_signed(typename L::Ints*) {}
};

// The lines of results, asked for little by little while they are computed: another thread had them
// before.
template <int kColumns>
class ResultLines {
 public:
  [[gnu::always_inline]] inline ResultLines(const float* y, const QuantLinearShape& shape)
      : y_(y), stride_(shape.y_stride), rows_(shape.m), groups_(shape.k / 32) {}
  // Of `groups` that will then have been multiplied.
  [[gnu::always_inline]] inline void fetch(int64_t groups) {
    for (const int64_t end = groups * rows_ / groups_; fetched_ < end; ++fetched_, y_ += stride_) {
      for (int n = 0; n < kColumns; n += 16) prefetch_for_writing(y_ + n);
    }
  }

 private:
  const float* y_;
  int64_t stride_, rows_, groups_, fetched_ = 0;
};

struct LeastRows {
  int64_t of_bytes, of_others;
};

// The kernels of an instruction set with vectors V: `Kernels::linear<F>` for each format F.
template <class V, class Kernels>
constexpr PanelKernels panels_of_every_format(int64_t rows, int64_t row_step, int64_t row_bytes,
                                              void (*pack)(const BlockQ8A*, const PanelPart&,
                                                           int64_t, void*),
                                              LeastRows least) {
  return with_interleaved_formats<V>([&]<class... F>() {
    return PanelKernels{rows,
                        row_step,
                        row_bytes,
                        pack,
                        least.of_bytes,
                        least.of_others,
                        {Kernels::template linear<F>...}};
  });
}

}  // namespace
}  // namespace bantam::cpu::quant
