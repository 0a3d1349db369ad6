// PlainOps: fused ops run as their parts, with the same results and gradients.
#include "engine/ops/plain.h"

#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata {
namespace {

Tensor random(const Dims& shape, uint64_t seed) {
  Generator generator(seed);
  return randn(shape, 0, 1, DType::f64, &generator).set_requires_grad();
}

// Runs f fused and plain: the values and gradients agree, and the plain tape has these ops.
void same_in_parts(const std::function<Tensor()>& f, const std::vector<Tensor>& inputs,
                   const std::vector<std::string>& expected) {
  Tensor fused = f();
  std::vector<std::string> ops;
  Tensor plain;
  {
    PlainOps parts;
    OpObserver observer([&](const OpEvent& e) {
      if (e.out.requires_grad()) ops.push_back(e.op);
    });
    plain = f();
  }
  EXPECT_FALSE(PlainOps::active());
  EXPECT_LT(max(abs(fused - plain)).item(), 1e-12);
  for (auto& op : expected) {
    EXPECT_TRUE(std::find(ops.begin(), ops.end(), op) != ops.end())
        << op << " is not among " << fmt::format("{}", fmt::join(ops, " "));
  }
  Generator generator(9);
  Tensor weights = randn(fused.shape(), 0, 1, DType::f64, &generator);
  auto a = grad(std::vector<Tensor>{sum(fused * weights)}, inputs);
  auto b = grad(std::vector<Tensor>{sum(plain * weights)}, inputs);
  for (size_t i = 0; i < inputs.size(); ++i) EXPECT_LT(max(abs(a[i] - b[i])).item(), 1e-10);
}

TEST(PlainOps, ConvolutionWithResidualAndRelu) {
  Tensor x = random({2, 5, 5, 3}, 1), weight = random({4, 3, 3, 3}, 2), bias = random({4}, 3),
         residual = random({2, 5, 5, 4}, 4);
  same_in_parts([&] { return conv2d(x, weight, bias, {.padding = 1, .relu = true}, residual); },
                {x, weight, bias, residual}, {"conv2d", "add", "relu"});
}

TEST(PlainOps, BatchNormWithResidualAndReluInBothModes) {
  Tensor x = random({6, 3}, 5), scale = random({3}, 6), shift = random({3}, 7),
         residual = random({6, 3}, 8);
  Tensor mean = zeros({3}), var = ones({3});
  for (bool training : {false, true}) {
    BatchNormOptions options;
    options.training = training;
    options.relu = true;
    same_in_parts(
        [&] { return batch_norm(x, scale, shift, mean.clone(), var.clone(), options, residual); },
        {x, scale, shift, residual}, {"batch_norm", "add", "relu"});
  }
}

TEST(PlainOps, Attention) {
  Tensor q = random({2, 4, 4, 3}, 9), k = random({2, 5, 2, 3}, 10), v = random({2, 5, 2, 3}, 11);
  same_in_parts([&] { return scaled_dot_product_attention(q, k, v, {.causal = true}); }, {q, k, v},
                {"matmul", "softmax"});
}

// The gradient of one node, with its own weights and with others.
TEST(Vjp, OfOneNodeTakesOtherWeights) {
  Tensor x = random({2, 3}, 12), weight = random({4, 3}, 13), other = random({4, 3}, 14).detach();
  Tensor y = linear(x, weight), g = random({2, 4}, 15).detach();
  auto own = vjp(y.node(), g);
  ASSERT_EQ(own.size(), 3u);
  EXPECT_LT(max(abs(own[0] - matmul(g, weight.detach()))).item(), 1e-12);
  EXPECT_FALSE(own[2].defined());
  auto changed = vjp(y.node(), g, {Tensor(), other});
  EXPECT_LT(max(abs(changed[0] - matmul(g, other))).item(), 1e-12);
  // The graph is as it was.
  EXPECT_LT(max(abs(grad(sum(y * g), x) - matmul(g, weight.detach()))).item(), 1e-12);
}

// A gradient of broadcast shape comes back in the input's.
TEST(Vjp, FitsTheInputs) {
  Tensor a = random({3, 2}, 16), b = random({2}, 17);
  auto gradients = vjp((a + b).node(), ones({3, 2}, DType::f64));
  EXPECT_EQ(gradients[0].shape(), (Dims{3, 2}));
  EXPECT_EQ(gradients[1].shape(), (Dims{2}));
  EXPECT_EQ(gradients[1].to_vector<double>(), (std::vector<double>{3, 3}));
}

}  // namespace
}  // namespace strata
