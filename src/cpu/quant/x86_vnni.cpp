#include "cpu/quant/lanes_512.h"
#include "cpu/quant/row_tile.h"

namespace bantam::cpu::x86_vnni {

extern const QuantKernels quant_kernels;
constinit const QuantKernels quant_kernels =
    quant::every_format<quant::Lanes512>(quant::quantize_512, quant::Lanes512::kRows);

}  // namespace bantam::cpu::x86_vnni
