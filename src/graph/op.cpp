#include "graph/op.h"

#include "base/error.h"

namespace bantam {

#define BANTAM_OP(name) extern const Op op_##name;
#include "graph/ops/ops.inc"
#undef BANTAM_OP

std::span<const Op* const> all_ops() {
  static constexpr const Op* kOps[] = {
#define BANTAM_OP(name) &op_##name,
#include "graph/ops/ops.inc"
#undef BANTAM_OP
  };
  return kOps;
}

const Op* find_op(std::string_view name) {
  for (const Op* op : all_ops()) {
    if (op->name == name) return op;
  }
  return nullptr;
}

void InferContext::check(bool condition, std::string_view expected) const {
  if (condition) return;
  std::string got;
  for (size_t i = 0; i < inputs.size(); ++i)
    got += fmt::format("{}{}", i > 0 ? ", " : "", type(i).str());
  fail(ErrorKind::model, op.name, "expected {}, got ({})", expected, got);
}

void InferContext::check_arity(size_t least, size_t most) const {
  check(inputs.size() >= least && inputs.size() <= most,
        least == most ? fmt::format("{} inputs", least)
                      : fmt::format("{} to {} inputs", least, most));
}

Type InferContext::requested(const Type& t) const {
  const auto out = static_cast<DType>(attributes.integer("out", static_cast<int64_t>(t.dtype)));
  const Extent columns = t.shape[-1];
  check(out != DType::q8a ||
            (columns.symbol < 0 && columns.factor % dtype_info(DType::q8a).block_length == 0),
        "rows of a multiple of 32 elements");
  return {out, t.shape};
}

}  // namespace bantam
