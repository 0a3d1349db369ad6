// DeepLift: contributions sum to the difference of the scores, whatever the nonlinearity.
#include "tools/introspect/attribution/deep_lift.h"

#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "models/language/gpt.h"
#include "models/vision/cifar_resnet.h"
#include "models/vision/convnet.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/attribution/target.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::expect_near;
using strata::test::values;
using strata::test::vector_of;

double largest(const Tensor& t) { return max(abs(t)).item(); }

TEST(DeepLift, OfALinearModelIsWeightTimesDifference) {
  Tensor w = random({3, 4}, 1), b = random({3}, 2), x = random({2, 4}, 3), x0 = random({4}, 4);
  Scores model = [&](const Tensor& v) { return linear(v, w, b); };
  DeepLift r = deep_lift(model, x, x0, {2, 0});
  Tensor expected = (x - x0) * stack({w.select(0, 2), w.select(0, 0)});
  EXPECT_LT(largest_difference(r.input, expected), 1e-14);
  EXPECT_LT(largest(r.delta), 1e-14);
}

// Each op between linear maps, so that its differences matter and are mixed afterwards.
TEST(DeepLift, DeltaIsZeroForEveryNonlinearity) {
  std::vector<std::pair<const char*, std::function<Tensor(const Tensor&)>>> functions = {
      {"relu", [](const Tensor& v) { return relu(v); }},
      {"leaky_relu", [](const Tensor& v) { return leaky_relu(v, 0.1); }},
      {"elu", [](const Tensor& v) { return elu(v); }},
      {"softplus", [](const Tensor& v) { return softplus(v); }},
      {"silu", [](const Tensor& v) { return silu(v); }},
      {"gelu", [](const Tensor& v) { return gelu(v); }},
      {"gelu_tanh", [](const Tensor& v) { return gelu_tanh(v); }},
      {"tanh", [](const Tensor& v) { return tanh(v); }},
      {"sigmoid", [](const Tensor& v) { return sigmoid(v); }},
      {"hard_sigmoid", [](const Tensor& v) { return hard_sigmoid(v); }},
      {"hard_swish", [](const Tensor& v) { return hard_swish(v); }},
      {"exp", [](const Tensor& v) { return exp(v); }},
      {"log", [](const Tensor& v) { return log(square(v) + 1.0); }},
      {"sqrt", [](const Tensor& v) { return sqrt(abs(v)); }},
      {"reciprocal", [](const Tensor& v) { return 1.0 / (square(v) + 1.0); }},
      {"rsqrt", [](const Tensor& v) { return rsqrt(square(v) + 1.0); }},
      {"pow", [](const Tensor& v) { return pow(v, 3.0); }},
      {"clamp", [](const Tensor& v) { return clamp(v, -0.5, 0.7); }},
      {"softmax", [](const Tensor& v) { return softmax(v); }},
      {"softmax, first axis",
       [](const Tensor& v) { return softmax(v.unsqueeze(2), 1).flatten(1); }},
      {"log_softmax", [](const Tensor& v) { return log_softmax(v); }},
      {"logsumexp", [](const Tensor& v) { return v * 0.5 + logsumexp(v, {1}, true); }},
      {"logsumexp over two axes",
       [](const Tensor& v) {
         return v * 0.5 + logsumexp(v.reshape({-1, 2, 4}), {1, 2}).reshape({-1, 1});
       }},
      {"product", [](const Tensor& v) { return v * tanh(v + 1.0); }},
      {"quotient", [](const Tensor& v) { return v / (exp(v) + 1.0); }},
      {"broadcast product", [](const Tensor& v) { return v * sum(v, {1}, true); }},
      {"maximum", [](const Tensor& v) { return maximum(v, tanh(v * 2.0)); }},
      {"maximum with a constant",
       [](const Tensor& v) { return maximum(v, scalar(0.3, DType::f64)); }},
      {"minimum", [](const Tensor& v) { return minimum(v, tanh(v * 2.0)); }},
      {"min", [](const Tensor& v) { return v + min(v, {1}, true); }},
      {"max", [](const Tensor& v) { return v + max(v, {1}, true); }},
      {"max pool",
       [](const Tensor& v) {
         Tensor grid = v.reshape({-1, 4, 2, 1});
         return max_pool2d(grid, {.window = 2, .stride = Pair(1)}).flatten(1);
       }},
      {"max pool over time",
       [](const Tensor& v) { return max_pool1d(v.unsqueeze(2), 3, 1).flatten(1); }},
      {"adaptive max pool",
       [](const Tensor& v) {
         return adaptive_max_pool2d(v.reshape({-1, 4, 2, 1}), 3, 1).flatten(1);
       }},
      {"layer_norm", [](const Tensor& v) { return layer_norm(v, random({8}, 5), random({8}, 6)); }},
      {"layer_norm, no scale", [](const Tensor& v) { return layer_norm(v, {}, {}); }},
      {"rms_norm", [](const Tensor& v) { return rms_norm(v, random({8}, 7)); }},
      {"attention",
       [](const Tensor& v) {
         Tensor q = v.reshape({-1, 4, 1, 2});
         return scaled_dot_product_attention(q, q * 2.0, tanh(q), {.causal = true}).flatten(1);
       }},
  };
  Tensor x = random({3, 5}, 8), x0 = random({3, 5}, 9), w = random({8, 5}, 10), b = random({8}, 11);
  for (auto& [name, function] : functions) {
    Scores model = [&, f = function](const Tensor& v) {
      Tensor y = f(linear(v, w, b));
      return linear(y, random({2, y.size(1)}, 12));
    };
    DeepLift r = deep_lift(model, x, x0, {0, 1, 1});
    EXPECT_LT(largest(r.delta), 1e-10) << name;
    EXPECT_GT(largest(r.input), 1e-3) << name;
    // It is not the gradient times the difference in disguise: that misses.
    std::vector<int64_t> target = {0, 1, 1};
    Tensor change = target_scores(model(x), target) - target_scores(model(x0), target);
    Tensor first_order = sum(input_gradient(model, x, target) * (x - x0), {1});
    EXPECT_GT(largest_difference(first_order, change), 1e-4) << name;
  }
}

