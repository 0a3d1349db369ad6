// Guided backprop and deconvnet: the table of one ReLU, switches, and both on whole networks.
#include "tools/introspect/attribution/rectifier.h"

#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "models/vision/cifar_resnet.h"
#include "models/vision/convnet.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/capture.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;
using strata::test::vector_of;

// scores[n, 0] = sum_i slope[i] relu(x[n, i]): the gradient that reaches ReLU i is slope[i].
Scores one_relu(std::vector<double> slope) {
  Tensor w = vector_of(slope).reshape({1, static_cast<int64_t>(slope.size())});
  return [w](const Tensor& x) { return linear(relu(x), w); };
}

TEST(Rectifier, TheTableOfOneRelu) {
  Tensor z = vector_of({2, 2, -3, -3}).reshape({1, 4});
  Scores model = one_relu({5, -7, 5, -7});
  auto pass = [&](Rectifier r) { return values(rectified_gradient(model, z, {0}, r)); };
  EXPECT_EQ(pass(Rectifier::gradient), (std::vector<double>{5, -7, 0, 0}));
  EXPECT_EQ(pass(Rectifier::guided), (std::vector<double>{5, 0, 0, 0}));
  EXPECT_EQ(pass(Rectifier::deconvnet), (std::vector<double>{5, 0, 5, 0}));
}

TEST(Rectifier, AReluAtZeroIsShut) {
  Tensor z = vector_of({0, 0}).reshape({1, 2});
  Scores model = one_relu({5, -7});
  EXPECT_EQ(values(rectified_gradient(model, z, {0}, Rectifier::gradient)),
            (std::vector<double>{0, 0}));
  EXPECT_EQ(values(rectified_gradient(model, z, {0}, Rectifier::guided)),
            (std::vector<double>{0, 0}));
}

TEST(Rectifier, WithTheGradientsOwnRuleItIsTheGradient) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 1);
  Tensor input = x.detach().set_requires_grad();
  Tensor scores = model(input);
  Tensor expected =
      grad(scores.select(1, 1).select(0, 0) + scores.select(1, 2).select(0, 1), input);
  Tensor got = rectified_gradient(model, x, {1, 2}, Rectifier::gradient);
  EXPECT_LT(largest_difference(got, expected), 1e-14);
}

// The same two rules written out for conv -> relu -> pool -> relu (one ReLU used twice).
TEST(Rectifier, AgreesWithTheRulesWrittenOut) {
  Tensor kernel = random({3, 3, 3, 2}, 2), head = random({2, 3}, 3);
  auto shared = [](const Tensor& v) { return relu(v); };
  Scores model = [&](const Tensor& x) {
    Tensor a = shared(conv2d(x, kernel, {}, {.padding = 1}));
    return linear(mean(shared(max_pool2d(a) - 0.5), {1, 2}), head);
  };
  Tensor x = random({1, 4, 4, 2}, 4);
  Tensor z1 = conv2d(x, kernel, {}, {.padding = 1});
  auto pooled = max_pool2d_with_switches(relu(z1));
  Tensor z2 = pooled.values - 0.5;
  Tensor zero = scalar(0, DType::f64);
  for (bool guided : {true, false}) {
    auto rule = [&](const Tensor& g, const Tensor& z) {
      Tensor positive = relu(g);
      return guided ? where(greater(z, zero), positive, zero) : positive;
    };
    Tensor g = (head.select(0, 1) * 0.25).reshape({1, 1, 1, 3}).expand({1, 2, 2, 3});
    g = rule(max_unpool2d(rule(g, z2), pooled.switches, 4, 4), z1);
    Tensor expected = conv_transpose2d(g, kernel, {}, {.padding = 1});
    Tensor got =
        rectified_gradient(model, x, {1}, guided ? Rectifier::guided : Rectifier::deconvnet);
    EXPECT_LT(largest_difference(got, expected), 1e-14);
    EXPECT_GT(max(abs(got)).item(), 0);
  }
}

TEST(Rectifier, UnpoolingThroughSwitchesIsTheTransposeOfPooling) {
  // Integers, so that both sides are exact.
  Generator generator(5);
  Tensor x = randint(-9, 10, {2, 6, 6, 3}, DType::i64, &generator).to(DType::f64);
  PoolOptions options{.window = 3, .stride = Pair(2), .padding = 1};
  auto pooled = max_pool2d_with_switches(x, options);
  Tensor other = randint(-9, 10, {2, 6, 6, 3}, DType::i64, &generator).to(DType::f64);
  Tensor y = randint(-9, 10, pooled.values.shape(), DType::i64, &generator).to(DType::f64);
  Tensor unpooled = max_unpool2d(y, pooled.switches, 6, 6);
  EXPECT_EQ(sum(pooled.values * y).item(), sum(x * unpooled).item());
  // With the switches fixed, of any other image too: read `other` at them.
  Tensor flat = other.reshape({2, 36, 3});
  Tensor read = gather(flat, 1, pooled.switches.reshape({2, -1, 3}));
  EXPECT_EQ(sum(read * y.reshape({2, -1, 3})).item(), sum(other * unpooled).item());
  // And it is what the walk does.
  Tensor leaf = x.detach().set_requires_grad();
  EXPECT_EQ(values(grad({max_pool2d(leaf, options)}, {leaf}, {y})[0]), values(unpooled));
}

