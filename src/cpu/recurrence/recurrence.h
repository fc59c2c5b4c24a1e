#pragma once

// Recurrences over the rows of sequences (graph/ops/causal_conv.cpp, selective_scan.cpp).
//
//   conv   y[t][c] = sum over j = 0 .. W - 1 of w[c][j] x[t - W + 1 + j][c]
//   scan   h_t = e^(dt_t A) h_{t-1} + (dt_t x_t) B_t^T,  y_t = h_t C_t            h: [P][R]
//
// Rows are taken in their order; row n continues sequence sequences[n] (0 if null) from its state,
// and begins it anew if positions[n] is 0. So the results do not depend on how a text was cut into
// runs, nor on what else is in a run. A kernel does some channels (conv) or heads (scan) for all
// rows; nothing is summed across calls.
//
// conv: sums run from j = 0 with fused multiply-adds. scan: lane l of 16 sums the elements
// r = l mod 16 of h C in order with fused multiply-adds, then the lanes are added as a tree; e^x is
// that of elementwise/exp_constants.h; an element of h is fma(e^(dt A), h, (dt x) B). Every
// instruction set gives the same bits.
//
// Plain C types only: files of all instruction sets include this.

#include <stdint.h>

namespace bantam::cpu {

struct RowsOfSequences {
  const int32_t* sequences;  // null: one sequence after the other
  const int32_t* positions;
  int64_t count;  // N
};

// x, y, dx, dy: [N][C]; w, dw: [C][W]; state: [S][W - 1][C], the oldest row first.
struct ConvProblem {
  RowsOfSequences rows;
  int64_t channels, taps;
  const float *x, *w;
  float *state, *y;  // conv
  const float* dy;   // conv_grad
  float *dx, *dw;
};

// x, y, dx, dy: [N][H][P]; dt, ddt: [N][H]; A, dA: [H][a], a = 1 or R; B, C: [N][G][R];
// state: [S][H][P][R]; starts: the states before every 64th row, [N / 64][H][P][R], or null.
struct ScanProblem {
  RowsOfSequences rows;
  int64_t heads, head_size, groups, state_size;
  int64_t a;
  const float *x, *dt, *A, *B, *C;
  float *state, *y, *starts;       // scan
  const float* dy;                 // scan_grad
  float *dx, *ddt, *dA, *dB, *dC;  // dB and dC are added to: several heads share them
  float* scratch;                  // scan_grad: (64 + 3) P R + R floats
};

inline constexpr int64_t kScanChunk = 64;

using ConvFn = void (*)(const ConvProblem& problem, int64_t first, int64_t end);
using ScanFn = void (*)(const ScanProblem& problem, int64_t head);

struct RecurrenceKernels {
  ConvFn conv, conv_grad;
  ScanFn scan, scan_grad;
};

// Defined in the file named after the instruction set.
namespace scalar {
extern const RecurrenceKernels kRecurrenceKernels;
}
namespace x86_avx2 {
extern const RecurrenceKernels kRecurrenceKernels;
}
namespace x86_avx512 {
extern const RecurrenceKernels kRecurrenceKernels;
}
namespace arm_neon {
extern const RecurrenceKernels kRecurrenceKernels;
}

}  // namespace bantam::cpu