TEST(DeepLift, DeltaIsZeroForEveryFamily) {
  auto check = [](const char* name, const Scores& model, const Dims& shape) {
    DeepLift r = deep_lift(model, random(shape, 13), random(shape, 14), {0, 1});
    EXPECT_LT(largest(r.delta), 1e-10) << name;
    EXPECT_GT(largest(r.input), 0) << name;
    EXPECT_EQ(r.input.shape(), shape) << name;
  };
  check("convolution", ConvNetwork{}, {2, 8, 8, 2});
  check("recurrent", RecurrentNetwork{}, {2, 5, 3});
  check("graph", GraphNetwork{}, {2, 5, 3});
  check("attention", AttentionNetwork{}, {2, 6, 8});
}

// The rescale rule written out for one hidden layer.
TEST(DeepLift, RescaleAgreesWithLoops) {
  Tensor w = random({4, 3}, 15), b = random({4}, 16), head = random({1, 4}, 17);
  Tensor x = random({1, 3}, 18), x0 = random({1, 3}, 19);
  Scores model = [&](const Tensor& v) { return linear(relu(linear(v, w, b)), head); };
  auto wv = values(w), bv = values(b), hv = values(head), a = values(x), a0 = values(x0);
  std::vector<double> expected(3, 0);
  for (size_t k = 0; k < 4; ++k) {
    double z = bv[k], z0 = bv[k];
    for (size_t j = 0; j < 3; ++j) z += wv[3 * k + j] * a[j], z0 += wv[3 * k + j] * a0[j];
    double m = hv[k] * (std::max(z, 0.0) - std::max(z0, 0.0)) / (z - z0);
    for (size_t j = 0; j < 3; ++j) expected[j] += m * wv[3 * k + j] * (a[j] - a0[j]);
  }
  expect_near(values(deep_lift(model, x, x0, {0}).input), expected, 1e-12);
}

