#include "models/vision/resnet.h"

#include "tests/models/model_checks.h"
#include "tests/models/vision/multiply_adds.h"

namespace strata::test {
namespace {

TEST(ResNet, CountsAsPublished) {
  struct Published {
    int64_t depth, parameters;
    double multiply_adds;
  };
  for (const Published& p :
       {Published{18, 11'689'512, 1.81e9}, Published{26, 15'995'176, 2.34e9},
        Published{34, 21'797'672, 3.66e9}, Published{50, 25'557'032, 4.09e9},
        Published{101, 44'549'160, 7.80e9}, Published{152, 60'192'808, 11.51e9}}) {
    SCOPED_TRACE(p.depth);
    const Cost cost = resnet_cost({.depth = p.depth}, 224, 224);
    EXPECT_EQ(cost.parameters, p.parameters);
    EXPECT_NEAR(static_cast<double>(cost.multiply_adds), p.multiply_adds, 0.005e9);
  }
}

TEST(ResNet, CostsWhatTheFormulaSays) {
  for (int64_t depth : {18, 26, 34, 50, 101, 152}) {
    SCOPED_TRACE(depth);
    ResNetOptions options{.depth = depth, .channels = 2, .classes = 3, .width = 2};
    ResNet net(options);
    const Cost cost = resnet_cost(options, 50, 33);
    EXPECT_EQ(net.parameter_count(), cost.parameters);
    EXPECT_EQ(multiply_adds(net, zeros({1, 50, 33, 2})), cost.multiply_adds);
  }
  ResNetOptions small{.depth = 26, .classes = 10, .width = 16, .small_images = true};
  EXPECT_EQ(resnet_cost(small, 32, 32).parameters, 882'394);
  ResNet net(small);
  EXPECT_EQ(net.parameter_count(), 882'394);
  EXPECT_EQ(multiply_adds(net, zeros({1, 32, 32, 3})), 45'798'400);
}

TEST(ResNet, HasExactGradientsStagesAndState) {
  for (int64_t depth : {18, 26}) {
    SCOPED_TRACE(depth);
    ResNetOptions options{
        .depth = depth, .channels = 2, .classes = 3, .width = 2, .small_images = depth == 26};
    manual_seed(1);
    ResNet tiny(options);
    Tensor x = random({3, depth == 26 ? 12 : 40, 12, 2}, 2);
    expect_gradients(tiny, x);
    expect_stages(tiny, x,
                  {"conv1", "layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0", "layer3.1",
                   "layer4.0", "layer4.1", "head"});
    expect_state_goes_round([&] { return std::make_unique<ResNet>(options); }, x.to(DType::f32));
  }
}

TEST(ResNet, FoldsToTheSameLogits) {
  manual_seed(1);
  ResNet net({.depth = 26, .classes = 5, .width = 4, .small_images = true});
  Tensor x = random({4, 16, 16, 3}, 3).to(DType::f32);
  NoGrad off;
  for (int i = 0; i < 5; ++i) net(x);  // statistics
  net.eval();
  auto want = values(net(x));
  EXPECT_EQ(fold_batch_norm(net), 1 + 8 * 3 + 4);
  expect_near(values(net(x)), want, 1e-4);
}

// The order of parameters is torchvision's, so that checkpoints map name by name.
TEST(ResNet, KeepsTheOrderOfParameters) {
  ResNet net({.depth = 26, .classes = 2, .width = 1});
  Names names;
  for (auto& [name, tensor] : net.named_parameters())
    if (name.starts_with("layer1.0.")) names.push_back(name.substr(9));
  EXPECT_EQ(names,
            (Names{"conv1.conv.weight", "conv1.norm.weight", "conv1.norm.bias", "conv2.conv.weight",
                   "conv2.norm.weight", "conv2.norm.bias", "conv3.conv.weight", "conv3.norm.weight",
                   "conv3.norm.bias", "downsample.conv.weight", "downsample.norm.weight",
                   "downsample.norm.bias"}));
}

TEST(ResNet, SaysWhatItTakes) {
  EXPECT_FAILS(ResNet({.depth = 20}), "must be 18, 26, 34, 50, 101 or 152 .*got 20");
}

}  // namespace
}  // namespace strata::test
