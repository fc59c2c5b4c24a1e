#include <gtest/gtest.h>

#include <limits>

#include "cpu/attention/reference.h"
#include "cpu/attention/table.h"

namespace bantam::cpu::attention {
namespace {

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() &&
         std::memcmp(a.data(), b.data(), static_cast<size_t>(a.bytes())) == 0;
}

// The rows of a tensor from `first` on, as bytes.
bool same_rows(const Tensor& a, int64_t a_row, const Tensor& b, int64_t b_row, int64_t rows) {
  const int64_t width = a.bytes() / a.shape()[0];
  return std::memcmp(a.as<char>() + a_row * width, b.as<char>() + b_row * width,
                     static_cast<size_t>(rows * width)) == 0;
}

Case prompt(const Extents& e, int64_t begin, int64_t end, DType cache, DType q = DType::f32) {
  std::vector<int32_t> s, p;
  for (int64_t n = begin; n < end; ++n) {
    s.push_back(0);
    p.push_back(static_cast<int32_t>(n));
  }
  return {e, s, p, q, cache};
}

const Extents kShapes[] = {
    {4, 4, 64, 1, 130}, {4, 2, 48, 2, 65}, {3, 1, 33, 1, 100}, {3, 3, 1, 2, 17}, {2, 1, 80, 1, 63}};

TEST(Attention, AgreesWithDoublePrecisionForAllHeadLayouts) {
  ThreadPool pool(2);
  for (const Extents& e : kShapes)
    for (const DType cache : {DType::f32, DType::f16, DType::bf16})
      for (const bool causal : {true, false}) {
        std::vector<int32_t> s, p;
        for (int64_t n = 0; n < e.S * e.C; ++n) {
          s.push_back(static_cast<int32_t>(n / e.C));
          p.push_back(static_cast<int32_t>(n % e.C));
        }
        Case c(e, s, p, DType::f32, cache, causal);
        c.forward(pool);
        const Reference r(c);
        EXPECT_LT(distance(c.out, r.out), 2e-6);
        EXPECT_LT(distance(c.lse, r.lse), 1e-6);
      }
}

TEST(Attention, AgreesWithDoublePrecisionInBf16) {
  ThreadPool pool(2);
  for (const Extents& e : kShapes)
    for (const bool causal : {true, false}) {
      Case c = Case::training(e, DType::bf16, causal);
      c.forward(pool);
      const Reference r(c);
      EXPECT_LT(distance(c.out, r.out), 8e-3) << e.D;
      EXPECT_LT(distance(c.lse, r.lse), 1e-5) << e.D;
    }
}

TEST(Attention, MergesSplitsOfLongCaches) {
  const Extents e{4, 2, 32, 2, 1500};
  for (const int threads : {1, 2}) {
    ThreadPool pool(threads);
    Case c(e, {0, 1, 1, 0}, {1499, 512, 511, 3}, DType::f32, DType::f16);
    c.forward(pool);
    EXPECT_LT(distance(c.out, Reference(c).out), 2e-6);
  }
}

TEST(Attention, HasTheSameBitsForEverySplitOfThePrompt) {
  for (const DType cache : {DType::f32, DType::bf16}) {
    ThreadPool one(1), two(2);
    const Extents e{6, 2, 48, 1, 700};
    Case whole = prompt(e, 0, 700, cache);
    whole.forward(one);
    for (const int64_t length : {1, 7, 64}) {
      for (int64_t first = length == 1 ? 500 : 0; first < 700; first += length) {
        Case part = whole.slice(first, std::min<int64_t>(700, first + length));
        part.forward(first % 2 ? one : two);
        ASSERT_TRUE(same_rows(whole.out, first, part.out, 0, part.rows())) << first;
        ASSERT_TRUE(same_rows(whole.lse, first, part.lse, 0, part.rows())) << first;
        if (length == 1) first += 12;
      }
    }
  }
}

TEST(Attention, HasTheSameBitsForEverySplitOfARunInBf16) {
  ThreadPool pool(2);
  const Extents e{6, 2, 64, 1, 200};
  Case whole = prompt(e, 0, 200, DType::bf16, DType::bf16);
  whole.forward(pool);
  for (const int64_t length : {1, 7, 64})
    for (int64_t first = 0; first < 200; first += length) {
      Case part = whole.slice(first, std::min<int64_t>(200, first + length));
      part.forward(pool);
      ASSERT_TRUE(same_rows(whole.out, first, part.out, 0, part.rows())) << first;
      ASSERT_TRUE(same_rows(whole.lse, first, part.lse, 0, part.rows())) << first;
    }
}

TEST(Attention, DoesNotDependOnTheBatch) {
  ThreadPool pool(2);
  const Extents e{4, 2, 40, 3, 600};
  Case alone(e, {1}, {571}, DType::f32, DType::f16);
  alone.forward(pool);
  Case batch(e, {1, 0, 2, 2, 2, 1, -1}, {571, 599, 0, 1, 2, 30, 5}, DType::f32, DType::f16);
  std::memcpy(batch.q.data(), alone.q.data(), static_cast<size_t>(alone.q.bytes()));
  batch.forward(pool);
  EXPECT_TRUE(same_rows(alone.out, 0, batch.out, 0, 1));
  EXPECT_TRUE(same_rows(alone.lse, 0, batch.lse, 0, 1));
  for (int64_t i = 0; i < e.H * e.D; ++i) EXPECT_EQ(batch.out.as<float>()[6 * e.H * e.D + i], 0);
}

TEST(Attention, HasTheSameBitsForAnyNumberOfThreads) {
  const Extents e{4, 2, 48, 3, 150};
  for (const DType t : {DType::f32, DType::bf16}) {
    Case first = Case::training(e, t);
    ThreadPool one(1);
    first.forward(one);
    first.backward(one);
    for (const int threads : {2, 4}) {
      ThreadPool pool(threads);
      Case c = Case::training(e, t);
      c.forward(pool);
      c.backward(pool);
      EXPECT_TRUE(same_bits(first.out, c.out));
      EXPECT_TRUE(same_bits(first.lse, c.lse));
      EXPECT_TRUE(same_bits(first.dq, c.dq));
      EXPECT_TRUE(same_bits(first.dk, c.dk));
      EXPECT_TRUE(same_bits(first.dv, c.dv));
    }
  }
}

TEST(Attention, IgnoresWhatLiesInUnseenCells) {
  ThreadPool pool(2);
  const Extents e{4, 2, 24, 2, 150};
  for (const DType cache : {DType::f32, DType::f16, DType::bf16}) {
    Case clean(e, {0, 0, 0, 1, 1}, {3, 64, 100, 0, 149}, DType::f32, cache);
    Case dirty(e, {0, 0, 0, 1, 1}, {3, 64, 100, 0, 149}, DType::f32, cache);
    // Cell 65 is hidden from the first two rows but not from the third; later ones from all three.
    for (Tensor* t : {&dirty.k, &dirty.v}) {
      Tensor f = t->to(DType::f32);
      std::fill_n(f.as<float>() + 65 * e.K * e.D, (e.C - 65) * e.K * e.D,
                  std::numeric_limits<float>::quiet_NaN());
      *t = f.to(cache);
    }
    clean.forward(pool);
    dirty.forward(pool);
    EXPECT_TRUE(same_rows(clean.out, 0, dirty.out, 0, 2));
    EXPECT_TRUE(same_rows(clean.out, 3, dirty.out, 3, 2));
  }
  for (const DType t : {DType::f32, DType::bf16}) {
    std::vector<int32_t> s(40, 1), p;
    for (int32_t n = 0; n < 40; ++n) p.push_back(n + 50);
    Case c(e, s, p, t, t);
    for (Tensor* x : {&c.k, &c.v}) {
      Tensor f = x->to(DType::f32);
      std::fill_n(f.as<float>() + (e.C + 90) * e.K * e.D, 60 * e.K * e.D,
                  std::numeric_limits<float>::quiet_NaN());
      *x = f.to(t);
    }
    c.forward(pool);
    c.backward(pool);
    for (const Tensor* x : {&c.out, &c.dq, &c.dk, &c.dv})
      for (const double value : doubles(*x)) ASSERT_TRUE(std::isfinite(value));
  }
}

TEST(AttentionGradient, AgreesWithDoublePrecision) {
  ThreadPool pool(2);
  for (const Extents& e : kShapes)
    for (const bool causal : {true, false})
      for (const DType t : {DType::f32, DType::bf16}) {
        Case c = Case::training(e, t, causal);
        c.forward(pool);
        c.backward(pool);
        const Reference r(c, true);
        const double tolerance = t == DType::f32 ? 3e-6 : 1.5e-2;
        // With D = 1 the gradients of q and k all but cancel.
        const double slack = e.D == 1 ? 8 : 1;
        EXPECT_LT(distance(c.dq, r.dq), tolerance * slack) << e.D;
        EXPECT_LT(distance(c.dk, r.dk), tolerance * slack) << e.D;
        EXPECT_LT(distance(c.dv, r.dv), tolerance) << e.D;
      }
}

// What the plain op leaves out: windows, soft caps, sinks, biases and values of their own size.
std::vector<Case> extended_cases(DType t) {
  const Extents shapes[] = {{4, 2, 24, 2, 150}, {3, 1, 33, 1, 97, 17}, {2, 2, 16, 2, 70, 40}};
  std::vector<Case> cases;
  for (const Extents& e : shapes) {
    for (const int64_t window : {2, 13, 64, 100})
      cases.push_back(Case::training(e, t).with_window(window));
    cases.push_back(Case::training(e, t).with_softcap(1.5));
    cases.push_back(Case::training(e, t).with_sinks());
    cases.push_back(Case::training(e, t).with_bias());
    cases.push_back(Case::training(e, t, false).with_bias().with_sinks());
    cases.push_back(Case::training(e, t).with_window(70).with_softcap(2).with_sinks().with_bias());
  }
  return cases;
}

TEST(AttentionExtensions, AgreeWithDoublePrecision) {
  ThreadPool pool(2);
  for (const DType t : {DType::f32, DType::bf16})
    for (Case& c : extended_cases(t)) {
      c.forward(pool);
      c.backward(pool);
      const Reference r(c, true);
      const bool f32 = t == DType::f32;
      const double forward = f32 ? 3e-6 : 8e-3, backward = f32 ? 6e-6 : 2e-2;
      EXPECT_LT(distance(c.out, r.out), forward);
      EXPECT_LT(distance(c.lse, r.lse), f32 ? 2e-6 : 1e-5);
      EXPECT_LT(distance(c.dq, r.dq), backward);
      EXPECT_LT(distance(c.dk, r.dk), backward);
      EXPECT_LT(distance(c.dv, r.dv), backward);
      if (c.sinks.defined()) {
        EXPECT_LT(distance(c.dsinks, r.dsinks), backward);
      }
      if (c.bias.defined()) {
        EXPECT_LT(distance(c.dbias, r.dbias), backward);
      }
    }
}

TEST(AttentionExtensions, HaveTheSameBitsForEverySplitOfThePrompt) {
  ThreadPool one(1), two(2);
  const Extents e{6, 2, 48, 1, 700};
  for (const int64_t window : {5, 64, 130, 600}) {
    Case whole = prompt(e, 0, 700, DType::f16).with_window(window).with_softcap(3).with_sinks();
    whole.forward(one);
    for (const int64_t length : {1, 7, 64})
      for (int64_t first = length == 1 ? 500 : 0; first < 700; first += length) {
        Case part = whole.slice(first, std::min<int64_t>(700, first + length));
        part.forward(first % 2 ? one : two);
        ASSERT_TRUE(same_rows(whole.out, first, part.out, 0, part.rows())) << first;
        if (length == 1) first += 12;
      }
  }
}

TEST(AttentionExtensions, SurviveSinksBeyondAllScores) {
  ThreadPool pool(1);
  Case c = Case::training({2, 1, 8, 1, 5}, DType::f32).with_sinks();
  c.sinks.as<float>()[0] = 200;
  c.forward(pool);
  for (int64_t i = 0; i < c.out.shape().elements(); ++i)
    ASSERT_TRUE(std::isfinite(c.out.as<float>()[i]));
  EXPECT_FLOAT_EQ(c.lse.as<float>()[0], 200);
}

// What cached keys and values may differ by from the same as rows: tiles of AMX lose some bits.
double cache_tolerance(DType cache) {
  return split_kernels() != nullptr && cache != DType::f32 ? 4e-5 : 0;
}

// Few queries read a cache directly, many through packed blocks; keys as rows or in groups.
TEST(AttentionKeyGroups, GiveTheBitsOfKeysInRows) {
  ThreadPool one(1), two(2);
  const Extents shapes[] = {{6, 2, 48, 1, 704}, {3, 1, 33, 1, 704, 32}, {4, 4, 16, 1, 704, 17}};
  for (const Extents& e : shapes)
    for (const DType cache : {DType::f32, DType::f16, DType::bf16})
      for (const bool extended : {false, true}) {
        const auto with = [&](Case c) {
          return extended ? c.with_window(130).with_softcap(3).with_sinks() : c;
        };
        Case rows = with(prompt(e, 0, 700, cache));
        rows.forward(one);
        Case groups = with(prompt(e, 0, 700, cache)).with_key_groups();
        groups.forward(two);
        const double tolerance = cache_tolerance(cache);
        EXPECT_LE(distance(groups.out, doubles(rows.out)), tolerance) << e.D;
        EXPECT_LE(distance(groups.lse, doubles(rows.lse)), tolerance) << e.D;
        for (const int64_t length : {1, 2, 5})
          for (int64_t first = 0; first + length < 700; first += 37) {
            Case part = groups.slice(first, first + length);
            part.forward(first % 2 ? one : two);
            ASSERT_TRUE(same_rows(groups.out, first, part.out, 0, length)) << first << " " << e.D;
            ASSERT_TRUE(same_rows(groups.lse, first, part.lse, 0, length)) << first << " " << e.D;
          }
      }
}

// Caches of blocks give the bits of what they hold, written out in f32.
TEST(AttentionKeyGroups, OfBlocksGiveTheBitsOfTheirValues) {
  ThreadPool one(1), two(2);
  const Extents shapes[] = {{6, 2, 64, 1, 320}, {3, 1, 32, 1, 320, 96}};
  for (const Extents& e : shapes)
    for (const DType type : {DType::q8_0, DType::q4_0}) {
      Case blocks = prompt(e, 0, 320, type);
      Case floats = prompt(e, 0, 320, DType::f32);
      floats.k = blocks.k.to(DType::f32);
      floats.v = blocks.v.to(DType::f32);
      floats.forward(one);
      blocks.with_key_groups().forward(two);
      EXPECT_LE(distance(blocks.out, doubles(floats.out)), cache_tolerance(type))
          << dtype_info(type).name;
      for (const int64_t length : {1, 3})
        for (int64_t first = 0; first + length < 320; first += 19) {
          Case part = blocks.slice(first, first + length);
          part.forward(first % 2 ? one : two);
          ASSERT_TRUE(same_rows(blocks.out, first, part.out, 0, length)) << first;
        }
    }
}

TEST(AttentionGradient, HandlesAnyListOfRows) {
  ThreadPool pool(2);
  const Extents e{4, 2, 24, 3, 90};
  for (const DType t : {DType::f32, DType::bf16}) {
    Case c(e, {2, 0, 0, 2, 2, 0, 2}, {5, 89, 2, 6, 70, 88, 5}, t, t);
    c.forward(pool);
    c.backward(pool);
    const Reference r(c, true);
    const double tolerance = t == DType::f32 ? 3e-6 : 1.5e-2;
    EXPECT_LT(distance(c.dq, r.dq), tolerance);
    EXPECT_LT(distance(c.dk, r.dk), tolerance);
    EXPECT_LT(distance(c.dv, r.dv), tolerance);
  }
}

TEST(AttentionGradient, AgreesWithFiniteDifferences) {
  ThreadPool pool(1);
  const Extents e{2, 1, 5, 1, 7};
  Case c = Case::training(e, DType::f32);
  c.forward(pool);
  c.backward(pool);
  auto loss = [&] {
    const Reference r(c);
    double sum = 0;
    for (size_t i = 0; i < r.out.size(); ++i) sum += r.out[i] * c.dout.as<float>()[i];
    return sum;
  };
  for (const auto& [x, dx] : {std::pair{&c.q, &c.dq}, {&c.k, &c.dk}, {&c.v, &c.dv}})
    for (int64_t i = 0; i < x->shape().elements(); ++i) {
      float& value = x->as<float>()[i];
      const float saved = value;
      value = saved + 0x1p-10f;
      const double above = loss(), high = value;
      value = saved - 0x1p-10f;
      const double below = loss(), low = value;
      value = saved;
      EXPECT_NEAR(dx->as<float>()[i], (above - below) / (high - low), 2e-5);
    }
}

TEST(CacheWrite, ConvertsAndPlacesRows) {
  ThreadPool pool(2);
  for (const DType cache_type : {DType::f32, DType::f16, DType::bf16})
    for (const DType x_type : {DType::f32, DType::bf16}) {
      Tensor cache = Tensor::zeros(cache_type, {2, 3, 2, 5});
      Tensor x = random_tensor({3, 2, 5}, x_type, 9);
      const Tensor s = index_tensor({1, 0, -1}), p = index_tensor({2, 0, 0});
      const TensorView inputs[] = {cache.view(), x.view(), s.view(), p.view()};
      const TensorView outputs[] = {cache.view()};
      run("cache_write", {}, inputs, outputs, pool);
      const auto got = doubles(cache), want = doubles(x.to(DType::f32).to(cache_type));
      for (size_t i = 0; i < 60; ++i)
        EXPECT_EQ(got[i], i >= 50 ? want[i - 50] : i < 10 ? want[i + 10] : 0) << i;
    }
}

TEST(CacheWrite, PlacesRowsInGroups) {
  ThreadPool pool(2);
  for (const DType cache_type : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0})
    for (const DType x_type : {DType::f32, DType::bf16}) {
      const bool blocks = dtype_info(cache_type).quantized;
      if (blocks && x_type != DType::f32) continue;
      const Extents e{2, 2, blocks ? 32 : 5, 2, 32};
      Case want(e, {0}, {0}, DType::f32, cache_type);
      const Tensor x = random_tensor({64, 2, e.D}, x_type, 9);
      want.k = x.to(DType::f32).to(cache_type).reshaped(want.k.shape());
      want.with_key_groups();
      std::vector<int32_t> s, p;
      for (int32_t n = 0; n < 64; ++n) {
        s.push_back(n / 32);
        p.push_back(n % 32);
      }
      const Tensor cache = Tensor::zeros(cache_type, want.k.shape(), Layout::interleaved);
      const Tensor sequences = index_tensor(s), positions = index_tensor(p);
      const TensorView inputs[] = {cache.view(), x.view(), sequences.view(), positions.view()};
      const TensorView outputs[] = {cache.view()};
      run("cache_write", {}, inputs, outputs, pool);
      EXPECT_TRUE(same_bits(cache, want.k));
    }
}

