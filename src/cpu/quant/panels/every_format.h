#pragma once

// The list of formats that panels have kernels for. Included by the kernel files.

#include "cpu/quant/block_rows.h"
#include "cpu/quant/formats.h"
#include "cpu/quant/formats_low.h"
#include "cpu/quant/formats_table.h"
#include "cpu/quant/panels/panels.h"

namespace bantam::cpu::quant {
namespace {

struct LeastRows {
  int64_t of_bytes, of_others;
};

// The kernels of an instruction set with vectors V: `Kernels::linear<F>` for each format F.
template <class V, class Kernels>
constexpr PanelKernels panels_of_every_format(int64_t rows, int64_t row_step, int64_t row_bytes,
                                              void (*pack)(const BlockQ8A*, const PanelPart&,
                                                           int64_t, void*),
                                              LeastRows least) {
  using K = Kernels;
  return {rows,
          row_step,
          row_bytes,
          pack,
          least.of_bytes,
          least.of_others,
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
