#include "models/vision/vgg.h"

#include "tests/models/model_checks.h"
#include "tests/models/vision/multiply_adds.h"

namespace strata::test {
namespace {

TEST(Vgg, CountsAsPublished) {
  struct Published {
    int64_t depth, parameters, with_norm;
    double multiply_adds;
  };
  for (const Published& p : {Published{11, 132'863'336, 132'868'840, 7.61e9},
                             Published{13, 133'047'848, 133'053'736, 11.31e9},
                             Published{16, 138'357'544, 138'365'992, 15.47e9},
                             Published{19, 143'667'240, 143'678'248, 19.63e9}}) {
    SCOPED_TRACE(p.depth);
    const Cost cost = vgg_cost(vgg_options(p.depth), 224, 224);
    EXPECT_EQ(cost.parameters, p.parameters);
    EXPECT_NEAR(static_cast<double>(cost.multiply_adds), p.multiply_adds, 0.005e9);
    EXPECT_EQ(vgg_cost(vgg_options(p.depth, true), 224, 224).parameters, p.with_norm);
  }
  Vgg small(vgg_s_options());
  EXPECT_EQ(small.parameter_count(), 880'810);
  EXPECT_EQ(multiply_adds(small, zeros({1, 32, 32, 3})), 39'225'856);
}

TEST(Vgg, CostsWhatTheFormulaSays) {
  for (int64_t depth : {11, 13, 16, 19}) {
    for (bool batch_norm : {false, true}) {
      VggOptions options = vgg_options(depth, batch_norm);
      options.width = 2, options.hidden = 5, options.classes = 3;
      Vgg net(options);
      EXPECT_EQ(net.kind(), fmt::format("VGG-{}{}", depth, batch_norm ? " with batch norm" : ""));
      const Cost cost = vgg_cost(options, 40, 32);
      EXPECT_EQ(net.parameter_count(), cost.parameters) << depth;
      EXPECT_EQ(multiply_adds(net, zeros({1, 40, 32, 3})), cost.multiply_adds) << depth;
    }
  }
}

TEST(Vgg, HasExactGradientsStagesAndState) {
  VggOptions options{.convolutions = {1, 2},
                     .channels = 2,
                     .classes = 3,
                     .width = 3,
                     .hidden = 8,
                     .positions = 2,
                     .dropout = 0};
  manual_seed(3);
  Vgg plain(options);
  Tensor x = random({4, 10, 8, 2}, 2);
  expect_gradients(plain, x);
  expect_stages(plain, x, {"conv1_1", "conv2_1", "conv2_2", "relu1", "relu2", "head"});
  options.batch_norm = true;
  Vgg normed(options);
  // In training a bias before a batch norm has no effect and no gradient.
  normed.eval();
  expect_gradients(normed, x);
  expect_state_goes_round([&] { return std::make_unique<Vgg>(options); }, x.to(DType::f32));
}

TEST(Vgg, FoldsToTheSameLogits) {
  manual_seed(1);
  VggOptions options = vgg_s_options();
  options.width = 4, options.hidden = 16;
  Vgg net(options);
  Tensor x = random({4, 32, 32, 3}, 3).to(DType::f32);
  NoGrad off;
  for (auto& [name, tensor] : net.named_parameters())
    if (name.ends_with("conv.bias")) init::normal_(tensor);
  for (int i = 0; i < 5; ++i) net(x);  // statistics
  net.eval();
  auto want = values(net(x));
  EXPECT_EQ(fold_batch_norm(net), 6);
  expect_near(values(net(x)), want, 1e-4);
}

TEST(Vgg, SaysWhatItTakes) {
  EXPECT_FAILS(vgg_options(12), "must be 11, 13, 16 or 19; got 12");
  EXPECT_FAILS(Vgg({.convolutions = {}}), "convolutions is empty");
  VggOptions options = vgg_options(11);
  options.width = 1, options.hidden = 2;
  Vgg net(options);
  EXPECT_FAILS(net(zeros({1, 16, 16, 3})), "pool5");
}

}  // namespace
}  // namespace strata::test
