#pragma once

// What the kernels with vectors of 512 bits have in common. Included by the files for them.

#include "cpu/quant/block_rows.h"
#include "cpu/quant/formats.h"
#include "cpu/quant/formats_low.h"
#include "cpu/quant/formats_table.h"
#include "cpu/quant/lanes_512.h"
#include "cpu/quant/panels/panels.h"

namespace bantam::cpu::quant {
namespace {

// Signed weights stay signed: kernels for panels centre all others too.
struct CentredLanes512 : Lanes512 {
  static constexpr bool kCentred = true;
  static constexpr int kSignedOffset = 0;
  BANTAM_QUANT_INLINE void prepare_signed(Ints*) {}
};

// The kernels of an instruction set, `Kernels::linear<F>` for each format F.
template <class Kernels>
constexpr PanelKernels panels_of_every_format(int64_t rows, int64_t row_step, int64_t row_bytes,
                                              void (*pack)(const BlockQ8A*, const PanelPart&,
                                                           int64_t, void*),
                                              int64_t least_rows) {
  using V = CentredLanes512;
  using K = Kernels;
  return {rows,
          row_step,
          row_bytes,
          pack,
          least_rows,
          least_rows,
          {K::template linear<FormatQ8_0<V>>, K::template linear<FormatQ4_0<V>>,
           K::template linear<FormatQ4_1<V>>, K::template linear<FormatQ4_K<V>>,
           K::template linear<FormatQ5_K<V>>, K::template linear<FormatQ6_K<V>>,
           K::template linear<FormatQ5_0<V>>, K::template linear<FormatQ5_1<V>>,
           K::template linear<FormatQ2_K<V>>, K::template linear<FormatQ3_K<V>>,
           K::template linear<FormatTQ1_0<V>>, K::template linear<FormatTQ2_0<V>>,
           K::template linear<FormatIQ4_NL<V>>, K::template linear<FormatIQ4_XS<V>>,
           K::template linear<FormatMXFP4<V>>}};
}

}  // namespace
}  // namespace bantam::cpu::quant
