#include "base/random.h"

#include <cmath>
#include <numbers>

namespace bantam {

namespace {
constexpr uint64_t kMultiplier = 6364136223846793005u;
}

Random::Random(uint64_t seed, uint64_t stream) : state_(0), increment_((stream << 1) | 1u) {
  next();
  state_ += seed;
  next();
}

uint32_t Random::next() {
  const uint64_t old = state_;
  state_ = old * kMultiplier + increment_;
  const auto shifted = static_cast<uint32_t>(((old >> 18) ^ old) >> 27);
  const auto rotation = static_cast<uint32_t>(old >> 59);
  return (shifted >> rotation) | (shifted << ((32 - rotation) & 31));
}

// Lemire 2019: the high half of a product, rejecting the few products that would make some results
// likelier.
uint32_t Random::below(uint32_t n) {
  uint64_t product = uint64_t{next()} * n;
  if (static_cast<uint32_t>(product) < n) {
    const uint32_t threshold = (0u - n) % n;
    while (static_cast<uint32_t>(product) < threshold) product = uint64_t{next()} * n;
  }
  return static_cast<uint32_t>(product >> 32);
}

float Random::uniform() {
  return static_cast<float>(next() >> 8) * 0x1p-24f;
}

float Random::normal() {
  // 1 - uniform lies in (0, 1], so the logarithm is finite.
  const double radius = std::sqrt(-2.0 * std::log(1.0 - static_cast<double>(uniform())));
  const double angle = 2.0 * std::numbers::pi * static_cast<double>(uniform());
  return static_cast<float>(radius * std::cos(angle));
}

}  // namespace bantam
