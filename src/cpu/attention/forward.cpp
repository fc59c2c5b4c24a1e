#include <cmath>

#include "base/half.h"
#include "base/thread_pool.h"
#include "cpu/attention/problem.h"

namespace bantam::cpu::attention {
namespace {

constexpr int64_t kChunkQueries = 128;  // query rows (rows x heads of a group) per task
constexpr int64_t kSharedRows = 8;      // up to so many rows, the splits of a row run in parallel

int64_t chunk_rows(const Problem& p) {
  return std::max<int64_t>(1, kChunkQueries / p.group);
}
int64_t chunk_queries(const Problem& p) {
  return std::min(p.N, chunk_rows(p)) * p.group;
}
int64_t splits(const Problem& p) {
  return (p.C + kSplit - 1) / kSplit;
}

// A running softmax of some query rows.
struct Sums {
  float *m, *l, *o;
  Sums() = default;
  Sums(Carver& c, const Problem& p, int64_t queries)
      : m(c.take<float>(queries)),
        l(c.take<float>(queries * kLanes)),
        o(c.take<float>(queries * p.P)) {}
  void clear(const Problem& p, int64_t queries) const {
    std::fill_n(m, queries, -INFINITY);
    std::fill_n(l, queries * kLanes, 0.0f);
    std::fill_n(o, queries * p.P, 0.0f);
  }
  [[nodiscard]] Sums from(const Problem& p, int64_t query) const {
    Sums s;
    s.m = m + query;
    s.l = l + query * kLanes;
    s.o = o + query * p.P;
    return s;
  }
};

struct Worker {
  float *kt, *v, *q;
  int32_t *visible, *visible_here;
  Sums part, total;
  Worker(Carver& c, const Problem& p)
      : kt(c.take<float>(p.D * kBlock)),
        v(c.take<float>(kBlock * p.P)),
        q(c.take<float>(chunk_queries(p) * p.P)),
        visible(c.take<int32_t>(chunk_queries(p))),
        visible_here(c.take<int32_t>(chunk_queries(p))),
        part(c, p, chunk_queries(p)),
        total(c, p, chunk_queries(p)) {}
};

struct Shared {
  int32_t* starts;
  Sums parts;  // [rows, splits, H] while rows <= kSharedRows
  Shared(Carver& c, const Problem& p)
      : starts(c.take<int32_t>(p.N + 1)),
        parts(c, p, splits(p) > 1 ? std::min(p.N, kSharedRows) * splits(p) * p.H : 0) {}
};

// One step of the op, cut into tasks: rows begin .. end of one sequence and one kv head.
struct Forward {
  const StepContext& context;
  const Problem p;
  const FloatKernels& kernels = float_kernels();
  const Element qe = element_of(context.inputs[0].dtype), ke = element_of(context.inputs[1].dtype),
                ve = element_of(context.inputs[2].dtype);

  // Query rows of a task: row-major over (row, head of the group), so that equal visibility is
  // contiguous.
  void load_queries(const Worker& w, int64_t begin, int64_t end, int64_t kv) const {
    for (int64_t n = begin, i = 0; n < end; ++n, i += p.group) {
      const void* q = at(context.inputs[0].data, qe, (n * p.H + kv * p.group) * p.D);
      kernels.pack[static_cast<int>(qe)](q, p.D, p.group, p.D, p.P, w.q + i * p.P);
      std::fill_n(w.visible + i, p.group, p.visible(n));
    }
  }

  // The softmax over the cells of one split, from nothing.
  void sum_split(const Worker& w, int64_t sequence, int64_t kv, int64_t queries, int64_t split,
                 const Sums& sums) const {
    sums.clear(p, queries);
    const int64_t most = *std::max_element(w.visible, w.visible + queries);
    const int64_t end = std::min<int64_t>(most, (split + 1) * kSplit);
    for (int64_t first = split * kSplit; first < end; first += kBlock) {
      const int64_t count = std::min<int64_t>(kBlock, most - first);
      for (int64_t i = 0; i < queries; ++i)
        w.visible_here[i] =
            static_cast<int32_t>(std::clamp<int64_t>(w.visible[i] - first, 0, count));
      const int64_t cell = p.cells(sequence, kv) + first * p.cell_stride();
      kernels.pack_transposed[static_cast<int>(ke)](at(context.inputs[1].data, ke, cell),
                                                    p.cell_stride(), count, p.D, w.kt);
      kernels.pack[static_cast<int>(ve)](at(context.inputs[2].data, ve, cell), p.cell_stride(),
                                         count, p.D, p.P, w.v);
      kernels.forward({queries, p.D, p.P, count, p.scale, w.q, w.kt, w.v, w.visible_here, sums.m,
                       sums.l, sums.o});
    }
  }

  void merge(const Sums& from, const Sums& to, int64_t queries) const {
    for (int64_t i = 0; i < queries; ++i)
      kernels.merge(from.m[i], from.l + i * kLanes, from.o + i * p.P, p.P, to.m + i,
                    to.l + i * kLanes, to.o + i * p.P);
  }

