#pragma once

// What the kernels for panels have in common. Included by the files for them.

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
