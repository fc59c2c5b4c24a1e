#pragma once

// One attention step with its data, for tests and benchmarks.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/thread_pool.h"
#include "cpu/attention/attention.h"
#include "cpu/bindings.h"
#include "tensor/layout.h"

namespace bantam::cpu::attention {

inline BoundKernel bind(std::string_view op, const Attributes& attributes,
                        std::span<const TensorView> inputs, std::span<const TensorView> outputs,
                        int threads) {
  for (const OpBinding& b : attention_bindings())
    if (b.op == op) return b.bind({attributes, inputs, outputs, threads}).value();
  return {};
}

inline void run(std::string_view op, const Attributes& attributes,
                std::span<const TensorView> inputs, std::span<const TensorView> outputs,
                ThreadPool& pool) {
  const BoundKernel kernel = bind(op, attributes, inputs, outputs, pool.size());
  std::vector<char> scratch(static_cast<size_t>(kernel.scratch_bytes), char{0x7f});
  kernel.run({inputs, outputs, attributes, scratch.data(), pool});
}

struct Extents {
  int64_t H, K, D, S, C;
  int64_t E = 0;  // of values; 0: D
  [[nodiscard]] int64_t value_size() const { return E > 0 ? E : D; }
};

inline Tensor random_tensor(const Shape& shape, DType dtype, uint64_t seed, float factor = 1) {
  Random random(seed);
  std::vector<float> values(static_cast<size_t>(shape.elements()));
  for (float& x : values) x = (random.uniform() * 2 - 1) * factor;
  return Tensor::from(values, shape).to(dtype);
}

inline Tensor index_tensor(const std::vector<int32_t>& values) {
  Tensor t = Tensor::zeros(DType::i32, {static_cast<int64_t>(values.size())});
  std::copy(values.begin(), values.end(), t.as<int32_t>());
  return t;
}

struct Case {
  Extents e;
  Attributes attributes;
  Tensor q, k, v, sequences, positions, out, lse, dout, dq, dk, dv;
  Tensor sinks, bias, dsinks, dbias;  // where the attributes say so
  Tensor pages;                       // likewise: [S, blocks]

  Case(const Extents& extents, const std::vector<int32_t>& sequence_list,
       const std::vector<int32_t>& position_list, DType q_type, DType cache_type,
       bool causal = true)
      : e(extents),
        attributes({{"scale", 1.0 / std::sqrt(static_cast<double>(extents.D))},
                    {"causal", int64_t{causal}}}) {
    const auto N = static_cast<int64_t>(sequence_list.size());
    q = random_tensor({N, e.H, e.D}, q_type, 1, 3);
    k = random_tensor({e.S, e.C, e.K, e.D}, cache_type, 2, 2);
    v = random_tensor({e.S, e.C, e.K, e.value_size()}, cache_type, 3);
    dout = random_tensor({N, e.H, e.value_size()}, q_type, 4);
    sequences = index_tensor(sequence_list);
    positions = index_tensor(position_list);
    out = Tensor::zeros(q_type, {N, e.H, e.value_size()});
    lse = Tensor::zeros(DType::f32, {N, e.H});
    dq = Tensor::zeros(q_type, q.shape());
    dk = Tensor::zeros(cache_type, k.shape());
    dv = Tensor::zeros(cache_type, v.shape());
  }
  // The same keys, interleaved; e.C: a multiple of kLanes.
  Case& with_key_groups() {
    const Tensor rows = k;
    if (dtype_info(k.dtype()).quantized) {
      ThreadPool pool(1);
      const Tensor groups = interleave(rows.reshaped({e.S * e.C, e.K * e.D}), pool);
      k = Tensor::zeros(rows.dtype(), rows.shape(), Layout::interleaved);
      std::memcpy(k.data(), groups.data(), static_cast<size_t>(k.bytes()));
      return *this;
    }
    k = Tensor::zeros(rows.dtype(), rows.shape(), Layout::interleaved);
    const int64_t width = e.K * e.D, bytes = row_bytes(rows.dtype(), 1);
    for (int64_t cell = 0; cell < e.S * e.C; ++cell)
      for (int64_t i = 0; i < width; ++i) {
        const int64_t to = (cell - cell % kLanes) * width + i * kLanes + cell % kLanes;
        std::memcpy(k.as<char>() + to * bytes, rows.as<char>() + (cell * width + i) * bytes,
                    static_cast<size_t>(bytes));
      }
    return *this;
  }
  Case& with_window(int64_t cells) {
    attributes.set("window", cells);
    return *this;
  }
  Case& with_kept(int64_t cells) {
    attributes.set("keep", cells);
    return *this;
  }
  // What a page holds that stands for the 64 cells of a block [S, C, K, D], or groups of them: the
  // cells of each head together.
  [[nodiscard]] std::vector<char> page_of(const Tensor& cells, int64_t block) const {
    const int64_t bytes = cells.bytes() / (e.S * e.C / kBlock);
    const int64_t run = cells.layout() == Layout::interleaved ? kLanes : 1, runs = kBlock / run;
    const int64_t piece = bytes / (runs * e.K);
    const char* from = cells.as<char>() + block * bytes;
    std::vector<char> page(static_cast<size_t>(bytes));
    for (int64_t i = 0; i < runs; ++i)
      for (int64_t kv = 0; kv < e.K; ++kv)
        std::copy_n(from + (i * e.K + kv) * piece, piece, page.begin() + (kv * runs + i) * piece);
    return page;
  }
  // The same cells in pages, in an order of chance; NaN where no page is. Pages of which the table
  // has no entry are those of blocks that `is_needed` says no to. e.C: a multiple of kBlock.
  template <typename Needed>
  Case& with_pages(const Needed& is_needed) {
    const int64_t blocks = e.C / kBlock, count = e.S * blocks;
    std::vector<int32_t> order(static_cast<size_t>(count));
    for (int32_t i = 0; i < count; ++i) order[static_cast<size_t>(i)] = i;
    Random random(9);
    for (size_t i = order.size(); i-- > 1;) std::swap(order[i], order[random.below(i + 1)]);
    attributes.set("pages", int64_t{1});
    for (Tensor* t : {&k, &v}) {
      const Tensor rows = *t;
      const int64_t bytes = rows.bytes() / count;
      *t = Tensor::zeros(rows.dtype(), {count, e.K, kBlock, rows.shape()[3]}, rows.layout());
      std::memset(t->data(), 0xff, static_cast<size_t>(t->bytes()));
      for (int64_t i = 0; i < count; ++i)
        if (is_needed(i / blocks, i % blocks))
          std::ranges::copy(page_of(rows, i),
                            t->as<char>() + order[static_cast<size_t>(i)] * bytes);
    }
    for (int64_t i = 0; i < count; ++i)
      if (!is_needed(i / blocks, i % blocks)) order[static_cast<size_t>(i)] = -1;
    pages = index_tensor(order).reshaped({e.S, blocks});
    return *this;
  }
  Case& with_softcap(double cap) {
    attributes.set("softcap", cap);
    return *this;
  }
  Case& with_sinks() {
    attributes.set("sinks", int64_t{1});
    sinks = random_tensor({e.H}, DType::f32, 5, 4);
    dsinks = Tensor::zeros(DType::f32, {e.H});
    return *this;
  }
  Case& with_bias() {
    attributes.set("bias", int64_t{1});
    bias = random_tensor({e.H, rows(), e.C}, DType::f32, 6, 2);
    dbias = Tensor::zeros(DType::f32, bias.shape());
    return *this;
  }

