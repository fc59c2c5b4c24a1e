#pragma once

#include <cstdint>
#include <span>

#include "base/cpu_features.h"
#include "base/thread_pool.h"
#include "cpu/matmul/matmul.h"

namespace bantam::cpu {

// One operand as it lies in memory: element (i, k), i a row of A or a column of B, is at
// i * stride + k if `k_contiguous`, else at k * stride + i.
struct GemmOperand {
  const void* data;
  int64_t stride;
  bool k_contiguous;
};

// C[m][n] = sum_k A[m][k] B[k][n], C row-major without gaps, f32 or bf16. All of one element type;
// each C[m][n] is summed in ascending k, whatever the blocking and the number of threads.
struct Gemm {
  const GemmKernels* kernels;
  int64_t m, n, k;
  int64_t source_bytes;  // of one element of A and B
  GemmOperand a, b;
  void* c;
  bool c_bf16;
};

// Scratch for products of at most these extents; `threads` workers share one product.
int64_t gemm_scratch_bytes(const GemmKernels& kernels, int64_t n, int64_t k, bool c_bf16,
                           int threads);

// The whole pool works on one product.
void run_gemm(const Gemm& gemm, void* scratch, ThreadPool& pool);

// The calling thread alone (inside a parallel loop, say), with the scratch of one thread.
void run_gemm(const Gemm& gemm, void* scratch);

// Every kernel set there is, from scalar to best, and the best that may run here.
std::span<const KernelEntry<const LinearKernels*>> linear_table();
std::span<const KernelEntry<const RoundedKernels*>> rounded_table();
std::span<const KernelEntry<const GemmKernels*>> gemm_table_f32();
std::span<const KernelEntry<const GemmKernels*>> gemm_table_bf16();
const LinearKernels& linear_kernels();
const RoundedKernels* rounded_kernels();  // null where no set has products of bf16
const GemmKernels& gemm_kernels_f32();
const GemmKernels& gemm_kernels_bf16();

}  // namespace bantam::cpu
