#pragma once

#include <algorithm>
#include <cstdint>

namespace bantam {

// Whether to screen the output head for the next token. Where many rows come near the best, nearly
// all of the head is computed and its coarse copy is read besides; then the whole head is taken
// for the next token, and for twice as many each time that the next try is no better. The text does
// not depend on it.
class ScreenUse {
 public:
  // `best`: so many of the largest logits decide (0: all).
  explicit ScreenUse(int32_t best) : best_(best) {}

  // How many of the largest logits to ask for.
  int32_t next() {
    if (pause_ == 0) return best_;
    --pause_;
    return 0;
  }
  // The share of the rows that were computed when `next` gave `asked`.
  void saw(int32_t asked, double share) {
    if (asked == 0) return;
    if (share < kPays) {
      length_ = kShortest;
    } else {
      pause_ = length_;
      length_ = std::min(2 * length_, kLongest);
    }
  }

 private:
  // The coarse copy has half the bytes of a head in Q8_0 and takes a third of the time of one in
  // Q6_K.
  static constexpr double kPays = 0.4;
  static constexpr int32_t kShortest = 1, kLongest = 1024;
  int32_t best_, pause_ = 0, length_ = kShortest;
};

}  // namespace bantam
