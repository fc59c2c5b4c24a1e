#pragma once

#include <span>
#include <vector>

#include "graph/graph.h"

namespace bantam {

// Adds to `g` the gradient of the scalar `loss` (shape [1]) with respect to each value of `wrt`
// (reverse-mode differentiation) and returns it, undefined where loss does not depend on the value.
// Ops without a gradient rule are replaced by their fallback first. Throws ErrorKind::model when a
// needed op is not differentiable.
std::vector<Value> gradient(Graph& g, Value loss, std::span<const Value> wrt);

}  // namespace bantam
