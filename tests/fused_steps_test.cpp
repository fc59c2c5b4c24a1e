#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "base/random.h"
#include "base/thread_pool.h"
#include "cpu/backend.h"
#include "graph/op.h"
#include "graph/ops.h"
#include "graph/passes.h"
#include "graph/plan.h"

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

std::vector<std::vector<std::byte>> results(const Graph& g, int threads, int64_t rows, int64_t C) {
  ThreadPool pool(threads, true);
  Executor executor(std::make_shared<Plan>(g, cpu_backend(), std::vector<int64_t>{}, pool.size()),
                    pool);
  std::vector<Tensor> leaves;
  uint64_t stream = 0;
  for (const char* name : {"a", "b", "weight", "bias"}) {
    const bool of_rows = stream < 2;
    Random random(5, ++stream);
    const Tensor t = Tensor::zeros(DType::f32, of_rows ? Shape{rows, C} : Shape{C});
    for (int64_t i = 0; i < t.shape().elements(); ++i)
      t.as<float>()[i] = static_cast<float>(random.normal());
    leaves.push_back(t);
    if (executor.has_leaf(name)) executor.bind(name, t.view());
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
        const auto expected = results(g, 1, rows, C);
        EXPECT_EQ(results(fused, 1, rows, C), expected);
        EXPECT_EQ(results(fused, 3, rows, C), expected);
      }
    }
  }
}

}  // namespace
}  // namespace bantam
