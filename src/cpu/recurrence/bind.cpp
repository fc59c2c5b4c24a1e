#include <algorithm>

#include "cpu/bindings.h"
#include "cpu/elementwise/chunks.h"
#include "cpu/recurrence/table.h"

namespace bantam::cpu {
namespace {

constexpr int64_t kFloat = sizeof(float);

const float* data(const TensorView& v) {
  return v.as<const float>();
}

bool all_plain(const BindRequest& r) {
  const auto plain = [](const TensorView& v) {
    return v.dtype == DType::f32 || v.dtype == DType::i32;
  };
  return std::all_of(r.inputs.begin(), r.inputs.end(), plain) &&
         std::all_of(r.outputs.begin(), r.outputs.end(), plain);
}

template <void (*run)(const StepContext&), int64_t (*scratch)(const BindRequest&)>
std::optional<BoundKernel> bind(const BindRequest& r) {
  if (!all_plain(r)) return {};
  return BoundKernel{run, scratch(r)};
}

int64_t no_scratch(const BindRequest&) {
  return 0;
}

// --- causal_conv ---------------------------------------------------------------------------------

ConvProblem conv_problem(const TensorView& x, const TensorView& w) {
  ConvProblem p{};
  p.rows.count = x.shape[0];
  p.channels = x.shape[1];
  p.taps = w.shape[1];
  p.x = data(x);
  p.w = data(w);
  return p;
}

void for_channels(const StepContext& c, const ConvProblem& p, ConvFn kernel) {
  const int64_t work = std::max<int64_t>(1, p.rows.count * p.taps);
  const int64_t grain = std::max<int64_t>(1, kGrain / work / 16) * 16;
  c.pool.parallel_for(p.channels, grain,
                      [&](int64_t begin, int64_t end, int) { kernel(p, begin, end); });
}

// Scratch: the state of the one sequence that is being read, [W - 1, C].
void run_conv(const StepContext& c) {
  ConvProblem p = conv_problem(c.inputs[0], c.inputs[1]);
  p.rows.positions = c.inputs[2].as<const int32_t>();
  p.state = static_cast<float*>(c.scratch);
  p.y = c.outputs[0].as<float>();
  std::fill_n(p.state, (p.taps - 1) * p.channels, 0.0f);
  for_channels(c, p, recurrence_kernels().conv);
}

int64_t conv_scratch(const BindRequest& r) {
  return (r.inputs[1].shape[1] - 1) * r.inputs[0].shape[1] * kFloat;
}

void run_conv_grad(const StepContext& c) {
  ConvProblem p = conv_problem(c.inputs[0], c.inputs[1]);
  p.rows.positions = c.inputs[2].as<const int32_t>();
  p.dy = data(c.inputs[3]);
  p.dx = c.outputs[0].as<float>();
  p.dw = c.outputs[1].as<float>();
  for_channels(c, p, recurrence_kernels().conv_grad);
}

void run_conv_step(const StepContext& c) {
  ConvProblem p = conv_problem(c.inputs[0], c.inputs[1]);
  p.rows.sequences = c.inputs[2].as<const int32_t>();
  p.rows.positions = c.inputs[3].as<const int32_t>();
  p.state = c.inputs[4].as<float>();
  p.y = c.outputs[0].as<float>();
  for_channels(c, p, recurrence_kernels().conv);
}

// --- selective_scan ------------------------------------------------------------------------------

ScanProblem scan_problem(const StepContext& c) {
  ScanProblem p{};
  const Shape &x = c.inputs[0].shape, &B = c.inputs[3].shape;
  p.rows.count = x[0];
  p.heads = x[1];
  p.head_size = x[2];
  p.groups = B[1];
  p.state_size = B[2];
  p.a = c.inputs[2].shape[1];
  p.x = data(c.inputs[0]);
  p.dt = data(c.inputs[1]);
  p.A = data(c.inputs[2]);
  p.B = data(c.inputs[3]);
  p.C = data(c.inputs[4]);
  return p;
}

void for_heads(const StepContext& c, const ScanProblem& p) {
  const int64_t work = std::max<int64_t>(1, p.rows.count * p.head_size * p.state_size);
  const ScanFn kernel = recurrence_kernels().scan;
  c.pool.parallel_for(p.heads, std::max<int64_t>(1, kGrain / work),
                      [&](int64_t begin, int64_t end, int) {
                        for (int64_t head = begin; head < end; ++head) kernel(p, head);
                      });
}

// Scratch: the state of the one sequence that is being read, [H, P, R].
void run_scan(const StepContext& c) {
  ScanProblem p = scan_problem(c);
  p.rows.positions = c.inputs[5].as<const int32_t>();
  p.state = static_cast<float*>(c.scratch);
  p.y = c.outputs[0].as<float>();
  p.starts = c.outputs[1].as<float>();
  std::fill_n(p.state, p.heads * p.head_size * p.state_size, 0.0f);
  for_heads(c, p);
}

int64_t scan_scratch(const BindRequest& r) {
  const Shape& starts = r.outputs[1].shape;
  return starts[1] * starts[2] * starts[3] * kFloat;
}

void run_scan_step(const StepContext& c) {
  ScanProblem p = scan_problem(c);
  p.rows.sequences = c.inputs[5].as<const int32_t>();
  p.rows.positions = c.inputs[6].as<const int32_t>();
  p.state = c.inputs[7].as<float>();
  p.y = c.outputs[0].as<float>();
  for_heads(c, p);
}

// Heads share dB and dC: blocks of heads, always the same, sum into parts of their own, which are
// then added in order.
struct HeadBlocks {
  int64_t heads, shared, head_scratch;  // floats of B; of the kernel's scratch

