// What attention_mass adds up, against attention in double precision and against itself.
#include <gtest/gtest.h>

#include "cpu/attention/reference.h"

namespace bantam::cpu::attention {
namespace {

const Extents kExtents{4, 2, 64, 2, 320};

// Two texts of this many tokens, with cells in order and with groups of keys in pages.
Case texts(int32_t length, DType cache) {
  std::vector<int32_t> sequences, positions;
  for (int32_t s = 0; s < 2; ++s)
    for (int32_t at = 0; at < length; ++at) {
      sequences.push_back(s);
      positions.push_back(at);
    }
  return {kExtents, sequences, positions, DType::f32, cache};
}
Case paged(Case c) {
  return c.with_key_groups().with_pages([](int64_t, int64_t) { return true; });
}

Tensor new_masses() {
  Tensor mass = Tensor::zeros(DType::f32, {kExtents.S, kExtents.K, kExtents.C});
  std::fill_n(mass.as<float>(), mass.shape().elements(), 1e9f);  // of a text before
  return mass;
}

void add_masses(Case& c, const Tensor& mass, ThreadPool& pool) {
  c.forward(pool);
  const TensorView inputs[] = {mass.view(),        c.q.view(),         c.k.view(),    c.lse.view(),
                               c.sequences.view(), c.positions.view(), c.pages.view()};
  const TensorView outputs[] = {mass.view()};
  run("attention_mass", c.attributes, inputs, outputs, pool);
}

// exp(scores - lse) of all rows in double precision.
std::vector<double> expected_masses(const Case& c) {
  const Reference r(c);
  const std::vector<double> q = doubles(c.q), k = doubles(c.k);
  const Extents& e = c.e;
  std::vector<double> mass(static_cast<size_t>(e.S * e.K * e.C));
  for (int64_t n = 0; n < c.rows(); ++n)
    for (int64_t h = 0; h < e.H; ++h)
      for (int64_t j = 0; j < c.visible(n); ++j) {
        const int64_t s = c.sequences.as<int32_t>()[n], kv = h / (e.H / e.K);
        double x = 0;
        for (int64_t d = 0; d < e.D; ++d)
          x += q[static_cast<size_t>((n * e.H + h) * e.D + d)] *
               k[static_cast<size_t>(((s * e.C + j) * e.K + kv) * e.D + d)];
        x *= c.attributes.real("scale");
        if (const double cap = c.attributes.real("softcap", 0); cap > 0)
          x = cap * std::tanh(x / cap);
        mass[static_cast<size_t>((s * e.K + kv) * e.C + j)] +=
            std::exp(x - r.lse[static_cast<size_t>(n * e.H + h)]);
      }
  return mass;
}

TEST(AttentionMass, IsTheSumOfTheProbabilitiesOfAllRows) {
  ThreadPool pool(2);
  for (const double cap : {0.0, 5.0}) {
    const Case plain = texts(150, DType::f32).with_softcap(cap);
    Case pages = paged(plain);
    const Tensor mass = new_masses();
    add_masses(pages, mass, pool);
    const std::vector<double> expected = expected_masses(plain);
    for (int64_t i = 0; i < mass.shape().elements(); ++i) {
      if (i % kExtents.C >= 150) {
        EXPECT_EQ(mass.as<float>()[i], 1e9f) << i;  // nobody has been there
        continue;
      }
      EXPECT_NEAR(mass.as<float>()[i], expected[static_cast<size_t>(i)], 2e-5) << i;
    }
  }
}

TEST(AttentionMass, HasTheSameBitsForEverySplitAndThreadCount) {
  for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0}) {
    Case whole = paged(texts(200, type));
    ThreadPool one(1), three(3);
    const Tensor expected = new_masses();
    add_masses(whole, expected, one);
    for (const int64_t piece : {400, 70, 1}) {
      const Tensor mass = new_masses();
      for (int64_t first = 0; first < 400; first += piece) {
        Case part = whole.slice(first, std::min<int64_t>(400, first + piece));
        add_masses(part, mass, three);
      }
      EXPECT_EQ(std::memcmp(mass.data(), expected.data(), static_cast<size_t>(mass.bytes())), 0)
          << piece;
    }
  }
}

}  // namespace
}  // namespace bantam::cpu::attention