TEST(Rectifier, AProjectionReachesTheUnitsReceptiveFieldOnly) {
  ConvNetwork model;
  Tensor x = random({3, 8, 8, 2}, 6);
  Capture capture({"conv1"});
  model(x);
  Tensor a = capture["conv1"];
  auto projection = project_unit(model, x, "conv1", 2);
  Tensor map = a.select(3, 2).reshape({3, 64});
  EXPECT_EQ(values(projection.activation), values(max(map, {1})));
  for (int64_t n = 0; n < 3; ++n) {
    int64_t place = projection.places[static_cast<size_t>(n)], h = place / 8, w = place % 8;
    double activation = projection.activation.select(0, n).item();
    for (int64_t i = 0; i < 8; ++i) {
      for (int64_t j = 0; j < 8; ++j) {
        for (int64_t c = 0; c < 2; ++c) {
          int64_t r = i - h + 1, s = j - w + 1;
          bool inside = r >= 0 && r < 3 && s >= 0 && s < 3;
          double weight =
              inside ? model.kernel1.select(0, 2).select(0, r).select(0, s).select(0, c).item() : 0;
          double got = projection.image.select(0, n).select(0, i).select(0, j).select(0, c).item();
          EXPECT_NEAR(got, activation * weight, 1e-12);
        }
      }
    }
  }
  auto fixed = project_unit(model, x, "conv1", 2, {0, 9, 63});
  EXPECT_EQ(fixed.activation.select(0, 1).item(), map.select(0, 1).select(0, 9).item());
  EXPECT_EQ(fixed.places, (std::vector<int64_t>{0, 9, 63}));
}

// Deconvnet and guided signals of batch-normed, pooled and residual networks in f32.
TEST(Rectifier, RunsOnConvNetAndResNet) {
  manual_seed(7);
  ConvNet convnet({.channels = 1, .classes = 4, .widths = {4, 8}, .halve = {1}});
  CifarResNet resnet({.depth = 20, .classes = 4, .width = 4});
  convnet.eval();
  resnet.eval();
  auto check = [](auto& network, const Tensor& x, const char* layer) {
    Scores model = [&](const Tensor& v) { return network(v); };
    for (Rectifier r : {Rectifier::guided, Rectifier::deconvnet}) {
      Tensor signal = rectified_gradient(model, x, {1, 3}, r);
      EXPECT_EQ(signal.shape(), x.shape());
      EXPECT_GT(max(abs(signal)).item(), 0);
    }
    auto projection = project_unit(model, x, layer, 1);
    EXPECT_EQ(projection.image.shape(), x.shape());
    EXPECT_EQ(projection.places.size(), 2u);
  };
  check(convnet, randn({2, 8, 8, 1}), "conv2");
  check(resnet, randn({2, 8, 8, 3}), "layer2.0");
}

TEST(Rectifier, RefusesWhatDoesNotFit) {
  AttentionNetwork model;  // gelu only
  Tensor x = random({2, 6, 8}, 8);
  EXPECT_FAILS(rectified_gradient(model, x, {0, 0}, Rectifier::guided), "no 'relu'");
  ConvNetwork convolution;
  Tensor image = random({1, 8, 8, 2}, 9);
  EXPECT_FAILS(rectified_gradient(convolution, image, {3}, Rectifier::guided),
               "target 3 is outside the 3 scores");
  EXPECT_FAILS(rectified_gradient(convolution, image, {0, 1}, Rectifier::guided),
               "do not match 2 targets");
  EXPECT_FAILS(project_unit(convolution, image, "conv1", 4), "has no unit 4");
  EXPECT_FAILS(project_unit(convolution, image, "conv1", 0, {64}), "place 64 is outside .* 64");
  EXPECT_FAILS(project_unit(convolution, image, "conv1", 0, {1, 2}), "2 places given for 1");
  EXPECT_FAILS(project_unit(convolution, image, "conv9", 0), "conv9");
}

}  // namespace
}  // namespace strata::introspect
