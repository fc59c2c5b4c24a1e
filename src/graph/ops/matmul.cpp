#include "graph/op.h"
#include "graph/ops.h"

// General matrix products; `linear.cpp` holds the projections of a network.

namespace bantam {
namespace {

bool transposed(const Attributes& a, std::string_view which) {
  return a.integer(which, 0) != 0;
}

std::vector<Type> infer_matmul(const InferContext& c) {
  c.check_arity(2);
  const DType t = c.type(0).dtype;
  c.check((t == DType::f32 || t == DType::bf16) && c.type(1).dtype == t, "both f32 or both bf16");
  c.check(c.shape(0).rank() >= 2 && c.shape(1).rank() >= 2, "matrices");
  const bool ta = transposed(c.attributes, "ta"), tb = transposed(c.attributes, "tb");
  const Extent a_rows = c.shape(0).rows(), b_rows = c.shape(1).rows();
  const Extent k = ta ? a_rows : c.shape(0)[-1];
  c.check(k == (tb ? c.shape(1)[-1] : b_rows), "the same inner extent");
  const auto out = static_cast<DType>(c.attributes.integer("out"));
  c.check(out == DType::f32 || (out == DType::bf16 && t == DType::bf16), "an f32 result");
  SymShape shape;
  if (ta) {
    shape.push_back(c.shape(0)[-1]);
  } else {
    for (int i = 0; i + 1 < c.shape(0).rank(); ++i) shape.push_back(c.shape(0)[i]);
  }
  shape.push_back(tb ? b_rows : c.shape(1)[-1]);
  return {{out, shape}};
}

std::vector<Value> gradient_matmul(const GradientContext& c) {
  Graph& g = c.graph;
  const Value a = c.input(0), b = c.input(1);
  const DType t = g.dtype(a);
  const Value dc = ops::cast(g, c.output_gradients[0], t);
  const bool ta = transposed(c.attributes(), "ta"), tb = transposed(c.attributes(), "tb");
  Value da, db;
  if (c.wanted[0]) {
    da = ta ? ops::matmul(g, b, dc, tb, true, t)     // K N * (M N)^T -> K M
            : ops::matmul(g, dc, b, false, !tb, t);  // M N * (K N)^T -> M K
    da = ops::reshape(g, da, g.shape(a));
  }
  if (c.wanted[1]) {
    db = tb ? ops::matmul(g, dc, a, true, ta, t)     // (M N)^T * M K -> N K
            : ops::matmul(g, a, dc, !ta, false, t);  // (M K)^T * M N -> K N
    db = ops::reshape(g, db, g.shape(b));
  }
  return {da, db};
}

std::vector<Type> infer_batch_matmul(const InferContext& c) {
  c.check_arity(2);
  const SymShape &a = c.shape(0), &b = c.shape(1);
  c.check(c.type(0).dtype == DType::f32 && c.type(1).dtype == DType::f32, "f32");
  c.check(a.rank() == 3 && b.rank() == 3, "[batch, rows, columns]");
  c.check(a[0].symbol < 0 && b[0].symbol < 0 && b[0].factor > 0 && a[0].factor % b[0].factor == 0,
          "a batch that is a multiple of the second's");
  const bool ta = transposed(c.attributes, "ta"), tb = transposed(c.attributes, "tb");
  c.check(a[ta ? 1 : 2] == b[tb ? 2 : 1], "the same inner extent");
  return {{DType::f32, {a[0], a[ta ? 2 : 1], b[tb ? 1 : 2]}}};
}

std::vector<Value> gradient_batch_matmul(const GradientContext& c) {
  Graph& g = c.graph;
  const Value a = c.input(0), b = c.input(1), dc = c.output_gradients[0];
  const bool ta = transposed(c.attributes(), "ta"), tb = transposed(c.attributes(), "tb");
  const int64_t batch = g.shape(a)[0].factor, groups = g.shape(b)[0].factor;
  Value da, db;
  if (c.wanted[0]) {
    // The product is written with dc first, so that b may be shared by a group of batches.
    da = ops::batch_matmul(g, dc, b, false, !tb);  // M N * (K N)^T -> M K
    if (ta) da = ops::transpose(g, da, 1, 2);
  }
  if (c.wanted[1]) {
    db = tb ? ops::batch_matmul(g, dc, a, true, ta)     // (M N)^T * M K -> N K
            : ops::batch_matmul(g, a, dc, !ta, false);  // (M K)^T * M N -> K N
    if (batch != groups) {
      const SymShape s = g.shape(db);
      db = ops::reshape(g, db, {groups, batch / groups, s[1], s[2]});
      db = ops::column_sum(g, ops::transpose(g, db, 0, 1), 3);
    }
  }
  return {da, db};
}

}  // namespace

extern const Op op_matmul, op_batch_matmul;
const Op op_matmul{
    .name = "matmul", .infer = infer_matmul, .gradient = gradient_matmul, .onnx = "MatMul"};
const Op op_batch_matmul{.name = "batch_matmul",
                         .infer = infer_batch_matmul,
                         .gradient = gradient_batch_matmul,
                         .onnx = "MatMul"};

Value ops::matmul(Graph& g, Value a, Value b, bool ta, bool tb, DType out) {
  return g.add(op_matmul, {a, b},
               {{"ta", int64_t{ta}}, {"tb", int64_t{tb}}, {"out", static_cast<int64_t>(out)}});
}

Value ops::batch_matmul(Graph& g, Value a, Value b, bool ta, bool tb) {
  return g.add(op_batch_matmul, {a, b}, {{"ta", int64_t{ta}}, {"tb", int64_t{tb}}});
}

}  // namespace bantam