TEST(DeepLift, HandValues) {
  // Shrikumar et al., section 2: 1 - relu(1 - x1 - x2) has no gradient at (1, 1), and saturates.
  Scores saturating = [](const Tensor& v) { return 1.0 - relu(1.0 - sum(v, {1}, true)); };
  Tensor x = vector_of({1, 1}).reshape({1, 2}), zero = zeros({2}, DType::f64);
  EXPECT_EQ(values(deep_lift(saturating, x, zero, {0}).input), (std::vector<double>{0.5, 0.5}));
  // A product: half each of a b - a0 b0 as Shapley has it.
  Scores product = [](const Tensor& v) { return v.slice(1, 0, 1) * v.slice(1, 1, 2); };
  x = vector_of({3, 5}).reshape({1, 2});
  expect_near(values(deep_lift(product, x, vector_of({1, 2}), {0}).input),
              {0.5 * (3 * 5 - 1 * 5 + 3 * 2 - 1 * 2), 0.5 * (3 * 5 - 3 * 2 + 1 * 5 - 1 * 2)});
  // A maximum that moves: what the new winner gained over the old maximum, and the loss of none.
  Scores maximal = [](const Tensor& v) { return max_pool2d(v.reshape({1, 2, 2, 1})).flatten(1); };
  x = vector_of({1, 9, 2, 3}).reshape({1, 4});
  expect_near(values(deep_lift(maximal, x, vector_of({4, 0, 0, 0}), {0}).input), {0, 5, 0, 0});
  expect_near(values(deep_lift(maximal, x, vector_of({0, 0, 20, 0}), {0}).input), {0, 0, -11, 0});
}

TEST(DeepLift, WhereBothRunsMeetItIsTheGradient) {
  AttentionNetwork model;
  Tensor x = random({1, 6, 8}, 20);
  // Multipliers at x itself, seen through a difference in one number that is tiny.
  Tensor nudge = zeros({1, 6, 8}, DType::f64);
  nudge.data<double>()[11] = 1e-13;
  DeepLift r = deep_lift(model, x + nudge, x, {1});
  Tensor leaf = x.detach().set_requires_grad();
  double gradient = grad(sum(model(leaf).select(1, 1)), leaf).to_vector<double>()[11];
  double change = (x + nudge).to_vector<double>()[11] - x.to_vector<double>()[11];
  EXPECT_NEAR(values(r.input)[11] / change, gradient, 1e-6 * (1 + std::abs(gradient)));
  EXPECT_EQ(largest(deep_lift(model, x, x, {1}).input), 0);
}

TEST(DeepLift, ALayerUsedTwiceAndNamedLayers) {
  Tensor w = random({3, 3}, 21), b = random({3}, 22), x = random({2, 3}, 23), x0 = random({3}, 24);
  Scores shared = [&](const Tensor& v) {
    auto layer = [&](const Tensor& u) { return show("use", tanh(linear(u, w, b))); };
    return layer(layer(v));
  };
  Scores apart = [&](const Tensor& v) {
    return tanh(linear(tanh(linear(v, w, b)), w.clone(), b.clone()));
  };
  DeepLift r = deep_lift(shared, x, x0, {0, 2}, {"use"});
  EXPECT_EQ(values(r.input), values(deep_lift(apart, x, x0, {0, 2}).input));
  ASSERT_EQ(r.layers["use"].size(), 2u);
  Tensor change =
      target_scores(shared(x), {0, 2}) - target_scores(shared(x0.expand({2, 3})), {0, 2});
  for (Tensor& use : r.layers["use"]) EXPECT_LT(largest_difference(sum(use, {1}), change), 1e-12);
  // A cut through a convolutional network.
  DeepLift cut =
      deep_lift(ConvNetwork{}, random({1, 8, 8, 2}, 25), zeros({2}, DType::f64), {1}, {"conv1"});
  EXPECT_NEAR(sum(cut.layers["conv1"][0]).item(), sum(cut.input).item(), 1e-10);
}

