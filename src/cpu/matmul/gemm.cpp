#include "cpu/matmul/gemm.h"

#include <algorithm>
#include <cstring>

namespace bantam::cpu {
namespace {

// Blocking. A panel of 32 x inner_k elements of A stays in L1 while the strips of B pass by; the
// inner_k x kBlockN part of B and the kBlockM x kBlockN part of C stay in L2.
constexpr int64_t kBlockN = 512;  // twice that where no sums have to be kept
constexpr int64_t kBlockM = 128;
// B is packed this many k at a time where C can be summed up in place, so that a long sum (the
// gradient of a weight runs over all tokens) does not push packed B out of the cache.
constexpr int64_t kOuterK = 1024;
constexpr int64_t kPackK = 128;

int64_t round_up(int64_t n, int64_t to) {
  return (n + to - 1) / to * to;
}
int64_t parts(int64_t n, int64_t size) {
  return (n + size - 1) / size;
}

int64_t outer_k(int64_t k, bool c_bf16) {
  return c_bf16 ? k : std::min(k, kOuterK);
}

int64_t packed_b_bytes(const GemmKernels& kernels, int64_t n, int64_t k, bool c_bf16) {
  return round_up(n, kPanel) * round_up(outer_k(k, c_bf16), kPairStep) * kernels.element_bytes;
}

// A packed panel, then the f32 sums of a block of C.
constexpr int64_t kPanelBytes = kPanel * kMostInnerK * 4;
constexpr int64_t kWorkerBytes = kPanelBytes + kBlockM * kBlockN * 4;

const char* at(const GemmOperand& operand, int64_t i, int64_t k, int64_t bytes) {
  const int64_t element = operand.k_contiguous ? i * operand.stride + k : k * operand.stride + i;
  return static_cast<const char*>(operand.data) + element * bytes;
}

// Where a panel's part of a block of C lies.
struct Block {
  int64_t m, n, rows, columns;
};

// One pass over `k` values from `begin`.
struct Pass {
  const Gemm& g;
  char* packed_b;
  char* workers;
  int64_t begin, k, block_m;

  [[nodiscard]] int64_t inner_k() const { return g.kernels->inner_k; }
  [[nodiscard]] int64_t padded_k() const { return round_up(k, g.kernels->step); }
  [[nodiscard]] int64_t strips() const { return parts(g.n, kPanel); }
  [[nodiscard]] int64_t strip_stride() const { return padded_k() * kPanel; }
  [[nodiscard]] int64_t pack_tasks() const { return strips() * parts(k, kPackK); }
  [[nodiscard]] int64_t block_n() const { return k <= inner_k() ? 2 * kBlockN : kBlockN; }
  [[nodiscard]] int64_t tasks() const { return parts(g.m, block_m) * parts(g.n, block_n()); }

  // The source of a panel.
  [[nodiscard]] Ahead lines(int64_t m, int64_t from, int64_t height, int64_t inner) const {
    const char* source = at(g.a, m, begin + from, g.source_bytes);
    const int64_t stride = g.a.stride * g.source_bytes;
    if (g.a.k_contiguous) return {source, stride, height, inner * g.source_bytes};
    return {source, stride, inner, height * g.source_bytes};
  }

  // The panel that is packed after this one in a block of rows (or, at its end, in the next one).
  [[nodiscard]] Ahead ahead(int64_t m, int64_t m_end, int64_t i) const {
    int64_t next = m + kPanel, from = i;
    if (next >= m_end && i + inner_k() < k) {
      next = m / block_m * block_m;
      from = i + inner_k();
    } else if (next >= m_end) {
      from = 0;
    }
    if (next >= g.m) return {};
    return lines(next, from, std::min(kPanel, g.m - next), std::min(inner_k(), k - from));
  }

  // Tasks go along the strips, so that neighbours read the same rows of an untransposed B.
  void pack_b(int64_t task) const {
    const int64_t strip = task % strips(), from = task / strips() * kPackK;
    const int64_t column = strip * kPanel;
    g.kernels->pack_b(
        at(g.b, column, begin + from, g.source_bytes), g.b.stride, g.b.k_contiguous,
        std::min(kPanel, g.n - column), std::min(kPackK, k - from),
        packed_b + (strip * strip_stride() + from * kPanel) * g.kernels->element_bytes);
  }

