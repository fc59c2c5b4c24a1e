#include "base/thread_pool.h"
#include "cpu/attention/problem.h"

namespace bantam::cpu::attention {
namespace {

constexpr int64_t kChunkQueries = 128;  // query rows (rows x heads of a group) at a time

int64_t chunk_rows(const Problem& p) {
  return std::max<int64_t>(1, kChunkQueries / p.group);
}

struct Worker {
  float *kt, *q, *p, *lse;
  int32_t* visible;
  Worker(Carver& c, const Problem& p)
      : kt(c.take<float>(p.D * kBlock)),
        q(c.take<float>(queries(p) * p.P)),
        p(c.take<float>(queries(p) * kBlock)),
        lse(c.take<float>(queries(p))),
        visible(c.take<int32_t>(queries(p))) {}
  static int64_t queries(const Problem& p) { return std::min(p.N, chunk_rows(p)) * p.group; }
};

int64_t worker_bytes(const Problem& p) {
  Carver count;
  const Worker worker(count, p);
  return count.bytes();
}

// Rows begin .. end - 1, of one sequence.
struct Chunk {
  int64_t begin, end;
};

// One step of the op. A mass is written by one task, which goes through all rows in order.
struct Mass {
  const StepContext& context;
  const Problem p;
  const FloatKernels& kernels = float_kernels();
  const Element element = element_of(context.inputs[2].dtype);

  // The masses of cells `first` .. first + kBlock - 1.
  [[nodiscard]] float* masses(int64_t sequence, int64_t kv, int64_t first) const {
    return context.outputs[0].as<float>() + (sequence * p.K + kv) * p.C + first;
  }

  // The cells that rows stand at are new.
  void begin_masses(float* mass, const Chunk& c, int64_t first) const {
    for (int64_t n = c.begin; n < c.end; ++n) {
      const int64_t own = p.positions[n] - first;
      if (own >= 0 && own < kBlock) mass[own] = 0;
    }
  }

  void load_rows(const Worker& w, const Chunk& c, int64_t kv, int64_t first) const {
    const auto* q = context.inputs[1].as<float>();
    const auto* lse = context.inputs[3].as<float>();
    for (int64_t n = c.begin, i = 0; n < c.end; ++n, i += p.group) {
      const int64_t head = n * p.H + kv * p.group;
      kernels.pack[static_cast<int>(Element::f32)](q + head * p.D, p.D, p.group, p.D, p.P,
                                                   w.q + i * p.P);
      std::copy_n(lse + head, p.group, w.lse + i);
      const int64_t visible = std::clamp<int64_t>(p.visible(n) - first, 0, kBlock);
      std::fill_n(w.visible + i, p.group, static_cast<int32_t>(visible));
    }
  }

  void run(const Worker& w, const Chunk& c, int64_t kv, int64_t first) const {
    const int64_t sequence = p.sequences[c.begin], most = p.most_visible(c.begin, c.end);
    if (first >= most) return;
    const int64_t place = p.place(sequence, first);
    if (place < 0) return;
    const int64_t count = std::min<int64_t>(kBlock, most - first);
    const void* keys = at(context.inputs[2].data, element, p.key(place, kv));
    kernels.pack_groups[static_cast<int>(element)](
        keys, element_bytes(element, kLanes * p.key_step()), count, p.D, w.kt);
    load_rows(w, c, kv, first);
    float* mass = masses(sequence, kv, first);
    begin_masses(mass, c, first);
    kernels.add_mass({(c.end - c.begin) * p.group, p.D, p.P, count, p.scoring, w.q, w.kt, w.visible,
                      w.lse, w.p, mass});
  }
};

}  // namespace

int64_t mass_bytes(const Problem& p, int threads) {
  Carver count;
  count.take<int32_t>(p.N + 1);
  return count.bytes() + threads * worker_bytes(p);
}

void run_mass(const StepContext& c) {
  const Problem p(c.inputs[1], c.inputs[2], c.inputs[2], c.attributes, c.inputs[4].as<int32_t>(),
                  c.inputs[5].as<int32_t>(), &c.inputs[6]);
  if (p.N == 0) return;
  const Mass mass{c, p};
  Carver carver(c.scratch);
  auto* starts = carver.take<int32_t>(p.N + 1);
  const int64_t chunks = p.list_chunks(chunk_rows(p), starts), each = worker_bytes(p);
  const int64_t blocks = (p.most_visible(0, p.N) + kBlock - 1) / kBlock;
  c.pool.parallel_for(p.K * blocks, 1, [&](int64_t begin, int64_t end, int id) {
    Carver own = carver.at(id * each);
    const Worker w(own, p);
    for (int64_t i = begin; i < end; ++i)
      for (int64_t chunk = 0; chunk < chunks; ++chunk)
        mass.run(w, {starts[chunk], starts[chunk + 1]}, i % p.K, i / p.K * kBlock);
  });
}

}  // namespace bantam::cpu::attention
