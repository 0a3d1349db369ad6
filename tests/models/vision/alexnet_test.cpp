#include "models/vision/alexnet.h"

#include "tests/models/model_checks.h"
#include "tests/models/vision/multiply_adds.h"

namespace strata::test {
namespace {

const Names alexnet_stages = {"conv1", "conv2", "conv3", "conv4",
                              "conv5", "relu6", "relu7", "head"};

TEST(AlexNet, CountsAsPublished) {
  const Cost full = alexnet_cost({}, 224, 224);
  EXPECT_EQ(full.parameters, 61'100'840);
  EXPECT_NEAR(static_cast<double>(full.multiply_adds), 0.714e9, 0.001e9);
  AlexNet small(alexnet_s_options());
  EXPECT_EQ(small.parameter_count(), 370'394);
  EXPECT_EQ(multiply_adds(small, zeros({1, 32, 32, 3})), 12'312'320);
}

// What the published counts rest on: the formula is right for instances that are made and run.
TEST(AlexNet, CostsWhatTheFormulaSays) {
  for (bool small_images : {false, true}) {
    AlexNetOptions options{
        .channels = 2, .classes = 3, .width = 2, .hidden = 5, .small_images = small_images};
    AlexNet net(options);
    const Cost cost = alexnet_cost(options, 80, 65);
    EXPECT_EQ(net.parameter_count(), cost.parameters);
    EXPECT_EQ(multiply_adds(net, zeros({1, 80, 65, 2})), cost.multiply_adds);
  }
}

TEST(AlexNet, HasExactGradientsStagesAndState) {
  AlexNetOptions options{.channels = 2, .classes = 3, .width = 2, .hidden = 6, .dropout = 0};
  for (bool small_images : {false, true}) {
    options.small_images = small_images;
    manual_seed(small_images ? 1 : 2);
    AlexNet tiny(options);
    const int64_t size = small_images ? 15 : 63;
    // He's deviation, so that signals of so few units do not die.
    for (Tensor& p : tiny.parameters())
      if (p.rank() > 1) init::kaiming_normal_(p);
    Tensor x = random({4, size, size, 2}, 2);
    expect_gradients(tiny, x);
    expect_stages(tiny, x, alexnet_stages);
  }
  expect_state_goes_round([&] { return std::make_unique<AlexNet>(options); },
                          random({2, 16, 16, 2}, 3).to(DType::f32));
}

TEST(AlexNet, DropsOutOnlyInTraining) {
  manual_seed(1);
  AlexNet net(alexnet_s_options());
  Tensor x = random({2, 32, 32, 3}, 2).to(DType::f32);
  EXPECT_NE(values(net(x)), values(net(x)));
  net.eval();
  EXPECT_EQ(values(net(x)), values(net(x)));
}

TEST(AlexNet, SaysWhichLayerAnImageIsTooSmallFor) {
  AlexNet net({.classes = 2, .width = 1, .hidden = 2});
  EXPECT_FAILS(net(zeros({1, 32, 32, 3})), "pool2");
}

}  // namespace
}  // namespace strata::test
