#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>

#include "base/random.h"
#include "base/thread_pool.h"
#include "cpu/backend.h"
#include "graph/op.h"
#include "graph/ops.h"
#include "graph/passes.h"
#include "graph/plan.h"
#include "tensor/layout.h"
#include "tensor/random_blocks.h"

// Steps that were fused give the bits of those that they stand for.

namespace bantam {
namespace {

struct Leaves {
  Value a, b, weight, bias;
};

struct Form {
  std::string name, op;  // the op that is left, with the quantisation in it
  size_t steps;          // of the fused graph
  std::function<void(Graph&, const Leaves&)> build;
};

std::vector<Form> forms() {
  return {
      {"a sum, its norm in 8 bits", "add_rms_norm", 2,
       [](Graph& g, const Leaves& l) {
         const Value sum = ops::add(g, l.a, l.b);
         g.output("q", ops::quantize(g, ops::rms_norm(g, sum, l.weight, 1e-5)));
         g.output("rest", ops::scale(g, sum, 2));
       }},
      {"a sum and its norm", "add_rms_norm", 1,
       [](Graph& g, const Leaves& l) {
         const Value sum = ops::add(g, l.a, l.b);
         g.output("q", sum);
         g.output("rest", ops::rms_norm(g, sum, l.weight, 1e-5));
       }},
      {"a norm in 8 bits", "rms_norm", 1,
       [](Graph& g, const Leaves& l) {
         g.output("q", ops::quantize(g, ops::rms_norm(g, l.a, l.weight, 1e-5)));
       }},
      {"a layer norm in 8 bits", "layer_norm", 1,
       [](Graph& g, const Leaves& l) {
         g.output("q", ops::quantize(g, ops::layer_norm(g, l.a, l.weight, l.bias, 1e-5)));
       }},
      {"a gated unit in 8 bits", "swiglu", 1,
       [](Graph& g, const Leaves& l) {
         g.output("q", ops::quantize(g, ops::swiglu(g, l.a, l.b)));
       }},
      {"a norm that is read twice", "quantize", 2,
       [](Graph& g, const Leaves& l) {
         const Value norm = ops::rms_norm(g, l.a, l.weight, 1e-5);
         g.output("q", ops::quantize(g, norm));
         g.output("rest", norm);
       }},
  };
}

Tensor random_values(const Shape& shape, uint64_t stream) {
  Random random(5, stream);
  const Tensor t = Tensor::zeros(DType::f32, shape);
  for (int64_t i = 0; i < t.shape().elements(); ++i)
    t.as<float>()[i] = static_cast<float>(random.normal());
  return t;
}

Tensor random_matrix(DType type, bool interleaved, int64_t N, int64_t K, uint64_t stream) {
  const Tensor w = random_blocks(type, {N, K}, stream, 0.01f);
  ThreadPool pool(1);
  return interleaved ? interleave(w, pool) : w;
}

std::vector<std::vector<std::byte>> results(const Graph& g, int threads,
                                            const std::map<std::string, Tensor>& leaves) {
  ThreadPool pool(threads, true);
  Executor executor(std::make_shared<Plan>(g, cpu_backend(), std::vector<int64_t>{}, pool.size()),
                    pool);
  for (const auto& [name, tensor] : leaves) {
    if (executor.has_leaf(name)) executor.bind(name, tensor.view());
  }
  executor.run();
  std::vector<std::vector<std::byte>> all;
  for (const Graph::Output& o : g.outputs()) {
    const TensorView v = executor.output(o.name);
    const auto* bytes = static_cast<const std::byte*>(v.data);
    all.emplace_back(bytes, bytes + v.bytes());
  }
  return all;
}

TEST(FusedSteps, GiveTheBitsOfTheStepsThatTheyStandFor) {
  for (const Form& form : forms()) {
    for (const int64_t rows : {1, 3, 70}) {
      for (const int64_t C : {32, 96, 1056}) {
        SCOPED_TRACE(fmt::format("{}, {} rows of {}", form.name, rows, C));
        Graph g;
        const Type matrix{DType::f32, {rows, C}}, row{DType::f32, {C}};
        form.build(g, {g.weight("a", matrix), g.weight("b", matrix), g.weight("weight", row),
                       g.weight("bias", row)});
        g = eliminate_dead_code(g);
        const Graph fused = eliminate_dead_code(fuse_steps(g));
        size_t steps = 0;
        bool found = false;
        for (int32_t i = 0; i < fused.size(); ++i) {
          steps += fused.node(i).op->leaf ? 0 : 1;
          found = found || fused.node(i).op->name == form.op;
        }
        EXPECT_EQ(steps, form.steps) << fused.dump();
        EXPECT_TRUE(found) << fused.dump();
        const std::map<std::string, Tensor> leaves = {{"a", random_values({rows, C}, 1)},
                                                      {"b", random_values({rows, C}, 2)},
                                                      {"weight", random_values({C}, 3)},
                                                      {"bias", random_values({C}, 4)}};
        const auto expected = results(g, 1, leaves);
        EXPECT_EQ(results(fused, 1, leaves), expected);
        EXPECT_EQ(results(fused, 3, leaves), expected);
      }
    }
  }
}

struct GatedUnitCase {
  DType gate, up;
  bool gelu, interleaved;
};

// The feed-forward block as inference has it before steps are fused.
Graph gated_unit(const GatedUnitCase& c, int64_t rows, int64_t K, int64_t N) {
  Graph g;
  const Value x = g.weight("x", {DType::q8a, {rows, K}});
  const Value weights[] = {g.weight("gate", {c.gate, {N, K}}), g.weight("up", {c.up, {N, K}})};
  const auto both = ops::linear_group(g, x, weights);
  const Value unit =
      c.gelu ? ops::mul(g, both[1], ops::gelu(g, both[0])) : ops::swiglu(g, both[0], both[1]);
  g.output("q", ops::quantize(g, unit));
  return c.interleaved ? interleave_weights(g) : g;
}

TEST(FusedSteps, GatedUnitsGiveTheBitsOfTheirProductsAndWhatIsMadeOfThem) {
  constexpr int64_t K = 256;
  for (const GatedUnitCase& c : {GatedUnitCase{DType::q4_0, DType::q4_0, false, true},
                                 GatedUnitCase{DType::q4_0, DType::q4_0, false, false},
                                 GatedUnitCase{DType::q4_k, DType::q6_k, false, true},
                                 GatedUnitCase{DType::q8_0, DType::q8_0, true, true},
                                 GatedUnitCase{DType::iq2_xs, DType::q5_k, true, false}}) {
    for (const int64_t rows : {1, 3, 40, 150}) {
      for (const int64_t N : {32, 96, 1056}) {
        SCOPED_TRACE(fmt::format("{} and {}, {} rows, {} columns", dtype_info(c.gate).name,
                                 dtype_info(c.up).name, rows, N));
        const Graph g = gated_unit(c, rows, K, N), fused = eliminate_dead_code(fuse_steps(g));
        ASSERT_EQ(fused.size(), 4) << fused.dump();
        EXPECT_EQ(fused.node(fused.outputs()[0].value.node).op->name, "gated_linear");
        const std::map<std::string, Tensor> leaves = {
            {"x", random_values({rows, K}, 3).to(DType::q8a)},
            {"gate", random_matrix(c.gate, c.interleaved, N, K, 1)},
            {"up", random_matrix(c.up, c.interleaved, N, K, 2)}};
        const auto expected = results(g, 1, leaves);
        EXPECT_EQ(results(fused, 1, leaves), expected);
        EXPECT_EQ(results(fused, 3, leaves), expected);
        EXPECT_EQ(
            results(expand_fallbacks(fused, [](const Op& op) { return op.name == "gated_linear"; }),
                    1, leaves),
            expected);
      }
    }
  }
}

// What someone else reads has to be there.
TEST(FusedSteps, GatedUnitsStayApartWhereAProductIsReadTwice) {
  Graph g = gated_unit({DType::q4_0, DType::q4_0, false, false}, 3, 64, 64);
  for (int32_t i = 0; i < g.size(); ++i) {
    if (g.node(i).op->name == "linear_group") g.output("gate", {i, 0});
  }
  const Graph fused = fuse_steps(g);
  for (int32_t i = 0; i < fused.size(); ++i) EXPECT_NE(fused.node(i).op->name, "gated_linear");
}

}  // namespace
}  // namespace bantam