  HeadBlocks(const Shape& x, const Shape& B)
      : heads(x[1]), shared(B.elements()), head_scratch((kScanChunk + 3) * x[2] * B[2] + B[2]) {}
  [[nodiscard]] int64_t count() const { return std::min<int64_t>(heads, 16); }
  [[nodiscard]] int64_t begin(int64_t block) const { return heads * block / count(); }
  [[nodiscard]] int64_t floats(int threads) const {
    return 2 * count() * shared + threads * head_scratch;
  }
};

void run_scan_grad(const StepContext& c) {
  ScanProblem all = scan_problem(c);
  all.rows.positions = c.inputs[5].as<const int32_t>();
  all.starts = c.inputs[6].as<float>();
  all.dy = data(c.inputs[7]);
  all.dx = c.outputs[0].as<float>();
  all.ddt = c.outputs[1].as<float>();
  all.dA = c.outputs[2].as<float>();
  const HeadBlocks blocks(c.inputs[0].shape, c.inputs[3].shape);
  auto* dB = static_cast<float*>(c.scratch);
  float* dC = dB + blocks.count() * blocks.shared;
  float* workers = dC + blocks.count() * blocks.shared;
  const ScanFn kernel = recurrence_kernels().scan_grad;
  c.pool.parallel_for(blocks.count(), 1, [&](int64_t block, int64_t, int worker) {
    ScanProblem p = all;
    p.dB = dB + block * blocks.shared;
    p.dC = dC + block * blocks.shared;
    p.scratch = workers + worker * blocks.head_scratch;
    std::fill_n(p.dB, blocks.shared, 0.0f);
    std::fill_n(p.dC, blocks.shared, 0.0f);
    for (int64_t h = blocks.begin(block); h < blocks.begin(block + 1); ++h) kernel(p, h);
  });
  sum_chunks(dB, blocks.count(), blocks.shared, c.outputs[3].as<float>(), c.pool);
  sum_chunks(dC, blocks.count(), blocks.shared, c.outputs[4].as<float>(), c.pool);
}

int64_t scan_grad_scratch(const BindRequest& r) {
  return HeadBlocks(r.inputs[0].shape, r.inputs[3].shape).floats(r.threads) * kFloat;
}

constexpr OpBinding kBindings[] = {
    {"causal_conv", bind<run_conv, conv_scratch>},
    {"causal_conv_grad", bind<run_conv_grad, no_scratch>},
    {"causal_conv_step", bind<run_conv_step, no_scratch>},
    {"selective_scan", bind<run_scan, scan_scratch>},
    {"selective_scan_grad", bind<run_scan_grad, scan_grad_scratch>},
    {"selective_scan_step", bind<run_scan_step, no_scratch>},
};

}  // namespace

std::span<const OpBinding> recurrence_bindings() {
  return kBindings;
}

}  // namespace bantam::cpu
