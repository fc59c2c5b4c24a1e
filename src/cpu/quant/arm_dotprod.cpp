#include "cpu/quant/lanes_dotprod.h"
#include "cpu/quant/row_tile.h"

namespace bantam::cpu::arm_dotprod {

extern const QuantKernels quant_kernels;
constinit const QuantKernels quant_kernels =
    quant::every_format<quant::LanesDotprod>(quant::quantize_neon);

}  // namespace bantam::cpu::arm_dotprod
