// Plain twins, pre-activation and the deepest; the residual form is in
// tests/models/models_test.cpp.
#include "models/vision/cifar_resnet.h"

#include "tests/models/model_checks.h"
#include "tests/models/vision/multiply_adds.h"

namespace strata::test {
namespace {

constexpr CifarVariant variants[] = {CifarVariant::residual, CifarVariant::plain,
                                     CifarVariant::preactivation};

TEST(CifarVariants, HaveTheSameCounts) {
  for (CifarVariant variant : variants) {
    for (auto [depth, count] : std::vector<std::pair<int64_t, int64_t>>{
             {20, 269'722}, {32, 464'154}, {110, 1'727'962}, {1202, 19'421'274}}) {
      CifarResNetOptions options{.depth = depth, .variant = variant};
      EXPECT_EQ(cifar_resnet_cost(options, 32, 32).parameters, count);
      if (depth < 100) {
        EXPECT_EQ(CifarResNet(options).parameter_count(), count);
      }
    }
    CifarResNet net({.variant = variant});
    EXPECT_EQ(multiply_adds(net, zeros({1, 32, 32, 3})), 40'551'040);
    EXPECT_EQ(cifar_resnet_cost({.variant = variant}, 32, 32).multiply_adds, 40'551'040);
  }
}

TEST(CifarVariants, HaveExactGradientsStagesAndState) {
  for (CifarVariant variant : variants) {
    CifarResNetOptions options{
        .depth = 14, .channels = 2, .classes = 3, .width = 2, .variant = variant};
    manual_seed(1);
    CifarResNet tiny(options);
    SCOPED_TRACE(tiny.kind());
    Tensor x = random({3, 8, 8, 2}, 2);
    expect_gradients(tiny, x);
    Names stages = {"conv1",    "layer1.0", "layer1.1", "layer2.0",
                    "layer2.1", "layer3.0", "layer3.1"};
    if (variant == CifarVariant::preactivation) stages.push_back("norm");
    stages.push_back("head");
    expect_stages(tiny, x, stages);
    expect_state_goes_round([&] { return std::make_unique<CifarResNet>(options); },
                            x.to(DType::f32));
  }
}

// With its last convolutions at zero a block is its shortcut: nothing at all in a plain twin, the
// identity in the others, whatever the depth.
TEST(CifarVariants, DifferInWhatAnEmptyBlockDoes) {
  for (CifarVariant variant : variants) {
    manual_seed(1);
    CifarResNet net({.depth = 8, .width = 4, .variant = variant});
    SCOPED_TRACE(net.kind());
    NoGrad off;
    for (auto& [name, tensor] : net.named_parameters()) {
      if (name == "layer1.0.conv2.conv.weight" || name == "layer1.0.conv2.weight") fill_(tensor, 0);
    }
    net.eval();
    Tensor before, after;
    ActivationObserver observer(
        [&](const std::string& name, const Tensor& value) {
          (name == "conv1" ? before : after) = value;
          return Tensor();
        },
        {"conv1", "layer1.0"});
    net(random({2, 8, 8, 3}, 2).to(DType::f32));
    EXPECT_GT(sum(before).item(), 0);
    if (variant == CifarVariant::plain) {
      EXPECT_EQ(sum(abs(after)).item(), 0);
    } else {
      EXPECT_EQ(values(after), values(before));
    }
  }
}

TEST(CifarVariants, TheDeepestCarriesASignalAndAGradient) {
  manual_seed(1);
  CifarResNet net({.depth = 1202, .width = 1});
  EXPECT_EQ(net.stages().size(), 602u);
  Tensor logits = net(random({2, 8, 8, 3}, 2).to(DType::f32));
  EXPECT_TRUE(std::isfinite(sum(logits).item()));
  sum(square(logits)).backward();
  const Tensor first = net.named_parameters().front().tensor.grad();
  EXPECT_GT(sum(abs(first)).item(), 0);
  EXPECT_TRUE(std::isfinite(sum(abs(first)).item()));
}

}  // namespace
}  // namespace strata::test
