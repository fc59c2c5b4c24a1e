#pragma once

// What the kernels with vectors of 512 bits have in common. Included by the files for them.

#include "cpu/quant/lanes_512.h"
#include "cpu/quant/panels/every_format.h"

namespace bantam::cpu::quant {
namespace {

// Signed weights stay signed: kernels for panels centre all others too.
struct CentredLanes512 : Lanes512 {
  static constexpr bool kCentred = true;
  static constexpr int kSignedOffset = 0;
  BANTAM_QUANT_INLINE void prepare_signed(Ints*) {}
};

}  // namespace
}  // namespace bantam::cpu::quant
