#include "runtime/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.h"

namespace bantam {
namespace {

// Rounded, so that many are equal.
std::vector<float> some_logits(size_t n, uint64_t seed) {
  Random random(seed);
  std::vector<float> x(n);
  for (float& v : x) v = std::round(random.normal() * 40) / 16;
  return x;
}

std::vector<TokenLogit> sorted(std::span<const float> logits) {
  std::vector<TokenLogit> all;
  for (size_t i = 0; i < logits.size(); ++i) {
    if (logits[i] > -INFINITY) all.push_back({static_cast<int32_t>(i), logits[i]});
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const auto& a, const auto& b) { return a.logit > b.logit; });
  return all;
}

TEST(LargestLogits, AreThoseThatSortingGives) {
  std::vector<TokenLogit> found;
  for (const size_t size : {1u, 5u, 63u, 64u, 65u, 1000u, 50257u}) {
    const std::vector<float> x = some_logits(size, size);
    const std::vector<TokenLogit> expected = sorted(x);
    for (const size_t n : {0u, 1u, 2u, 40u, 64u, 104u, 999u, 60000u}) {
      find_largest(x, n, found);
      ASSERT_EQ(found.size(), std::min(n, size)) << n << " of " << size;
      for (size_t i = 0; i < found.size(); ++i) {
        ASSERT_EQ(found[i].token, expected[i].token) << i << " of " << n << " of " << size;
        ASSERT_EQ(found[i].logit, expected[i].logit);
      }
    }
  }
}

TEST(LargestLogits, SkipWhatIsNoNumberAboveMinusInfinity) {
  std::vector<float> x(1000, -INFINITY);
  for (size_t i = 0; i < x.size(); i += 3) x[i] = NAN;
  x[130] = 2;
  x[701] = INFINITY;
  std::vector<TokenLogit> found;
  find_largest(x, 5, found);
  ASSERT_EQ(found.size(), 2);
  EXPECT_EQ(found[0].token, 701);
  EXPECT_EQ(found[1].token, 130);
}

// What the options mean, by sorting everything: whether `token` is the one that `random` draws, but
// for the rounding of sums.
bool is_drawn(int32_t token, std::vector<float> x, std::span<const int32_t> recent,
              const SamplerOptions& o, Random& random) {
  constexpr double kRounding = 1e-5;
  const auto window = std::min(recent.size(), static_cast<size_t>(o.repetition_window));
  std::vector<bool> seen(x.size());
  for (const int32_t t : recent.last(window)) seen[static_cast<size_t>(t)] = true;
  for (size_t i = 0; i < x.size(); ++i) {
    if (seen[i]) x[i] = x[i] > 0 ? x[i] / o.repetition_penalty : x[i] * o.repetition_penalty;
  }
  std::vector<TokenLogit> best = sorted(x);
  if (o.temperature == 0) return token == best[0].token;
  if (o.top_k > 0) best.resize(std::min(best.size(), static_cast<size_t>(o.top_k)));
  std::vector<double> p;
  double sum = 0, kept = 0;
  for (const auto& t : best) {
    p.push_back(std::exp((double{t.logit} - double{best[0].logit}) / double{o.temperature}));
    sum += p.back();
  }
  size_t n = 0;
  for (; n < p.size() && kept < double{o.top_p} - 1e-9; ++n) kept += p[n] / sum;
  while (n > 1 && p[n - 1] < double{o.min_p} * p[0]) kept -= p[--n] / sum;
  const double drawn = double{random.uniform()} * kept;
  double begin = 0;
  for (size_t i = 0; i < n; ++i) {
    const double end = begin + p[i] / sum;
    if (best[i].token == token) return begin - kRounding <= drawn && drawn < end + kRounding;
    begin = end;
  }
  return false;
}

TEST(Sampler, ChoosesWhatItsOptionsMean) {
  const std::vector<int32_t> recent = {7, 11, 300, 7, 5, 12, 13, 14};
  for (const size_t size : {20u, 1000u, 5011u})
    for (const float temperature : {0.0f, 0.6f, 1.5f})
      for (const int32_t top_k : {0, 1, 40, 70})
        for (const float top_p : {1.0f, 0.9f})
          for (const float min_p : {0.0f, 0.05f})
            for (const float penalty : {1.0f, 1.3f, 0.7f}) {
              SamplerOptions o;
              o.temperature = temperature;
              o.top_k = top_k;
              o.top_p = top_p;
              o.min_p = min_p;
              o.repetition_penalty = penalty;
              o.repetition_window = 6;
              o.seed = size + static_cast<uint64_t>(top_k);
              TokenSampler sampler(o);
              Random random(o.seed);
              for (uint64_t i = 0; i < 12; ++i) {
                std::vector<float> x = some_logits(size, i);
                if (size > 300) x[300] = 7;  // seen, and among the best
                std::vector<int32_t> tokens = recent;
                if (size <= 300) std::erase(tokens, 300);
                ASSERT_TRUE(is_drawn(sampler.sample(x, tokens), x, tokens, o, random))
                    << size << " " << temperature << " " << top_k << " " << top_p << " " << min_p
                    << " " << penalty << " draw " << i;
              }
            }
}

TEST(Sampler, LogitsThatAreNoNumbersAreNeverChosen) {
  for (const int32_t top_k : {0, 3}) {
    SamplerOptions o;
    o.top_k = top_k;
    o.top_p = 1;
    TokenSampler sampler(o);
    std::vector<float> x(500, -INFINITY);
    x[3] = NAN;
    EXPECT_EQ(sampler.sample(std::vector<float>{NAN, NAN}, {}), 0);
    x[400] = -3;
    for (int i = 0; i < 50; ++i) EXPECT_EQ(sampler.sample(x, {}), 400);
    x[77] = INFINITY;
    EXPECT_EQ(sampler.sample(x, {}), 77);
  }
}

TEST(Sampler, ATinyTemperatureIsGreedy) {
  SamplerOptions o;
  o.temperature = 1e-38f;
  TokenSampler sampler(o);
  EXPECT_EQ(sampler.sample(std::vector<float>{1, 3, 2}, {}), 1);
}

TEST(Sampler, RefusesOptionsOutOfRange) {
  SamplerOptions o;
  o.top_p = 0;
  EXPECT_THROW(TokenSampler{o}, Error);
}

}  // namespace
}  // namespace bantam
