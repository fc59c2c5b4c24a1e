#include <cmath>

#include "base/half.h"
#include "base/thread_pool.h"
#include "cpu/attention/problem.h"

namespace bantam::cpu::attention {
namespace {

constexpr int64_t kChunkRows = 64;

// Of one worker: a sequence's packed keys and values, the gradients that they gather, and one chunk
// of rows of one head.
struct Worker {
  float *k, *kt, *vt, *dk, *dv;  // [blocks, ...]
  float *q, *dout, *dq, *p, *ds, *bias, *dbias, *lse, *delta;
  int32_t *visible, *hidden;  // of one block
  Worker(Carver& c, const Problem& problem) {
    const int64_t cells = round_up(problem.C, kBlock), P = problem.P, Q = problem.Q;
    for (float** each : {&k, &kt, &dk}) *each = c.take<float>(cells * P);
    for (float** each : {&vt, &dv}) *each = c.take<float>(cells * Q);
    for (float** each : {&q, &dq}) *each = c.take<float>(kChunkRows * P);
    dout = c.take<float>(kChunkRows * Q);
    for (float** each : {&p, &ds, &bias, &dbias}) *each = c.take<float>(kChunkRows * kBlock);
    for (float** each : {&lse, &delta}) *each = c.take<float>(kChunkRows);
    for (int32_t** each : {&visible, &hidden}) *each = c.take<int32_t>(kChunkRows);
  }
};

float element(const void* row, Element e, int64_t i) {
  if (e == Element::f32) return static_cast<const float*>(row)[i];
  return bf16_to_float(static_cast<const uint16_t*>(row)[i]);
}

// Inputs: q, k, v, sequences, positions, out, lse, dout, then sinks and bias. Outputs: dq, dk, dv,
// then dsinks and dbias.
struct Gradient {
  const StepContext& context;
  const Problem p;
  const Extras extras{context, 8};
  const FloatKernels& kernels = float_kernels();
  const Element qe = element_of(context.inputs[0].dtype), ke = element_of(context.inputs[1].dtype);

  void pack_cells(const Worker& w, int64_t sequence, int64_t kv, int64_t most) const {
    for (int64_t first = 0; first < most; first += kBlock) {
      const int64_t count = std::min<int64_t>(kBlock, most - first);
      const void* k = at(context.inputs[1].data, ke, p.key(p.place(sequence, first), kv));
      const void* v = at(context.inputs[2].data, ke, p.value(p.place(sequence, first), kv));
      const int e = static_cast<int>(ke);
      kernels.pack[e](k, p.K * p.D, count, p.D, p.P, w.k + first * p.P);
      kernels.pack_transposed[e](k, p.K * p.D, count, p.D, w.kt + first * p.P);
      kernels.pack_transposed[e](v, p.K * p.E, count, p.E, w.vt + first * p.Q);
    }
    std::fill_n(w.dk, round_up(most, kBlock) * p.P, 0.0f);
    std::fill_n(w.dv, round_up(most, kBlock) * p.Q, 0.0f);
  }

  // dout . out of one row and head.
  [[nodiscard]] float delta(int64_t row) const {
    const void* out = at(context.inputs[5].data, qe, row * p.E);
    const void* dout = at(context.inputs[7].data, qe, row * p.E);
    float sum = 0;
    for (int64_t d = 0; d < p.E; ++d) sum += element(dout, qe, d) * element(out, qe, d);
    return sum;
  }

  void load_rows(const Worker& w, int64_t begin, int64_t end, int64_t head) const {
    const int64_t rows = end - begin, row = begin * p.H + head;
    const int e = static_cast<int>(qe);
    const void* q = at(context.inputs[0].data, qe, row * p.D);
    const void* dout = at(context.inputs[7].data, qe, row * p.E);
    kernels.pack[e](q, p.H * p.D, rows, p.D, p.P, w.q);
    kernels.pack[e](dout, p.H * p.E, rows, p.E, p.Q, w.dout);
    for (int64_t i = 0; i < rows; ++i) {
      w.delta[i] = delta(row + i * p.H);
      w.lse[i] = context.inputs[6].as<float>()[row + i * p.H];
    }
    std::fill_n(w.dq, rows * p.P, 0.0f);
  }

  // The cells of a block among the biases of a row.
  [[nodiscard]] int64_t bias_at(int64_t n, int64_t head, int64_t first) const {
    return (head * p.N + n) * p.C + first;
  }

