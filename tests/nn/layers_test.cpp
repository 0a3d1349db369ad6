// Layers compute what their ops do with their parameters; training and evaluation differ where they
// should; folding changes nothing but the speed.
#include "engine/autograd/autograd.h"
#include "engine/nn.h"
#include "engine/ops.h"
#include "tests/support/expect.h"

namespace strata::test {
namespace {

Tensor random(const Dims& shape, uint64_t seed = 1, DType dtype = DType::f32) {
  Generator generator(seed);
  return randn(shape, 0, 1, dtype, &generator);
}

TEST(Layers, AreTheirOpsWithTheirParameters) {
  Tensor image = random({2, 8, 6, 4}), row = random({3, 4}), sequence = random({2, 7, 4});
  Linear fc(4, 5);
  EXPECT_EQ(values(fc(row)), values(linear(row, fc.weight, fc.bias)));
  EXPECT_FALSE(Linear(4, 5, false).bias.defined());
  Conv2d conv(4, 6, {3, 5}, {.stride = 2, .padding = {1, 0, 2, 1}, .groups = 2});
  EXPECT_EQ(values(conv(image)), values(conv2d(image, conv.weight, conv.bias, conv.options)));
  Conv1d conv1(4, 6, 3, {.padding_left = 2, .dilation = 2});
  EXPECT_EQ(values(conv1(sequence)),
            values(conv1d(sequence, conv1.weight, conv1.bias, conv1.options)));
  ConvTranspose2d back(4, 3, 2, {.stride = 2});
  EXPECT_EQ(back(image).shape(), (Dims{2, 16, 12, 3}));
  LayerNorm layer(4);
  EXPECT_EQ(values(layer(row)), values(layer_norm(row, layer.weight, layer.bias)));
  RMSNorm rms(4);
  EXPECT_EQ(values(rms(row)), values(rms_norm(row, rms.weight)));
  GroupNorm group(2, 4);
  EXPECT_EQ(values(group(image)), values(group_norm(image, 2, group.weight, group.bias)));
  Embedding table(9, 4);
  Tensor index = from_vector(std::vector<int64_t>{8, 0, 3}, {3});
  EXPECT_EQ(values(table(index)), values(embedding(table.weight, index)));
  EXPECT_EQ(values(MaxPool2d()(image)), values(max_pool2d(image)));
  EXPECT_EQ(values(AvgPool2d({.window = 3, .stride = 1})(image)),
            values(avg_pool2d(image, {.window = 3, .stride = 1})));
  EXPECT_EQ(AdaptiveAvgPool2d(3, 2)(image).shape(), (Dims{2, 3, 2, 4}));
  EXPECT_EQ(values(GlobalAvgPool()(image)), values(global_avg_pool2d(image)));
  EXPECT_EQ(Flatten()(image).shape(), (Dims{2, 192}));
  EXPECT_EQ(values(Upsample(2)(image)), values(upsample_nearest2d(image, 16, 12)));
  EXPECT_EQ(values(Upsample(3, Interpolation::bilinear)(image)),
            values(upsample_bilinear2d(image, 24, 18)));
  EXPECT_EQ(values(ReLU()(row)), values(relu(row)));
  EXPECT_EQ(values(LeakyReLU(0.2)(row)), values(leaky_relu(row, 0.2)));
  EXPECT_EQ(values(ELU()(row)), values(elu(row)));
  EXPECT_EQ(values(GELU()(row)), values(gelu(row)));
  EXPECT_EQ(values(GELU(true)(row)), values(gelu_tanh(row)));
  EXPECT_EQ(values(SiLU()(row)), values(silu(row)));
  EXPECT_EQ(values(Tanh()(row)), values(tanh(row)));
  EXPECT_EQ(values(Sigmoid()(row)), values(sigmoid(row)));
  EXPECT_EQ(values(Softplus()(row)), values(softplus(row)));
  EXPECT_EQ(values(HardSwish()(row)), values(hard_swish(row)));
  EXPECT_EQ(values(Softmax(0)(row)), values(softmax(row, 0)));
  EXPECT_EQ(values(Identity()(row)), values(row));
}

TEST(Layers, SayWhatTheyAre) {
  EXPECT_EQ(Conv2d(4, 8, 3, {.stride = 2, .groups = 4}, false).kind(),
            "Conv2d(4 -> 8, 3x3, stride 2x2, 4 groups, no bias)");
  EXPECT_EQ(Linear(3, 4).kind(), "Linear(3 -> 4)");
  EXPECT_FAILS(Conv2d(3, 8, 3, {.groups = 2}), "3 input and 8 output channels .* 2 groups");
  EXPECT_FAILS(GroupNorm(3, 8), "8 channels do not divide into 3 groups");
  EXPECT_FAILS(MultiheadAttention(10, 3), "width 10 does not divide into 3 heads");
  EXPECT_FAILS(Dropout(1.0), "p must be in \\[0, 1\\)");
}

TEST(Layers, DropoutIsForTrainingOnly) {
  Dropout drop(0.5);
  Tensor x = ones({1000});
  manual_seed(1);
  double total = sum(drop(x)).item();
  EXPECT_NEAR(total, 1000, 150);
  EXPECT_NE(total, 1000);
  drop.eval();
  EXPECT_EQ(values(drop(x)), values(x));
}

TEST(Layers, BatchNormLearnsTheStatisticsItEvaluatesWith) {
  BatchNorm norm(2);
  Tensor x = from_vector(std::vector<float>{1, 10, 3, 30}, {2, 2});
  expect_near(values(norm(x)), {-1, -1, 1, 1}, 1e-4);
  expect_near(values(norm.running_mean), {0.2, 2}, 1e-6);
  expect_near(values(norm.running_var), {0.9 + 0.1 * 2, 0.9 + 0.1 * 200}, 1e-5);
  norm.eval();
  auto before = values(norm.running_mean);
  expect_near(
      values(norm(x)),
      {0.8 / std::sqrt(1.1), 8 / std::sqrt(20.9), 2.8 / std::sqrt(1.1), 28 / std::sqrt(20.9)},
      1e-4);
  EXPECT_EQ(values(norm.running_mean), before);
}

TEST(Layers, AttentionIsItsFormula) {
  MultiheadAttention attention(6, 2, {.causal = true});
  attention.to(DType::f64);
  Tensor x = random({2, 5, 6}, 3, DType::f64);
  // softmax(q k^T / sqrt(D)) v by matmul, a head at a time.
  Tensor all = linear(x, attention.qkv.weight, attention.qkv.bias);
  std::vector<Tensor> heads;
  for (int h = 0; h < 2; ++h) {
    auto part = [&](int i) { return all.slice(2, 6 * i + 3 * h, 6 * i + 3 * h + 3); };
    Tensor scores = matmul(part(0), part(1).transpose(1, 2)) / std::sqrt(3.0);
    scores = where(tril_mask(5, 5), scores, scalar(-1e30, DType::f64));
    heads.push_back(matmul(softmax(scores), part(2)));
  }
  Tensor want =
      linear(concatenate(heads, 2), attention.projection.weight, attention.projection.bias);
  expect_near(values(attention(x)), values(want), 1e-12);
  // Cross-attention to oneself is self-attention, and a mask says what causal says.
  expect_near(values(attention(x, x, {})), values(want), 1e-12);
  attention.options.causal = false;
  expect_near(values(attention(x, tril_mask(5, 5))), values(want), 1e-12);
  EXPECT_EQ(attention(x, random({2, 9, 6}, 4, DType::f64), {}).shape(), (Dims{2, 5, 6}));
}

TEST(Layers, TheSameLayerMayStandTwiceInASequence) {
  Sequential net;
  auto fc = std::make_shared<Linear>(3, 3);
  net.push(fc);
  net.push<ReLU>();
  net.push(fc);
  EXPECT_EQ(net.parameter_count(), 12);
  Tensor x = random({2, 3});
  EXPECT_EQ(values(net(x)), values((*fc)(relu((*fc)(x)))));
}

// A ConvNorm whose statistics and parameters are not those of the start.
struct Folded : Layer {
  ConvNorm& first = add<ConvNorm>("first", 3, 8, 3, ConvNormOptions{.conv = {.padding = 1}});
  ConvNorm& second =
      add<ConvNorm>("second", 8, 8, 3, ConvNormOptions{.conv = {.padding = 1}, .relu = false});
  Folded() {
    NoGrad off;
    for (ConvNorm* block : {&first, &second}) {
      copy_(block->norm.running_mean, random({8}, 5));
      copy_(block->norm.running_var, square(random({8}, 6)) + 0.5);
      copy_(block->norm.weight, random({8}, 7));
      copy_(block->norm.bias, random({8}, 8));
    }
    eval();
  }
  Tensor forward(const Tensor& x) override {
    Tensor y = first(x);
    return second(y, y);
  }
};

TEST(ConvNorm, FoldingLeavesTheValues) {
  Folded net;
  NoGrad off;
  Tensor x = random({2, 6, 6, 3});
  auto want = values(net(x));
  EXPECT_EQ(named_activations(net, x),
            (std::vector<std::string>{"first.conv", "first.norm", "first", "second.conv",
                                      "second.norm", "second"}));
  EXPECT_EQ(fold_batch_norm(net), 2);
  expect_near(values(net(x)), want, 1e-5);
  EXPECT_EQ(named_activations(net, x), (std::vector<std::string>{"first", "second"}));
  // Parameters written later are folded again.
  mul_(net.first.norm.weight, 2);
  auto folded = values(net(x));
  net.first.fold(false), net.second.fold(false);
  expect_near(folded, values(net(x)), 1e-5);
}

TEST(ConvNorm, FoldedNetworksStillTrain) {
  Folded net;
  fold_batch_norm(net);
  Tensor x = random({2, 6, 6, 3});
  sum(net(x)).backward();
  EXPECT_TRUE(net.first.conv.weight.grad().defined()) << "gradients are wanted: not folded";
  net.train();
  auto before = values(net.first.norm.running_mean);
  net(x);
  EXPECT_NE(values(net.first.norm.running_mean), before);
}

TEST(ConvNorm, GradientsReachTheImageThroughFoldedWeights) {
  Folded net;
  net.set_trainable(false);
  auto gradient = [&] {
    Tensor x = random({1, 6, 6, 3}).set_requires_grad();
    sum(square(net(x))).backward();
    return values(x.grad());
  };
  auto want = gradient();
  fold_batch_norm(net);
  expect_near(gradient(), want, 1e-3);
}

}  // namespace
}  // namespace strata::test