  void compute(int64_t task, int worker) const {
    const int64_t blocks_m = parts(g.m, block_m);
    const int64_t m0 = task % blocks_m * block_m, n0 = task / blocks_m * block_n();
    const int64_t rows = std::min(block_m, g.m - m0), columns = std::min(block_n(), g.n - n0);
    char* panel = workers + worker * kWorkerBytes;
    auto* sums = g.c_bf16 ? reinterpret_cast<float*>(panel + kPanelBytes)
                          : static_cast<float*>(g.c) + m0 * g.n + n0;
    const int64_t ld = g.c_bf16 ? kBlockN : g.n;
    const char* b = packed_b + n0 / kPanel * strip_stride() * g.kernels->element_bytes;
    for (int64_t i = 0; i < k; i += inner_k()) {
      const int64_t inner = std::min(inner_k(), k - i);
      for (int64_t r = 0; r < rows; r += kPanel) {
        const int64_t height = std::min(kPanel, rows - r);
        g.kernels->pack_a(at(g.a, m0 + r, begin + i, g.source_bytes), g.a.stride, g.a.k_contiguous,
                          height, inner, panel);
        multiply(panel, b + i * kPanel * g.kernels->element_bytes, i, inner,
                 Block{m0 + r, n0, height, columns}, sums + r * ld, ld,
                 ahead(m0 + r, m0 + rows, i));
      }
    }
  }

  // Multiplies the packed panel by the strips of a block. Sums that are complete are rounded at
  // once, a strip at a time, while they are in L1.
  void multiply(const void* panel, const char* b, int64_t from, int64_t inner, const Block& block,
                float* sums, int64_t ld, Ahead ahead) const {
    const GemmKernels& kernels = *g.kernels;
    const bool more = begin + from > 0, last = from + inner_k() >= k;
    inner = round_up(inner, kernels.step);
    if (!g.c_bf16 || !last) {
      kernels.panel(panel, b, strip_stride(), inner, sums, ld, block.rows, block.columns, more,
                    ahead);
      return;
    }
    auto* out = static_cast<uint16_t*>(g.c) + block.m * g.n + block.n;
    if (kernels.panel_rounded != nullptr) {
      kernels.panel_rounded(panel, b, strip_stride(), inner, more ? sums : nullptr, ld, out, g.n,
                            block.rows, block.columns, ahead);
      return;
    }
    for (int64_t n = 0; n < block.columns;
         n += kPanel, b += strip_stride() * kernels.element_bytes) {
      const int64_t width = std::min(kPanel, block.columns - n);
      float* strip = from == 0 ? sums : sums + n;
      const int64_t ld_strip = from == 0 ? kPanel : ld;
      kernels.panel(panel, b, 0, inner, strip, ld_strip, block.rows, width, more, Ahead{});
      kernels.to_bf16(strip, ld_strip, out + n, g.n, block.rows, width);
    }
  }
};

template <typename RunPass>
void run_passes(const Gemm& g, void* scratch, int threads, const RunPass& run) {
  const int64_t outer = outer_k(g.k, g.c_bf16);
  auto* packed = static_cast<char*>(scratch);
  char* workers = packed + packed_b_bytes(*g.kernels, g.n, g.k, g.c_bf16);
  const int64_t share = round_up(parts(g.m, int64_t{4} * threads), kPanel);
  for (int64_t k = 0; k < g.k; k += outer)
    run(Pass{g, packed, workers, k, std::min(outer, g.k - k), std::min(share, kBlockM)});
}

}  // namespace

int64_t gemm_scratch_bytes(const GemmKernels& kernels, int64_t n, int64_t k, bool c_bf16,
                           int threads) {
  return packed_b_bytes(kernels, n, k, c_bf16) + threads * kWorkerBytes;
}

void run_gemm(const Gemm& gemm, void* scratch, ThreadPool& pool) {
  run_passes(gemm, scratch, pool.size(), [&](const Pass& pass) {
    pool.parallel_for(pass.pack_tasks(), std::min<int64_t>(pass.strips(), 8),
                      [&](int64_t begin, int64_t end, int) {
                        for (int64_t i = begin; i < end; ++i) pass.pack_b(i);
                      });
    pool.parallel_for(pass.tasks(), 1, [&](int64_t begin, int64_t end, int worker) {
      gemm.kernels->enter();
      for (int64_t i = begin; i < end; ++i) pass.compute(i, worker);
      gemm.kernels->leave();
    });
  });
}

void run_gemm(const Gemm& gemm, void* scratch) {
  gemm.kernels->enter();
  run_passes(gemm, scratch, 1, [&](const Pass& pass) {
    for (int64_t i = 0; i < pass.pack_tasks(); ++i) pass.pack_b(i);
    for (int64_t i = 0; i < pass.tasks(); ++i) pass.compute(i, 0);
  });
  gemm.kernels->leave();
}

}  // namespace bantam::cpu
