#include "base/thread_pool.h"
#include "cpu/attention/problem.h"

namespace bantam::cpu::attention {
namespace {

// Rows per task of the forward pass: long enough that packing the cells costs little.
constexpr int64_t kForwardRows = 256;

int64_t blocks(int64_t cells) {
  return (cells + kBlock - 1) / kBlock;
}

struct Worker {
  uint16_t *keys, *values, *key_rows = nullptr;
  float *dk = nullptr, *dv = nullptr;
  int32_t* visible;
  void* scratch;
  Worker(Carver& c, const Problem& p, bool gradient) {
    const int64_t n = blocks(p.C), scores = n * score_block(p.D), sums = n * sum_block(p.D);
    keys = c.take<uint16_t>(scores);
    values = c.take<uint16_t>(scores);  // score or sum layout; the former is never smaller
    if (gradient) {
      key_rows = c.take<uint16_t>(sums);
      dk = c.take<float>(sums);
      dv = c.take<float>(sums);
    }
    visible = c.take<int32_t>(p.N);
    scratch = c.take<char>(tile_scratch_bytes(p.D));
  }
  static int64_t bytes(const Problem& p, bool gradient) {
    Carver count;
    const Worker worker(count, p, gradient);
    return count.bytes();
  }
};

Problem problem_of(const StepContext& c) {
  return {c.inputs[0],
          c.inputs[1],
          c.inputs[2],
          c.attributes,
          c.inputs[3].as<int32_t>(),
          c.inputs[4].as<int32_t>()};
}

// All blocks of one sequence and kv head that anyone sees.
void pack(void (*block)(const uint16_t*, int64_t, int64_t, int64_t, uint16_t*), const Problem& p,
          const uint16_t* cells, int64_t most, int64_t block_elements, uint16_t* to) {
  for (int64_t first = 0; first < most; first += kBlock, to += block_elements)
    block(cells + first * p.K * p.D, p.K * p.D, std::min<int64_t>(kBlock, most - first), p.D, to);
}

void forward_chunk(const StepContext& c, const Problem& p, const Worker& w, int64_t begin,
                   int64_t end, int64_t kv) {
  const TileKernels& kernels = *tile_kernels();
  int64_t most = 0;
  for (int64_t n = begin; n < end; ++n) {
    w.visible[n - begin] = p.visible(n);
    most = std::max<int64_t>(most, w.visible[n - begin]);
  }
  if (most > 0) {
    const int64_t cells = p.key(p.place(p.sequences[begin], 0), kv);
    pack(kernels.pack_scores, p, c.inputs[1].as<uint16_t>() + cells, most, score_block(p.D),
         w.keys);
    pack(kernels.pack_sums, p, c.inputs[2].as<uint16_t>() + cells, most, sum_block(p.D), w.values);
  }
  for (int64_t h = kv * p.group; h < (kv + 1) * p.group; ++h) {
    const int64_t row = begin * p.H + h;
    kernels.forward({end - begin, p.D, p.scoring.scale, p.H * p.D, p.H,
                     c.inputs[0].as<uint16_t>() + row * p.D, w.keys, w.values, w.visible,
                     c.outputs[0].as<uint16_t>() + row * p.D, c.outputs[1].as<float>() + row,
                     w.scratch});
  }
}

// Inputs: q, k, v, sequences, positions, out, lse, dout. Outputs: dq, dk, dv.
void gradient_chunk(const StepContext& c, const Problem& p, const Worker& w, int64_t begin,
                    int64_t end, int64_t h) {
  for (int64_t n = begin; n < end; ++n) w.visible[n - begin] = p.visible(n);
  const int64_t row = begin * p.H + h, element = row * p.D;
  tile_kernels()->backward(
      {end - begin, p.D, p.scoring.scale, p.H * p.D, p.H, c.inputs[0].as<uint16_t>() + element,
       c.inputs[5].as<uint16_t>() + element, c.inputs[7].as<uint16_t>() + element,
       c.inputs[6].as<float>() + row, w.keys, w.values, w.key_rows, w.visible,
       c.outputs[0].as<uint16_t>() + element, w.dk, w.dv, w.scratch});
}

void gradient_sequence(const StepContext& c, const Problem& p, const Worker& w,
                       const int32_t* starts, int64_t chunks, int64_t sequence, int64_t kv) {
  const TileKernels& kernels = *tile_kernels();
  int64_t most = 0;
  for (int64_t i = 0; i < chunks; ++i)
    if (p.sequences[starts[i]] == sequence)
      most = std::max<int64_t>(most, p.most_visible(starts[i], starts[i + 1]));
  const int64_t cells = p.key(p.place(sequence, 0), kv);
  const uint16_t* k = c.inputs[1].as<uint16_t>() + cells;
  const uint16_t* v = c.inputs[2].as<uint16_t>() + cells;
  pack(kernels.pack_scores, p, k, most, score_block(p.D), w.keys);
  pack(kernels.pack_scores, p, v, most, score_block(p.D), w.values);
  pack(kernels.pack_sums, p, k, most, sum_block(p.D), w.key_rows);
  std::fill_n(w.dk, blocks(most) * sum_block(p.D), 0.0f);
  std::fill_n(w.dv, blocks(most) * sum_block(p.D), 0.0f);
  for (int64_t h = kv * p.group; h < (kv + 1) * p.group; ++h)
    for (int64_t i = 0; i < chunks; ++i)
      if (p.sequences[starts[i]] == sequence) gradient_chunk(c, p, w, starts[i], starts[i + 1], h);

  uint16_t *dk = c.outputs[1].as<uint16_t>() + cells, *dv = c.outputs[2].as<uint16_t>() + cells;
  for (int64_t first = 0; first < most; first += kBlock) {
    const int64_t count = std::min<int64_t>(kBlock, most - first), at = first / kBlock;
    const int64_t to = first * p.K * p.D;
    kernels.unpack(w.dk + at * sum_block(p.D), count, p.D, dk + to, p.K * p.D);
    kernels.unpack(w.dv + at * sum_block(p.D), count, p.D, dv + to, p.K * p.D);
  }
  for (int64_t cell = most; cell < p.C; ++cell) {
    std::fill_n(dk + cell * p.K * p.D, p.D, uint16_t{0});
    std::fill_n(dv + cell * p.K * p.D, p.D, uint16_t{0});
  }
}

int64_t scratch_bytes(const Problem& p, int threads, bool gradient) {
  Carver count;
  count.take<int32_t>(p.N + 1);
  return count.bytes() + threads * Worker::bytes(p, gradient);
}

}  // namespace

int64_t forward_tiles_bytes(const Problem& p, int threads) {
  return scratch_bytes(p, threads, false);
}
int64_t gradient_tiles_bytes(const Problem& p, int threads) {
  return scratch_bytes(p, threads, true);
}

void run_forward_tiles(const StepContext& c) {
  const Problem p = problem_of(c);
  Carver carver(c.scratch);
  auto* starts = carver.take<int32_t>(p.N + 1);
  const int64_t chunks = p.list_chunks(kForwardRows, starts), each = Worker::bytes(p, false);
  c.pool.parallel_for(chunks * p.K, 1, [&](int64_t begin, int64_t end, int id) {
    Carver own = carver.at(id * each);
    const Worker w(own, p, false);
    for (int64_t i = begin; i < end; ++i)
      forward_chunk(c, p, w, starts[i / p.K], starts[i / p.K + 1], i % p.K);
  });
}

void run_gradient_tiles(const StepContext& c) {
  const Problem p = problem_of(c);
  clear_padding_rows(p, Element::bf16, c.outputs[0].data);
  Carver carver(c.scratch);
  auto* starts = carver.take<int32_t>(p.N + 1);
  const int64_t chunks = p.list_chunks(p.N, starts), each = Worker::bytes(p, true);
  c.pool.parallel_for(p.S * p.K, 1, [&](int64_t begin, int64_t end, int id) {
    Carver own = carver.at(id * each);
    const Worker w(own, p, true);
    for (int64_t i = begin; i < end; ++i)
      gradient_sequence(c, p, w, starts, chunks, i / p.K, i % p.K);
  });
}

}  // namespace bantam::cpu::attention
