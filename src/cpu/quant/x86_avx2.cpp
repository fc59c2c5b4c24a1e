#include "cpu/quant/lanes_256.h"
#include "cpu/quant/row_tile.h"

namespace bantam::cpu::x86_avx2 {

extern const QuantKernels quant_kernels;
constinit const QuantKernels quant_kernels =
    quant::every_format<quant::Lanes256>(quant::quantize_256);

}  // namespace bantam::cpu::x86_avx2
