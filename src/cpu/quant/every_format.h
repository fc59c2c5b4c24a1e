#pragma once

// The lists of weight formats, in the order of WeightFormat. Included by the kernel files.

#include "cpu/quant/formats.h"
#include "cpu/quant/formats_low.h"
#include "cpu/quant/formats_table.h"

namespace bantam::cpu::quant {

// make.operator()<F...>() for the formats of vectors V that may be interleaved, which come first.
template <class V, class Make>
constexpr auto with_interleaved_formats(Make make) {
  return make.template
  operator()<FormatQ8_0<V>, FormatQ4_0<V>, FormatQ4_1<V>, FormatQ4_K<V>, FormatQ5_K<V>,
             FormatQ6_K<V>, FormatQ5_0<V>, FormatQ5_1<V>, FormatQ2_K<V>, FormatQ3_K<V>,
             FormatTQ1_0<V>, FormatTQ2_0<V>, FormatIQ4_NL<V>, FormatIQ4_XS<V>, FormatMXFP4<V>>();
}

// ... and for all of them.
template <class V, class Make>
constexpr auto with_every_format(Make make) {
  return with_interleaved_formats<V>([&]<class... F>() {
    return make
        .template operator()<F..., FormatIQ2_XXS<V>, FormatIQ2_XS<V>, FormatIQ2_S<V>,
                             FormatIQ3_XXS<V>, FormatIQ3_S<V>, FormatIQ1_S<V>, FormatIQ1_M<V>>();
  });
}

}  // namespace bantam::cpu::quant
