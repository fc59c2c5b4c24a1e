#include "cpu/attention/vector_avx512.h"

#include "cpu/attention/kernels.h"
#include "cpu/attention/vector_kernels.h"

namespace bantam::cpu::attention::x86_avx512 {

extern const FloatKernels kKernels = VectorKernels<Avx512>::kTable;

}  // namespace bantam::cpu::attention::x86_avx512
