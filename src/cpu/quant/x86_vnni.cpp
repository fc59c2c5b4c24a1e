#include "cpu/quant/lanes_512.h"
#include "cpu/quant/row_tile.h"

namespace bantam::cpu::x86_vnni {

namespace {
template <template <class> class Format>
constexpr auto linear = quant::linear<quant::Lanes512, Format<quant::Lanes512>>;
}

extern const QuantKernels quant_kernels;
const QuantKernels quant_kernels{
    quant::Lanes512::kRows,
    quant::quantize_512,
    {linear<quant::FormatQ8_0>, linear<quant::FormatQ4_0>, linear<quant::FormatQ4_1>,
     linear<quant::FormatQ4_K>, linear<quant::FormatQ5_K>, linear<quant::FormatQ6_K>}};

}  // namespace bantam::cpu::x86_vnni
