#include "cpu/quant/lanes_512.h"
#include "cpu/quant/row_tile.h"

namespace bantam::cpu::x86_vnni {

namespace {
using V = quant::Lanes512;

template <template <class> class Format>
constexpr auto linear = quant::linear<V, Format<V>>;
template <template <class> class Format>
constexpr auto interleaved = quant::linear_interleaved<V, Format<V>>;
}  // namespace

extern const QuantKernels quant_kernels;
const QuantKernels quant_kernels{
    V::kRows,
    quant::quantize_512,
    {linear<quant::FormatQ8_0>, linear<quant::FormatQ4_0>, linear<quant::FormatQ4_1>,
     linear<quant::FormatQ4_K>, linear<quant::FormatQ5_K>, linear<quant::FormatQ6_K>},
    {interleaved<quant::FormatQ8_0>, interleaved<quant::FormatQ4_0>, interleaved<quant::FormatQ4_1>,
     interleaved<quant::FormatQ4_K>, interleaved<quant::FormatQ5_K>,
     interleaved<quant::FormatQ6_K>}};

}  // namespace bantam::cpu::x86_vnni