// Every instruction set of this machine must give the bits of the scalar kernels.
struct Blocks {
  std::vector<float> kt, v, vt, q, dout, m, l, o, p, ds, dq, dk, dv, lse, delta, bias, dbias, mass;
  static std::vector<float> noise(int64_t n, uint64_t seed) {
    const Tensor t = random_tensor({n}, DType::f32, seed, 2);
    return {t.as<float>(), t.as<float>() + n};
  }
  Blocks(const FloatKernels& kernels, int64_t D, int64_t count, int64_t rows, Element element,
         bool extended) {
    const int64_t P = round_up(D, kLanes), stride = D + 3;
    const DType type = element == Element::f32   ? DType::f32
                       : element == Element::f16 ? DType::f16
                                                 : DType::bf16;
    const Tensor k = random_tensor({kBlock * stride}, type, 5, 2);
    const auto e = static_cast<size_t>(element);
    for (auto* x : {&kt, &v, &vt, &dk, &dv}) x->assign(static_cast<size_t>(kBlock * P), 0.5f);
    kernels.pack_transposed[e](k.data(), stride, count, D, kt.data());
    kernels.pack_transposed[e](k.data(), stride, count, D, vt.data());
    kernels.pack[e](k.data(), stride, count, D, P, v.data());
    q = noise(rows * P, 6);
    dout = noise(rows * P, 7);
    lse = noise(rows, 8);
    delta = noise(rows, 9);
    m.assign(static_cast<size_t>(rows), -INFINITY);
    l.assign(static_cast<size_t>(rows * kLanes), 0);
    for (auto* x : {&o, &dq}) x->assign(static_cast<size_t>(rows * P), 0);
    for (auto* x : {&p, &ds, &dbias}) x->assign(static_cast<size_t>(rows * kBlock), 0);
    bias = noise(rows * kBlock, 10);
    mass = noise(kBlock, 13);
    std::vector<int32_t> visible, hidden;
    for (int64_t i = 0; i < rows; ++i) {
      visible.push_back(static_cast<int32_t>(i * 7 % (count + 1)));
      hidden.push_back(extended ? visible.back() * 2 / 3 : 0);
    }
    const float softcap = extended ? 2.5f : 0.0f;
    const float* biases = extended ? bias.data() : nullptr;
    for (const float scale : {0.3f, 1.1f})
      kernels.forward({rows,
                       D,
                       P,
                       P,
                       count,
                       {scale, softcap},
                       q.data(),
                       kt.data(),
                       v.data(),
                       visible.data(),
                       hidden.data(),
                       biases,
                       m.data(),
                       l.data(),
                       o.data()});
    few(kernels, D, count, rows, element, visible, hidden, {0.7f, softcap}, biases);
    kernels.merge(0.25f, q.data(), dout.data(), P, m.data() + 1, l.data() + kLanes, o.data() + P);
    kernels.backward({rows,
                      D,
                      D,
                      P,
                      P,
                      count,
                      {0.3f, softcap},
                      q.data(),
                      dout.data(),
                      v.data(),
                      kt.data(),
                      vt.data(),
                      visible.data(),
                      hidden.data(),
                      biases,
                      dbias.data(),
                      lse.data(),
                      delta.data(),
                      p.data(),
                      ds.data(),
                      dq.data(),
                      dk.data(),
                      dv.data()});
    kernels.add_mass({rows,
                      D,
                      P,
                      count,
                      {0.3f, softcap},
                      q.data(),
                      kt.data(),
                      visible.data(),
                      lse.data(),
                      p.data(),
                      mass.data()});
  }
  // Groups of cells, read directly and packed.
  void few(const FloatKernels& kernels, int64_t D, int64_t count, int64_t rows, Element element,
           const std::vector<int32_t>& visible, const std::vector<int32_t>& hidden,
           const Scoring& scoring, const float* biases) {
    const int64_t P = round_up(D, kLanes);
    const DType type = element == Element::f32   ? DType::f32
                       : element == Element::f16 ? DType::f16
                                                 : DType::bf16;
    const Tensor keys = random_tensor({kBlock * (D + 3)}, type, 11, 2);
    const int64_t key_stride = row_bytes(type, kLanes * (D + 3));
    const Tensor values = random_tensor({kBlock * (P + 3)}, type, 12, 2);
    groups.assign(static_cast<size_t>(D * kBlock), 0.5f);
    const auto e = static_cast<size_t>(element);
    kernels.pack_groups[e](keys.data(), key_stride, count, D, groups.data());
    kernels.forward_few[e]({{rows, D, P, P, count, scoring, q.data(), nullptr, nullptr,
                             visible.data(), hidden.data(), biases, m.data(), l.data(), o.data()},
                            keys.data(),
                            values.data(),
                            0,
                            0,
                            key_stride,
                            P + 3});
  }
  std::vector<float> groups;

