#include "cpu/quant/lanes_256_vnni.h"
#include "cpu/quant/row_tile.h"

namespace bantam::cpu::x86_avxvnni {

extern const QuantKernels quant_kernels;
constinit const QuantKernels quant_kernels =
    quant::every_format<quant::Lanes256Vnni>(quant::quantize_256);

}  // namespace bantam::cpu::x86_avxvnni
