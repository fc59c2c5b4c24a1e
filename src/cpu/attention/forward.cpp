#include <cmath>

#include "base/half.h"
#include "base/thread_pool.h"
#include "cpu/attention/problem.h"
#include "cpu/prefetch.h"

namespace bantam::cpu::attention {
namespace {

constexpr int64_t kChunkQueries = 128;  // query rows (rows x heads of a group) per task
constexpr int64_t kSharedRows = 4;      // up to so many rows, the splits of a row run in parallel
constexpr int64_t kFewQueries = 8;      // for so many, packing a block costs more than it saves

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
        o(c.take<float>(queries * p.Q)) {}
  void clear(const Problem& p, int64_t queries) const {
    std::fill_n(m, queries, -INFINITY);
    std::fill_n(l, queries * kLanes, 0.0f);
    std::fill_n(o, queries * p.Q, 0.0f);
  }
  [[nodiscard]] Sums from(const Problem& p, int64_t query) const {
    Sums s;
    s.m = m + query;
    s.l = l + query * kLanes;
    s.o = o + query * p.Q;
    return s;
  }
};

struct Worker {
  float *kt, *v, *q, *bias;
  int32_t *visible, *hidden;  // of one block
  Sums part, total;
  Worker(Carver& c, const Problem& p)
      : kt(c.take<float>(round_up(p.D, 32) * kBlock)),
        v(c.take<float>(kBlock * p.Q)),
        q(c.take<float>(chunk_queries(p) * p.P)),
        bias(c.take<float>(chunk_queries(p) * kBlock)),
        visible(c.take<int32_t>(chunk_queries(p))),
        hidden(c.take<int32_t>(chunk_queries(p))),
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

// Those of tiles, for caches of less than 32 bits; null: not for this step.
const SplitKernels* split_kernels_for(const Problem& p, Element keys, Element values) {
  const bool fits = p.key_groups && p.E == p.Q && p.D % 2 == 0 && p.D <= kMostSplitWidth &&
                    p.Q <= kMostSplitWidth;
  return fits && keys != Element::f32 && values != Element::f32 ? split_kernels() : nullptr;
}

// Rows begin .. end of one sequence and one kv head.
struct Task {
  int64_t begin, end, kv;
};

// One step of the op, cut into tasks.
struct Forward {
  const StepContext& context;
  const Problem p;
  const Extras extras{context, p.pages == nullptr ? 5u : 6u};
  const FloatKernels& kernels = float_kernels();
  const Element qe = element_of(context.inputs[0].dtype), ke = element_of(context.inputs[1].dtype),
                ve = element_of(context.inputs[2].dtype);
  const SplitKernels* tiles = split_kernels_for(p, ke, ve);

  [[nodiscard]] int64_t queries(const Task& t) const { return (t.end - t.begin) * p.group; }

  // Query rows of a task: row-major over (row, head of the group), so that equal visibility is
  // contiguous.
  void load_queries(const Worker& w, const Task& t) const {
    for (int64_t n = t.begin, i = 0; n < t.end; ++n, i += p.group) {
      const void* q = at(context.inputs[0].data, qe, (n * p.H + t.kv * p.group) * p.D);
      kernels.pack[static_cast<int>(qe)](q, p.D, p.group, p.D, p.P, w.q + i * p.P);
    }
  }

  // What the rows see of a block, and their biases there.
  void load_rows(const Worker& w, const Task& t, int64_t first, int64_t count) const {
    for (int64_t n = t.begin, i = 0; n < t.end; ++n) {
      int32_t visible = 0, hidden = 0;
      p.see(n, first, count, &visible, &hidden);
      for (int64_t g = 0; g < p.group; ++g, ++i) {
        w.visible[i] = visible;
        w.hidden[i] = hidden;
        if (extras.bias == nullptr) continue;
        const int64_t row = (t.kv * p.group + g) * p.N + n;
        if (visible > 0) std::copy_n(extras.bias + row * p.C + first, visible, w.bias + i * kBlock);
        std::fill(w.bias + i * kBlock + visible, w.bias + (i + 1) * kBlock, 0.0f);
      }
    }
  }

  void pack_keys(const Worker& w, const void* k, int64_t count) const {
    const auto element = static_cast<int>(ke);
    if (p.key_groups) {
      kernels.pack_groups[element](k, element_bytes(ke, kLanes * p.key_step()), count, p.D, w.kt);
    } else {
      kernels.pack_transposed[element](k, p.key_step(), count, p.D, w.kt);
    }
  }

  [[nodiscard]] const void* keys_at(int64_t place, int64_t kv) const {
    return at(context.inputs[1].data, ke, p.key(place, kv));
  }
  [[nodiscard]] const void* values_at(int64_t place, int64_t kv) const {
    return at(context.inputs[2].data, ve, p.value(place, kv));
  }

  // One block of a cache that is read as it lies.
  void forward_cached(const Worker& w, const FewBlock& block) const {
    if (tiles == nullptr) return kernels.forward_few[static_cast<int>(ke)](block);
    tiles->pack_keys[static_cast<int>(ke)](block, reinterpret_cast<uint16_t*>(w.kt));
    tiles->pack_values[static_cast<int>(ve)](block, reinterpret_cast<uint16_t*>(w.v));
    tiles->forward(block.block);
  }

