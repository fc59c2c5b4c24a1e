#pragma once

#include <cstdint>

namespace bantam {

// PCG32 (O'Neill 2014): small state that can be stored in a checkpoint, the same numbers
// everywhere.
class Random {
 public:
  explicit Random(uint64_t seed = 0, uint64_t stream = 0);
  uint32_t next();             // uniform in [0, 2^32)
  uint32_t below(uint32_t n);  // uniform in [0, n), unbiased; n > 0
  float uniform();             // uniform in [0, 1), 24 bits
  float normal();              // standard normal (Box-Muller, one of the pair)

  struct State {
    uint64_t state, increment;
  };
  [[nodiscard]] State state() const { return {state_, increment_}; }
  void restore(State s) {
    state_ = s.state;
    increment_ = s.increment;
  }

 private:
  uint64_t state_, increment_;
};

}  // namespace bantam
