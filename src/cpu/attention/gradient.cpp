#include <cmath>

#include "base/thread_pool.h"
#include "cpu/attention/problem.h"

namespace bantam::cpu::attention {
namespace {

constexpr int64_t kChunkRows = 64;

// Of one worker: a sequence's packed keys and values, the gradients that they gather, and one chunk
// of rows of one head.
struct Worker {
  float *k, *kt, *vt, *dk, *dv;  // [blocks, ...]
  float *q, *dout, *dq, *p, *ds, *lse, *delta;
  int32_t *visible, *visible_here;
  Worker(Carver& c, const Problem& problem) {
    const int64_t cells = round_up(problem.C, kBlock), P = problem.P;
    for (float** each : {&k, &kt, &vt, &dk, &dv}) *each = c.take<float>(cells * P);
    for (float** each : {&q, &dout, &dq}) *each = c.take<float>(kChunkRows * P);
    for (float** each : {&p, &ds}) *each = c.take<float>(kChunkRows * kBlock);
    for (float** each : {&lse, &delta}) *each = c.take<float>(kChunkRows);
    for (int32_t** each : {&visible, &visible_here}) *each = c.take<int32_t>(kChunkRows);
  }
};

// Inputs: q, k, v, sequences, positions, out, lse, dout. Outputs: dq, dk, dv.
struct Gradient {
  const StepContext& context;
  const Problem p;
  const FloatKernels& kernels = float_kernels();
  const Element qe = element_of(context.inputs[0].dtype), ke = element_of(context.inputs[1].dtype);

  void pack_cells(const Worker& w, int64_t sequence, int64_t kv, int64_t most) const {
    for (int64_t first = 0; first < most; first += kBlock) {
      const int64_t count = std::min<int64_t>(kBlock, most - first);
      const int64_t cell = p.cells(sequence, kv) + first * p.cell_stride();
      const int64_t at_block = first * p.P;
      const void* k = at(context.inputs[1].data, ke, cell);
      const void* v = at(context.inputs[2].data, ke, cell);
      const int e = static_cast<int>(ke);
      kernels.pack[e](k, p.cell_stride(), count, p.D, p.P, w.k + at_block);
      kernels.pack_transposed[e](k, p.cell_stride(), count, p.D, w.kt + at_block);
      kernels.pack_transposed[e](v, p.cell_stride(), count, p.D, w.vt + at_block);
    }
    std::fill_n(w.dk, round_up(most, kBlock) * p.P, 0.0f);
    std::fill_n(w.dv, round_up(most, kBlock) * p.P, 0.0f);
  }

  void run_rows(const Worker& w, int64_t begin, int64_t end, int64_t head) const {
    const int64_t rows = end - begin, row = begin * p.H + head, stride = p.H * p.D;
    const int e = static_cast<int>(qe);
    kernels.pack[e](at(context.inputs[0].data, qe, row * p.D), stride, rows, p.D, p.P, w.q);
    kernels.pack[e](at(context.inputs[7].data, qe, row * p.D), stride, rows, p.D, p.P, w.dout);
    // dq is not needed before the blocks: it holds `out` for delta.
    kernels.pack[e](at(context.inputs[5].data, qe, row * p.D), stride, rows, p.D, p.P, w.dq);
    for (int64_t i = 0; i < rows; ++i) {
      float delta = 0;
      for (int64_t d = 0; d < p.D; ++d) delta += w.dout[i * p.P + d] * w.dq[i * p.P + d];
      w.delta[i] = delta;
      w.lse[i] = context.inputs[6].as<float>()[row + i * p.H];
      w.visible[i] = p.visible(begin + i);
    }
    std::fill_n(w.dq, rows * p.P, 0.0f);
    const int64_t most = p.most_visible(begin, end);
    for (int64_t first = 0; first < most; first += kBlock) {
      const int64_t count = std::min<int64_t>(kBlock, most - first), block = first * p.P;
      for (int64_t i = 0; i < rows; ++i)
        w.visible_here[i] =
            static_cast<int32_t>(std::clamp<int64_t>(w.visible[i] - first, 0, count));
      kernels.backward({rows, p.D, p.P, count, p.scale, w.q, w.dout, w.k + block, w.kt + block,
                        w.vt + block, w.visible_here, w.lse, w.delta, w.p, w.ds, w.dq, w.dk + block,
                        w.dv + block});
    }
    for (int64_t i = 0; i < rows; ++i)
      store_row(w.dq + i * p.P, p.D, qe, at(context.outputs[0].data, qe, (row + i * p.H) * p.D));
  }

  // All rows of a sequence, all heads that share a kv head.
  void run_sequence(const Worker& w, const int32_t* starts, int64_t chunks, int64_t sequence,
                    int64_t kv) const {
    int64_t most = 0;
    for (int64_t c = 0; c < chunks; ++c)
      if (p.sequences[starts[c]] == sequence)
        most = std::max<int64_t>(most, p.most_visible(starts[c], starts[c + 1]));
    pack_cells(w, sequence, kv, most);
    for (int64_t head = kv * p.group; head < (kv + 1) * p.group; ++head)
      for (int64_t c = 0; c < chunks; ++c)
        if (p.sequences[starts[c]] == sequence) run_rows(w, starts[c], starts[c + 1], head);
    for (int64_t cell = 0; cell < p.C; ++cell) {
      const int64_t to = p.cells(sequence, kv) + cell * p.cell_stride();
      char* dk = at(context.outputs[1].data, ke, to);
      char* dv = at(context.outputs[2].data, ke, to);
      if (cell < most) {
        store_row(w.dk + cell * p.P, p.D, ke, dk);
        store_row(w.dv + cell * p.P, p.D, ke, dv);
      } else {
        std::fill_n(dk, p.D * (ke == Element::f32 ? 4 : 2), char{0});
        std::fill_n(dv, p.D * (ke == Element::f32 ? 4 : 2), char{0});
      }
    }
  }
};

int64_t worker_bytes(const Problem& p) {
  Carver count;
  const Worker worker(count, p);
  return count.bytes();
}

}  // namespace

int64_t gradient_bytes(const Problem& p, int threads) {
  Carver count;
  count.take<int32_t>(p.N + 1);
  return count.bytes() + threads * worker_bytes(p);
}

void run_gradient(const StepContext& c) {
  const Problem p(c.inputs[0], c.inputs[1], c.attributes, c.inputs[3].as<int32_t>(),
                  c.inputs[4].as<int32_t>());
  const Gradient gradient{c, p};
  clear_padding_rows(p, gradient.qe, c.outputs[0].data);
  Carver carver(c.scratch);
  auto* starts = carver.take<int32_t>(p.N + 1);
  const int64_t chunks = p.list_chunks(kChunkRows, starts), each = worker_bytes(p);
  c.pool.parallel_for(p.S * p.K, 1, [&](int64_t begin, int64_t end, int id) {
    Carver own = carver.at(id * each);
    const Worker w(own, p);
    for (int64_t i = begin; i < end; ++i)
      gradient.run_sequence(w, starts, chunks, i / p.K, i % p.K);
  });
}

void clear_padding_rows(const Problem& p, Element e, void* dq) {
  for (int64_t n = 0; n < p.N; ++n)
    if (!p.in_range(n))
      std::fill_n(at(dq, e, n * p.H * p.D), p.H * p.D * (e == Element::f32 ? 4 : 2), char{0});
}

}  // namespace bantam::cpu::attention
