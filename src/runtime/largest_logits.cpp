#include "runtime/largest_logits.h"

#include <algorithm>
#include <cmath>

namespace bantam {
namespace {

constexpr size_t kBlock = 64, kLanes = 16;

// Of NaN and -infinity: -infinity. In lanes, which compilers make vectors of.
float block_maximum(const float* x) {
  float most[kLanes];
  std::fill_n(most, kLanes, -INFINITY);
  for (size_t i = 0; i < kBlock; i += kLanes) {
    for (size_t j = 0; j < kLanes; ++j) most[j] = x[i + j] > most[j] ? x[i + j] : most[j];
  }
  float all = -INFINITY;
  for (const float m : most) all = m > all ? m : all;
  return all;
}

class Selection {
 public:
  Selection(size_t n, std::vector<TokenLogit>& found) : n_(n), found_(found) {
    found_.clear();
    found_.reserve(n_ + std::max(n_, kBlock));
  }

  void look_at(std::span<const float> logits, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      if (!(logits[i] > threshold_)) continue;  // later ids lose ties
      found_.push_back({static_cast<int32_t>(i), logits[i]});
      if (found_.size() == found_.capacity()) keep_best();
    }
  }
  [[nodiscard]] float threshold() const { return threshold_; }

  void keep_best() {
    if (found_.size() <= n_) return;
    const auto last = found_.begin() + static_cast<std::ptrdiff_t>(n_ - 1);
    std::nth_element(found_.begin(), last, found_.end(), is_better);
    threshold_ = last->logit;
    found_.resize(n_);
  }

 private:
  size_t n_;
  std::vector<TokenLogit>& found_;
  float threshold_ = -INFINITY;
};

}  // namespace

void find_largest(std::span<const float> logits, size_t n, std::vector<TokenLogit>& found) {
  n = std::min(n, logits.size());
  Selection selection(n, found);
  if (n == 0) return;
  size_t i = 0;
  for (; i + kBlock <= logits.size(); i += kBlock) {
    if (!(block_maximum(logits.data() + i) > selection.threshold())) continue;
    selection.look_at(logits, i, i + kBlock);
    // Of few, each new one raises the threshold.
    if (n < kBlock) selection.keep_best();
  }
  selection.look_at(logits, i, logits.size());
  selection.keep_best();
  std::sort(found.begin(), found.end(), is_better);
}

}  // namespace bantam