  // Rows 0 .. T-1 of every sequence, in order: what training sees.
  static Case training(const Extents& e, DType t, bool causal = true) {
    std::vector<int32_t> s, p;
    for (int64_t n = 0; n < e.S * e.C; ++n) {
      s.push_back(static_cast<int32_t>(n / e.C));
      p.push_back(static_cast<int32_t>(n % e.C));
    }
    return {e, s, p, t, t, causal};
  }

  // The same caches with rows first .. end - 1 only.
  [[nodiscard]] Case slice(int64_t first, int64_t end) const {
    Case part = *this;
    for (auto [to, from] : {std::pair{&part.q, &q},
                            {&part.sequences, &sequences},
                            {&part.positions, &positions},
                            {&part.out, &out},
                            {&part.lse, &lse}}) {
      const int64_t width = from->bytes() / rows();
      Shape shape = from->shape();
      shape[0] = end - first;
      *to = Tensor::zeros(from->dtype(), shape);
      std::memcpy(to->data(), from->as<char>() + first * width, static_cast<size_t>(to->bytes()));
    }
    part.out = Tensor::zeros(out.dtype(), part.out.shape());
    part.lse = Tensor::zeros(DType::f32, part.lse.shape());
    return part;
  }

  [[nodiscard]] int64_t rows() const { return q.shape()[0]; }
  [[nodiscard]] int64_t visible(int64_t n) const {
    return attributes.integer("causal") != 0 ? positions.as<int32_t>()[n] + 1 : e.C;
  }
  [[nodiscard]] int64_t hidden(int64_t n) const {
    const int64_t window = attributes.integer("window", 0);
    return window > 0 ? std::max<int64_t>(0, visible(n) - window) : 0;
  }
  [[nodiscard]] bool sees(int64_t n, int64_t cell) const {
    return cell < visible(n) && (cell >= hidden(n) || cell < attributes.integer("keep", 0));
  }
  void forward(ThreadPool& pool) {
    std::vector<TensorView> inputs{q.view(), k.view(), v.view(), sequences.view(),
                                   positions.view()};
    const TensorView outputs[] = {out.view(), lse.view()};
    for (const Tensor* extra : {&pages, &sinks, &bias})
      if (extra->defined()) inputs.push_back(extra->view());
    run("attention", attributes, inputs, outputs, pool);
  }
  void backward(ThreadPool& pool) {
    std::vector<TensorView> inputs{q.view(),         k.view(),   v.view(),   sequences.view(),
                                   positions.view(), out.view(), lse.view(), dout.view()};
    std::vector<TensorView> outputs{dq.view(), dk.view(), dv.view()};
    for (const auto& [extra, gradient] : {std::pair{&sinks, &dsinks}, {&bias, &dbias}}) {
      if (!extra->defined()) continue;
      inputs.push_back(extra->view());
      outputs.push_back(gradient->view());
    }
    run("attention_grad", attributes, inputs, outputs, pool);
  }
};

}  // namespace bantam::cpu::attention
