#include "graph/op.h"

// Where values come from: given at each run, fixed, or outliving a run. `constant` is a scalar that
// is part of the graph itself.

namespace bantam {

extern const Op op_input, op_weight, op_state, op_constant;
const Op op_input{.name = "input", .leaf = true};
const Op op_weight{.name = "weight", .leaf = true};
const Op op_state{.name = "state", .leaf = true};
const Op op_constant{.name = "constant", .leaf = true, .onnx = "Constant"};

}  // namespace bantam
