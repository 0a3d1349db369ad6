#include "models/vision/lenet.h"

#include "tests/models/model_checks.h"
#include "tests/models/vision/multiply_adds.h"

namespace strata::test {
namespace {

TEST(LeNet, CountsAsPublished) {
  LeNet net;
  EXPECT_EQ(net.parameter_count(), 61'706);
  EXPECT_EQ(lenet_cost({}).parameters, 61'706);
  EXPECT_EQ(lenet_cost({}).multiply_adds, 416'520);
  EXPECT_EQ(multiply_adds(net, zeros({1, 32, 32, 1})), 416'520);
  // Digits of 28x28, padded, are the same network.
  LeNetOptions digits{.height = 28, .width = 28, .padding = 2};
  EXPECT_EQ(lenet_cost(digits).parameters, 61'706);
  EXPECT_EQ(values(LeNet(digits)(zeros({2, 28, 28, 1}))).size(), 20u);
}

TEST(LeNet, HasExactGradientsStagesAndState) {
  LeNetOptions options{.channels = 2, .height = 17, .width = 20, .classes = 3};
  manual_seed(1);
  LeNet tiny(options);
  EXPECT_EQ(tiny.parameter_count(), lenet_cost(options).parameters);
  Tensor x = random({2, 17, 20, 2}, 2);
  EXPECT_EQ(multiply_adds(tiny, x.slice(0, 0, 1).to(DType::f32)),
            lenet_cost(options).multiply_adds);
  expect_gradients(tiny, x);
  expect_stages(tiny, x, {"tanh1", "tanh2", "tanh3", "tanh4", "head"});
  expect_state_goes_round([&] { return std::make_unique<LeNet>(options); }, x.to(DType::f32));
}

TEST(LeNet, SaysWhatItTakes) {
  EXPECT_FAILS(LeNet({.height = 15}), "images of 16x16 or more with padding 0; got 15x32");
  LeNet net;
  EXPECT_FAILS(net(zeros({1, 28, 28, 1})), "images \\[N, 32, 32, 1\\].*got f32\\[1,28,28,1\\]");
}

}  // namespace
}  // namespace strata::test
