#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace bantam {

struct TokenLogit {
  int32_t token;
  float logit;
};

// The order of candidates: the larger logit first, of equal ones the lower id, so that no sorting
// algorithm decides.
inline bool is_better(const TokenLogit& a, const TokenLogit& b) {
  return a.logit > b.logit || (a.logit == b.logit && a.token < b.token);
}

// The n largest of `logits`, best first; fewer if fewer are above -infinity (NaN is not). One pass
// that looks closer only at blocks in which something exceeds what was found before.
void find_largest(std::span<const float> logits, size_t n, std::vector<TokenLogit>& found);

}  // namespace bantam
