#pragma once

#include <cstdint>

namespace bantam {

// The conversions behind dtype_info() of each block format: n elements, a multiple of the block
// length; blocks need no alignment. `*_to_float` follows the format's formula (tensor/blocks.h).
// `*_from_float` chooses scales that minimise the squared error weighted by rms(x) + |x|, with the
// scales already rounded as the format stores them; values that a block represents with its full
// range come back exactly. Not-finite values give arbitrary, but valid, blocks.
void q8_0_to_float(const void* source, float* destination, int64_t n);
void q8_0_from_float(const float* source, void* destination, int64_t n);
void q4_0_to_float(const void* source, float* destination, int64_t n);
void q4_0_from_float(const float* source, void* destination, int64_t n);
void q4_1_to_float(const void* source, float* destination, int64_t n);
void q4_1_from_float(const float* source, void* destination, int64_t n);
void q4_k_to_float(const void* source, float* destination, int64_t n);
void q4_k_from_float(const float* source, void* destination, int64_t n);
void q5_k_to_float(const void* source, float* destination, int64_t n);
void q5_k_from_float(const float* source, void* destination, int64_t n);
void q6_k_to_float(const void* source, float* destination, int64_t n);
void q6_k_from_float(const float* source, void* destination, int64_t n);
// Formats that tensor/unpack.h reads.
void q5_0_from_float(const float* source, void* destination, int64_t n);
void q5_1_from_float(const float* source, void* destination, int64_t n);
void q2_k_from_float(const float* source, void* destination, int64_t n);
void q3_k_from_float(const float* source, void* destination, int64_t n);
void iq4_nl_from_float(const float* source, void* destination, int64_t n);
void iq4_xs_from_float(const float* source, void* destination, int64_t n);
void tq1_0_from_float(const float* source, void* destination, int64_t n);
void tq2_0_from_float(const float* source, void* destination, int64_t n);
void mxfp4_from_float(const float* source, void* destination, int64_t n);

void q8a_to_float(const void* source, float* destination, int64_t n);
void q8a_from_float(const float* source, void* destination, int64_t n);

}  // namespace bantam
