#pragma once

#include <span>

#include "base/cpu_features.h"
#include "cpu/quant/quant.h"
#include "tensor/dtype.h"

namespace bantam::cpu {

// Every implementation compiled for this architecture, scalar first, best last.
std::span<const KernelEntry<const QuantKernels*>> quant_table();

// The best one that may run here.
const QuantKernels& quant_kernels();

// The best one that multiplies by so many rows of weights of this format.
const QuantKernels& quant_kernels(WeightFormat format, int64_t rows);

// The best one that multiplies by interleaved rows of this format; null if there is none.
QuantLinear interleaved_kernel(WeightFormat format);

// The row of the kernel tables for a weight type, -1 if there is none.
int format_of(DType type);

// The type that each format is the kernels' name for.
inline constexpr DType kFormatTypes[kWeightFormats] = {
    DType::q8_0,    DType::q4_0,   DType::q4_1,  DType::q4_k,    DType::q5_k,   DType::q6_k,
    DType::q5_0,    DType::q5_1,   DType::q2_k,  DType::q3_k,    DType::tq1_0,  DType::tq2_0,
    DType::iq4_nl,  DType::iq4_xs, DType::mxfp4, DType::iq2_xxs, DType::iq2_xs, DType::iq2_s,
    DType::iq3_xxs, DType::iq3_s,  DType::iq1_s, DType::iq1_m};

}  // namespace bantam::cpu