  [[nodiscard]] std::vector<float> all() const {
    std::vector<float> result;
    for (const auto* x : {&groups, &v, &m, &l, &o, &dq, &dk, &dv, &dbias, &mass})
      result.insert(result.end(), x->begin(), x->end());
    return result;
  }
};

TEST(AttentionKernels, GiveTheBitsOfTheScalarOnes) {
  for (const auto& entry : float_table()) {
    const auto need = static_cast<uint32_t>(entry.isa);
    if ((need & allowed_isas()) != need) {
      std::printf("skipped: %s\n", std::string(isa_name(entry.isa)).c_str());
      continue;
    }
    for (const int64_t D : {1, 7, 16, 37, 64})
      for (const int64_t count : {1, 15, 40, 64})
        for (const Element e : {Element::f32, Element::f16, Element::bf16}) {
          for (const bool extended : {false, true}) {
            const auto want = Blocks(*float_table()[0].function, D, count, 11, e, extended).all();
            const auto got = Blocks(*entry.function, D, count, 11, e, extended).all();
            ASSERT_EQ(std::memcmp(want.data(), got.data(), want.size() * sizeof(float)), 0)
                << isa_name(entry.isa) << " D " << D << " count " << count;
          }
        }
  }
}

}  // namespace
}  // namespace bantam::cpu::attention