  void run_block(const Worker& w, int64_t begin, int64_t end, int64_t head, int64_t first,
                 int64_t count) const {
    const int64_t rows = end - begin, keys = first * p.P, values = first * p.Q;
    const bool biased = extras.bias != nullptr;
    for (int64_t i = 0; i < rows; ++i) {
      p.see(begin + i, first, count, w.visible + i, w.hidden + i);
      if (!biased) continue;
      float* bias = w.bias + i * kBlock;
      std::copy_n(extras.bias + bias_at(begin + i, head, first), w.visible[i], bias);
      std::fill(bias + w.visible[i], bias + kBlock, 0.0f);
    }
    kernels.backward({rows,        p.D,           p.E,          p.P,      p.Q,
                      count,       p.scoring,     w.q,          w.dout,   w.k + keys,
                      w.kt + keys, w.vt + values, w.visible,    w.hidden, biased ? w.bias : nullptr,
                      w.dbias,     w.lse,         w.delta,      w.p,      w.ds,
                      w.dq,        w.dk + keys,   w.dv + values});
    if (!biased) return;
    auto* dbias = context.outputs[extras.sinks == nullptr ? 3 : 4].as<float>();
    for (int64_t i = 0; i < rows; ++i)
      std::copy_n(w.dbias + i * kBlock, w.visible[i], dbias + bias_at(begin + i, head, first));
  }

  void run_rows(const Worker& w, int64_t begin, int64_t end, int64_t head) const {
    load_rows(w, begin, end, head);
    const int64_t most = p.most_visible(begin, end);
    for (int64_t first = p.first_block(begin, end); first < most; first += kBlock)
      run_block(w, begin, end, head, first, std::min<int64_t>(kBlock, most - first));
    for (int64_t i = 0; i < end - begin; ++i) {
      void* dq = at(context.outputs[0].data, qe, ((begin + i) * p.H + head) * p.D);
      store_row(w.dq + i * p.P, p.D, qe, dq);
    }
  }

  // dsink = -sum over rows of p_sink delta, p_sink = exp(sink - lse)
  void run_sink(int64_t head) const {
    float sum = 0;
    for (int64_t n = 0; n < p.N; ++n) {
      if (p.visible(n) == 0) continue;
      const int64_t row = n * p.H + head;
      sum -= std::exp(extras.sinks[head] - context.inputs[6].as<float>()[row]) * delta(row);
    }
    context.outputs[3].as<float>()[head] = sum;
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
    const int64_t bytes = ke == Element::f32 ? 4 : 2;
    for (int64_t cell = 0; cell < p.C; ++cell) {
      char* dk = at(context.outputs[1].data, ke, p.key(sequence * p.C + cell, kv));
      char* dv = at(context.outputs[2].data, ke, p.value(sequence * p.C + cell, kv));
      if (cell < most) {
        store_row(w.dk + cell * p.P, p.D, ke, dk);
        store_row(w.dv + cell * p.Q, p.E, ke, dv);
      } else {
        std::fill_n(dk, p.D * bytes, char{0});
        std::fill_n(dv, p.E * bytes, char{0});
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
  const Problem p(c.inputs[0], c.inputs[1], c.inputs[2], c.attributes, c.inputs[3].as<int32_t>(),
                  c.inputs[4].as<int32_t>());
  const Gradient gradient{c, p};
  clear_padding_rows(p, gradient.qe, c.outputs[0].data);
  if (gradient.extras.bias != nullptr) {
    const TensorView& dbias = c.outputs.back();
    std::fill_n(dbias.as<float>(), dbias.shape.elements(), 0.0f);
  }
  Carver carver(c.scratch);
  auto* starts = carver.take<int32_t>(p.N + 1);
  const int64_t chunks = p.list_chunks(kChunkRows, starts), each = worker_bytes(p);
  c.pool.parallel_for(p.S * p.K, 1, [&](int64_t begin, int64_t end, int id) {
    Carver own = carver.at(id * each);
    const Worker w(own, p);
    for (int64_t i = begin; i < end; ++i)
      gradient.run_sequence(w, starts, chunks, i / p.K, i % p.K);
  });
  if (gradient.extras.sinks == nullptr) return;
  c.pool.parallel_for(p.H, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t head = begin; head < end; ++head) gradient.run_sink(head);
  });
}

void clear_padding_rows(const Problem& p, Element e, void* dq) {
  for (int64_t n = 0; n < p.N; ++n)
    if (!p.in_range(n))
      std::fill_n(at(dq, e, n * p.H * p.D), p.H * p.D * (e == Element::f32 ? 4 : 2), char{0});
}

}  // namespace bantam::cpu::attention
