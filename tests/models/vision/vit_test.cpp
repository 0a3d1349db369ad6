#include "models/vision/vit.h"

#include "tests/models/model_checks.h"
#include "tests/models/vision/multiply_adds.h"

namespace strata::test {
namespace {

VitOptions tiny_options() {
  return {.channels = 2,
          .height = 8,
          .width = 12,
          .classes = 3,
          .patch = 4,
          .embedding = 8,
          .layers = 2,
          .heads = 2};
}

TEST(Vit, CountsAsPublished) {
  struct Published {
    int64_t embedding, heads, parameters;
    double multiply_adds;
  };
  for (const Published& p :
       {Published{192, 3, 5'717'416, 1.25e9}, Published{384, 6, 22'050'664, 4.60e9},
        Published{768, 12, 86'567'656, 17.56e9}}) {
    const Cost cost = vit_cost({.embedding = p.embedding, .heads = p.heads});
    EXPECT_EQ(cost.parameters, p.parameters);
    EXPECT_NEAR(static_cast<double>(cost.multiply_adds), p.multiply_adds, 0.005e9);
  }
}

TEST(Vit, CostsWhatTheFormulaSays) {
  const VitOptions small{.height = 32,
                         .width = 32,
                         .classes = 10,
                         .patch = 4,
                         .embedding = 128,
                         .layers = 6,
                         .heads = 4};
  EXPECT_EQ(vit_cost(small).parameters, 1'205'898);
  for (const VitOptions& options : {tiny_options(), small}) {
    Vit net(options);
    EXPECT_EQ(net.parameter_count(), vit_cost(options).parameters);
    Tensor x = zeros({1, options.height, options.width, options.channels});
    EXPECT_EQ(multiply_adds(net, x), vit_cost(options).multiply_adds);
  }
}

TEST(Vit, HasExactGradientsStagesAndState) {
  manual_seed(1);
  Vit tiny(tiny_options());
  for (Tensor& p : tiny.parameters()) init::normal_(p, 0, 0.5);
  Tensor x = random({2, 8, 12, 2}, 2);
  expect_gradients(tiny, x);
  expect_stages(tiny, x, {"patch", "blocks.0", "blocks.1", "norm", "head"});
  expect_state_goes_round([&] { return std::make_unique<Vit>(tiny_options()); }, x.to(DType::f32));
}

// Without positions the order of the patches does not matter to the class token; with them it does.
TEST(Vit, KnowsOrderOnlyByPosition) {
  manual_seed(1);
  Vit net(tiny_options());
  net.to(DType::f64);
  NoGrad off;
  Tensor x = random({1, 8, 12, 2}, 2);
  Tensor moved = concatenate({x.slice(2, 4, 12), x.slice(2, 0, 4)}, 2);
  auto difference = [&] { return sum(abs(net(x) - net(moved))).item(); };
  EXPECT_GT(difference(), 1e-6);
  for (auto& [name, tensor] : net.named_parameters())
    if (name == "position") fill_(tensor, 0);
  EXPECT_LT(difference(), 1e-12);
}

TEST(Vit, SaysWhatItTakes) {
  VitOptions odd = tiny_options();
  odd.width = 10;
  EXPECT_FAILS(Vit(odd), "an image of 8x10 does not divide into patches of 4x4");
  Vit net(tiny_options());
  EXPECT_FAILS(net(zeros({1, 8, 8, 2})), "images \\[N, 8, 12, 2\\].*got f32\\[1,8,8,2\\]");
}

}  // namespace
}  // namespace strata::test