  // The softmax over the cells of one split, from nothing.
  void sum_split(const Worker& w, const Task& t, int64_t split, const Sums& sums) const {
    sums.clear(p, queries(t));
    const int64_t most = p.most_visible(t.begin, t.end), sequence = p.sequences[t.begin];
    const int64_t window = p.first_block(t.begin, t.end);
    const int64_t end = std::min<int64_t>(most, (split + 1) * kSplit);
    for (int64_t first = split * kSplit; first < end; first += kBlock) {
      if (!p.is_seen(first, first + kBlock, window)) continue;
      const int64_t place = p.place(sequence, first);
      if (place < 0) continue;
      const int64_t count = std::min<int64_t>(kBlock, most - first);
      load_rows(w, t, first, count);
      const void *k = keys_at(place, t.kv), *v = values_at(place, t.kv);
      const float* bias = extras.bias == nullptr ? nullptr : w.bias;
      const ForwardBlock block{queries(t), p.D,  p.P,    p.Q,    count,
                               p.scoring,  w.q,  w.kt,   w.v,    w.visible,
                               w.hidden,   bias, sums.m, sums.l, sums.o};
      const bool few = p.E == p.Q && queries(t) <= kFewQueries;
      if (tiles != nullptr || (p.key_groups && few)) {
        const int64_t next = first + kBlock < end ? p.place(sequence, first + kBlock) : -1;
        const int64_t cells = next < 0 ? 0 : next - place;  // heads of all pages lie alike
        forward_cached(w, {block, k, v, element_bytes(ke, cells * p.K * p.D),
                           element_bytes(ve, cells * p.K * p.E),
                           element_bytes(ke, kLanes * p.key_step()), p.value_step()});
        continue;
      }
      pack_keys(w, k, count);
      kernels.pack[static_cast<int>(ve)](v, p.value_step(), count, p.E, p.Q, w.v);
      kernels.forward(block);
    }
  }

  void merge(const Sums& from, const Sums& to, int64_t queries) const {
    for (int64_t i = 0; i < queries; ++i)
      kernels.merge(from.m[i], from.l + i * kLanes, from.o + i * p.Q, p.Q, to.m + i,
                    to.l + i * kLanes, to.o + i * p.Q);
  }

  struct Share {
    float inverse, lse;
  };
  // What turns the sums of a row into its softmax. A sink counts like one more score.
  [[nodiscard]] Share share_of(float* lanes, float m, int64_t head) const {
    for (int half = kLanes / 2; half > 0; half /= 2)
      for (int j = 0; j < half; ++j) lanes[j] += lanes[j + half];
    if (extras.sinks == nullptr) return {1.0f / lanes[0], m + std::log(lanes[0])};
    const float sink = extras.sinks[head], top = std::max(m, sink), factor = std::exp(m - top);
    const float sum = lanes[0] * factor + std::exp(sink - top);
    return {factor / sum, top + std::log(sum)};
  }

  void finish(const Sums& total, const Task& t) const {
    float* lse = context.outputs[1].as<float>();
    for (int64_t n = t.begin, i = 0; n < t.end; ++n)
      for (int64_t g = 0; g < p.group; ++g, ++i) {
        const int64_t head = t.kv * p.group + g, row = n * p.H + head;
        const Share share = p.visible(n) > 0 ? share_of(total.l + i * kLanes, total.m[i], head)
                                             : Share{0.0f, -INFINITY};
        const float* o = total.o + i * p.Q;
        store_row(o, p.E, qe, at(context.outputs[0].data, qe, row * p.E), share.inverse);
        lse[row] = share.lse;
      }
  }

  // Other threads have used their lines since.
  void fetch_outputs(const Task& t) const {
    const int64_t bytes = element_bytes(qe, p.group * p.E);
    for (int64_t n = t.begin; n < t.end; ++n) {
      const auto* rows = static_cast<const char*>(
          at(context.outputs[0].data, qe, (n * p.H + t.kv * p.group) * p.E));
      for (int64_t i = 0; i < bytes; i += 64) prefetch_for_writing(rows + i);
    }
  }

  void run_chunk(const Worker& w, const Task& t) const {
    load_queries(w, t);
    fetch_outputs(t);
    const int64_t most = p.most_visible(t.begin, t.end);
    if (most <= kSplit) {
      sum_split(w, t, 0, w.total);
    } else {
      w.total.clear(p, queries(t));
      const int64_t window = p.first_block(t.begin, t.end);
      for (int64_t split = 0; split * kSplit < most; ++split) {
        if (!p.is_seen(split * kSplit, (split + 1) * kSplit, window)) continue;
        sum_split(w, t, split, w.part);
        merge(w.part, w.total, queries(t));
      }
    }
    finish(w.total, t);
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
      load_queries(w, {n, n + 1, kv});
      sum_split(w, {n, n + 1, kv}, split, part(n, split, kv));
    });
    context.pool.parallel_for(p.N * p.K, 1, [&](int64_t i, int64_t, int id) {
      const int64_t kv = i % p.K, n = i / p.K;
      Carver own = carver.at(id * worker_bytes);
      const Worker w(own, p);
      w.total.clear(p, p.group);
      for (int64_t split = 0; split * kSplit < p.visible(n); ++split)
        merge(part(n, split, kv), w.total, p.group);
      finish(w.total, {n, n + 1, kv});
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
  const Problem p(c.inputs[0], c.inputs[1], c.inputs[2], c.attributes, c.inputs[3].as<int32_t>(),
                  c.inputs[4].as<int32_t>(), page_table(c.attributes, c.inputs));
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
      forward.run_chunk(w, {shared.starts[chunk], shared.starts[chunk + 1], i % p.K});
    }
  });
}

void store_row(const float* row, int64_t n, Element e, void* to, float factor) {
  if (e == Element::f32) {
    auto* out = static_cast<float*>(to);
    for (int64_t i = 0; i < n; ++i) out[i] = factor * row[i];
  } else {
    auto* out = static_cast<uint16_t*>(to);
    for (int64_t i = 0; i < n; ++i)
      out[i] = e == Element::f16 ? float_to_f16(factor * row[i]) : float_to_bf16(factor * row[i]);
  }
}

}  // namespace bantam::cpu::attention