  void finish(const Sums& total, int64_t begin, int64_t end, int64_t kv) const {
    float* lse = context.outputs[1].as<float>();
    for (int64_t n = begin, i = 0; n < end; ++n)
      for (int64_t g = 0; g < p.group; ++g, ++i) {
        float* lanes = total.l + i * kLanes;
        for (int half = kLanes / 2; half > 0; half /= 2)
          for (int j = 0; j < half; ++j) lanes[j] += lanes[j + half];
        const bool any = p.visible(n) > 0;
        const float inverse = any ? 1.0f / lanes[0] : 0.0f;
        float* o = total.o + i * p.P;
        for (int64_t d = 0; d < p.D; ++d) o[d] *= inverse;
        const int64_t row = n * p.H + kv * p.group + g;
        store_row(o, p.D, qe, at(context.outputs[0].data, qe, row * p.D));
        lse[row] = any ? total.m[i] + std::log(lanes[0]) : -INFINITY;
      }
  }

  void run_chunk(const Worker& w, int64_t begin, int64_t end, int64_t kv) const {
    const int64_t queries = (end - begin) * p.group;
    load_queries(w, begin, end, kv);
    const int64_t most = *std::max_element(w.visible, w.visible + queries);
    if (most <= kSplit) {
      sum_split(w, p.sequences[begin], kv, queries, 0, w.total);
    } else {
      w.total.clear(p, queries);
      for (int64_t split = 0; split * kSplit < most; ++split) {
        sum_split(w, p.sequences[begin], kv, queries, split, w.part);
        merge(w.part, w.total, queries);
      }
    }
    finish(w.total, begin, end, kv);
  }

  // Few rows over a long cache: (row, kv head, split) are tasks, and a second loop merges.
  void run_few(const Shared& shared, const Carver& carver, int64_t worker_bytes) const {
    const int64_t parts = splits(p);
    auto part = [&](int64_t n, int64_t split, int64_t kv) {
      return shared.parts.from(p, (n * parts + split) * p.H + kv * p.group);
    };
    context.pool.parallel_for(p.N * p.K * parts, 1, [&](int64_t i, int64_t, int id) {
      const int64_t split = i % parts, kv = i / parts % p.K, n = i / parts / p.K;
      if (split * kSplit >= p.visible(n)) return;
      Carver own = carver.at(id * worker_bytes);
      const Worker w(own, p);
      load_queries(w, n, n + 1, kv);
      sum_split(w, p.sequences[n], kv, p.group, split, part(n, split, kv));
    });
    context.pool.parallel_for(p.N * p.K, 1, [&](int64_t i, int64_t, int id) {
      const int64_t kv = i % p.K, n = i / p.K;
      Carver own = carver.at(id * worker_bytes);
      const Worker w(own, p);
      w.total.clear(p, p.group);
      for (int64_t split = 0; split * kSplit < p.visible(n); ++split)
        merge(part(n, split, kv), w.total, p.group);
      finish(w.total, n, n + 1, kv);
    });
  }
};

int64_t worker_bytes(const Problem& p) {
  Carver count;
  const Worker worker(count, p);
  return count.bytes();
}

}  // namespace

int64_t forward_bytes(const Problem& p, int threads) {
  Carver count;
  const Shared shared(count, p);
  return count.bytes() + threads * worker_bytes(p);
}

void run_forward(const StepContext& c) {
  const Problem p(c.inputs[0], c.inputs[1], c.attributes, c.inputs[3].as<int32_t>(),
                  c.inputs[4].as<int32_t>());
  if (p.N == 0) return;
  const Forward forward{c, p};
  Carver carver(c.scratch);
  const Shared shared(carver, p);
  const int64_t each = worker_bytes(p);
  const int64_t deepest = p.most_visible(0, p.N);
  if (p.N <= kSharedRows && deepest > kSplit && c.pool.size() > 1) {
    forward.run_few(shared, carver, each);
    return;
  }
  const int64_t chunks = p.list_chunks(chunk_rows(p), shared.starts);
  c.pool.parallel_for(chunks * p.K, 1, [&](int64_t begin, int64_t end, int id) {
    Carver own = carver.at(id * each);
    const Worker w(own, p);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t chunk = chunks - 1 - i / p.K;  // the long rows of a prompt come first
      forward.run_chunk(w, shared.starts[chunk], shared.starts[chunk + 1], i % p.K);
    }
  });
}

void store_row(const float* row, int64_t n, Element e, void* to) {
  if (e == Element::f32) {
    std::copy_n(row, n, static_cast<float*>(to));
  } else {
    auto* out = static_cast<uint16_t*>(to);
    for (int64_t i = 0; i < n; ++i)
      out[i] = e == Element::f16 ? float_to_f16(row[i]) : float_to_bf16(row[i]);
  }
}

}  // namespace bantam::cpu::attention