TEST(DeepLift, RunsOnConvNetResNetAndGpt) {
  manual_seed(26);
  ConvNet convnet({.channels = 1, .classes = 4, .widths = {4, 8}, .halve = {1}});
  CifarResNet resnet({.depth = 20, .classes = 4, .width = 4});
  Gpt gpt({.vocabulary = 11, .context = 6, .width = 12, .heads = 3, .layers = 2});
  auto image = [](auto& network, const Tensor& x) {
    network.train();
    for (int i = 0; i < 3; ++i) network(x);
    network.eval();
    Scores model = [&](const Tensor& v) { return network(v); };
    DeepLift r = deep_lift(model, x, zeros({x.size(3)}), {1, 3});
    EXPECT_LT(largest(r.delta), 1e-4 * (1 + sum(abs(r.input)).item())) << network.kind();
    EXPECT_GT(largest(r.input), 0);
  };
  Generator generator(27);
  image(convnet, randn({2, 8, 8, 1}, 0, 1, DType::f32, &generator));
  image(resnet, randn({2, 16, 16, 3}, 0, 1, DType::f32, &generator));
  gpt.eval();
  Tensor tokens = randint(0, 11, {2, 6}, DType::i64, &generator);
  Scores last = [&](const Tensor& v) { return gpt(v).select(1, 5); };
  DeepLift r = deep_lift(last, tokens, zeros({6}, DType::i64), {3, 7}, {"embedding"});
  EXPECT_FALSE(r.input.defined());
  EXPECT_LT(largest(r.delta), 1e-4 * (1 + sum(abs(r.layers["embedding"][0])).item()));
  EXPECT_GT(largest(r.layers["embedding"][0]), 0);
}

TEST(DeepLift, RefusesWhatItCannotAccountFor) {
  Tensor x = random({1, 3}, 28), zero = zeros({3}, DType::f64);
  EXPECT_FAILS(deep_lift([](const Tensor& v) { return prod(v, 1, true); }, x, zero, {0}),
               "'prod' is an op that no rule covers");
  EXPECT_FAILS(deep_lift([](const Tensor& v) { return sum(v).item() > 0 ? v * 2.0 : -v; }, abs(x),
                         neg(abs(x)), {0}),
               "another way for the baseline: op 1 is 'mul'.*'neg'");
  EXPECT_FAILS(deep_lift([](const Tensor& v) { return v * v.detach(); }, x, zero, {0}),
               "'mul' has an operand that does not come from the input, yet differs");
  EXPECT_FAILS(
      deep_lift(
          [](const Tensor& v) { return where(greater(v, scalar(0, DType::f64)), v, v * 0.5); },
          abs(x), neg(abs(x)), {0}),
      "'where' chooses other elements");
  EXPECT_FAILS(deep_lift([](const Tensor& v) { return batch_norm(v, {}, {}, {}, {}); },
                         random({2, 3}, 29), zero, {0, 0}),
               "batch's own statistics");
  Scores plain = [](const Tensor& v) { return v * 2.0; };
  EXPECT_FAILS(deep_lift(plain, x, zeros({4}, DType::f64), {0}), R"(baseline f64\[4\] must broad)");
  EXPECT_FAILS(deep_lift(plain, x, zeros({3}), {0}), "have its type");
  EXPECT_FAILS(deep_lift(plain, zeros({1, 3}, DType::i64), zeros({3}, DType::i64), {0}),
               "integers");
}

}  // namespace
}  // namespace strata::introspect
