// E9: the verdict's thresholds on invented numbers, controls that fail, and the parts that have a
// closed form: the loss of a guess, blocks that change nothing, signals that die.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/nn/init.h"
#include "engine/ops.h"
#include "tests/support/expect.h"
#include "tools/experiments/depth_series.h"
#include "tools/experiments/list.h"

namespace strata::experiments {
namespace {

Json good_seed() {
  const std::vector<double> alike(13, 0.95), cheap(13, 0.02), dear(13, 0.5);
  return {{"plain",
           {{"rate", {0.005, 0.005, 0.002, 0.002}},
            {"train_loss", {0.2, 0.4, 0.7, 1.0}},
            {"by_rate", {{0.3, 0.2, 0.3}, {0.4, 0.4, 0.4}, {0.7, 0.7, 0.7}, {1.2, 1.1, 1.0}}},
            {"test", {0.92, 0.8, 0.6, 0.5}},
            {"deep_similarity", alike},
            {"deep_skip", dear}}},
          {"residual",
           {{"rate", {0.005, 0.005, 0.005, 0.005}},
            {"train_loss", {0.2, 0.15, 0.12, 0.1}},
            {"test", {0.9, 0.94, 0.95, 0.95}},
            {"shallow_similarity", {0.8, 0.8, 0.8, 0.8}},
            {"shallow_skip", {0.1, 0.2, 0.3, 0.2}},
            {"deep_similarity", alike},
            {"deep_skip", cheap}}},
          {"bare", {{"shallow", 0.7}, {"deep", 1.0}, {"deep_he", 0.8}}}};
}

Result judged(const std::function<void(Json&)>& change = [](Json&) {}) {
  Json seed = good_seed();
  change(seed);
  return diminishing_depth().judge({seed, seed}, Budget::small);
}

TEST(DiminishingDepth, EachThresholdCounts) {
  const Result good = judged();
  EXPECT_EQ(good.verdict, Verdict::supported) << good.why;
  EXPECT_DOUBLE_EQ(good.measures[0].per_seed[0], 1.0 - 0.2);
  EXPECT_DOUBLE_EQ(good.measures[1].per_seed[0], 1.0 - 0.1);
  EXPECT_NEAR(good.measures[2].per_seed[0], 0, 1e-12);            // 20 to 32
  EXPECT_NEAR(good.measures[3].per_seed[0], 0.01 - 0.02, 1e-12);  // .01 over half of .04
  EXPECT_GT(draw::render(good.pictures[0].figure).width, 0);
  EXPECT_GT(draw::render(good.pictures[1].figure).width, 0);
  const std::vector<std::pair<const char*, std::function<void(Json&)>>> changes = {
      {"degradation", [](Json& s) { s["plain"]["train_loss"][3] = 0.19; }},
      {"shortcuts cure it", [](Json& s) { s["residual"]["train_loss"][3] = 1.1; }},
      {"do not get worse", [](Json& s) { s["residual"]["test"][2] = 0.92; }},
      {"second doubling", [](Json& s) { s["residual"]["test"][3] = 0.97; }},
      {"does not start", [](Json& s) { s["bare"]["deep"] = 0.94; }},
      {"change little",
       [](Json& s) { s["residual"]["deep_similarity"] = std::vector<double>(13, 0.7); }},
      {"can be skipped",
       [](Json& s) { s["residual"]["deep_skip"] = std::vector<double>(13, 0.11); }}};
  for (const auto& [name, change] : changes) {
    const Result r = judged(change);
    EXPECT_EQ(r.verdict, Verdict::in_part) << name;
    EXPECT_NE(r.why.find(name), std::string::npos) << name << ": " << r.why;
  }
}

TEST(DiminishingDepth, AControlThatFailsExcludesNothing) {
  const std::vector<std::function<void(Json&)>> changes = {
      [](Json& s) { s["residual"]["test"][0] = 0.3; },  // untrained, or shuffled labels
      [](Json& s) { s["plain"]["test"][3] = 0.95; },    // worse in training, better on new images
      [](Json& s) { s["plain"]["by_rate"][3][0] = 0.25; },  // below plain-8 at a rate not chosen
      [](Json& s) { s["bare"]["shallow"] = 1; },
      [](Json& s) { s["bare"]["deep_he"] = 1; },
      [](Json& s) { s["plain"]["deep_skip"] = std::vector<double>(13, 0.001); }};
  for (size_t i = 0; i < changes.size(); ++i)
    EXPECT_EQ(judged(changes[i]).verdict, Verdict::not_supported) << i;
}

TEST(DiminishingDepth, FreezesNothing) {
  Context context;
  context.lie = Lie::moving_layers;
  EXPECT_FAILS(diminishing_depth().run_seed(context), "freezes no layers");
}

Images some_images(int64_t count) {
  Images images = load_images("terrace:outline", Split::test, 1, count);
  images.batch.images = avg_pool2d(images.batch.images, {.window = 4});
  return images;
}

TEST(MeanLoss, OfAGuessIsTheLogarithmOfTheClasses) {
  manual_seed(1);
  BarePlainNet model(3, 4, 3, 4, true);
  NoGrad off;
  for (auto& [name, tensor] : model.named_parameters())
    if (name.starts_with("head")) init::zeros_(tensor);
  EXPECT_NEAR(mean_loss(model, some_images(300)), std::log(4.0), 1e-6);
}

TEST(BarePlainNet, LosesItsSignalUnlessItStartsAsHeDoes) {
  const Tensor x = some_images(50).batch.images;
  // How far images lie apart in the last convolution's result, over that in the first one's.
  auto kept = [&](bool he) {
    manual_seed(1);
    BarePlainNet model(32, 16, 3, 4, he);
    NoGrad off;
    const auto features = layer_features(model, x, {"conv1", "conv31"}, 8);
    auto spread = [&](const char* layer) {
      const Tensor& f = features.at(layer);
      return norm(f - mean(f, {0}, true)).item();
    };
    return spread("conv31") / spread("conv1");
  };
  EXPECT_LT(kept(false), 1e-6);
  EXPECT_GT(kept(true), 1e-2);
}

TEST(Blocks, ThatKeepTheShapeAreAllButTwo) {
  EXPECT_EQ(shape_keeping_blocks(8).size(), 1u);
  const auto blocks = shape_keeping_blocks(20);
  ASSERT_EQ(blocks.size(), 7u);
  EXPECT_EQ(blocks[0].before, "conv1");
  EXPECT_EQ(blocks[0].block, "layer1.0");
  EXPECT_EQ(blocks[3].before, "layer2.0");
  EXPECT_EQ(blocks[3].block, "layer2.1");
}

TEST(Blocks, ThatAddNothingAreAlikeAndCostNothing) {
  manual_seed(1);
  const int64_t depth = 14;
  CifarResNet model({.depth = depth, .classes = 4, .width = 4});
  NoGrad off;
  // A second norm without gain or shift: relu(x + 0) of an x that is not negative.
  for (auto& [name, tensor] : model.named_parameters())
    if (name.find("conv2.norm") != std::string::npos) init::zeros_(tensor);
  const Images images = some_images(60);
  for (double alike : neighbour_similarity(model, images.batch.images, depth))
    EXPECT_NEAR(alike, 1, 1e-5);
  for (double cost : skip_costs(model, images, depth)) EXPECT_EQ(cost, 0);
}

}  // namespace
}  // namespace strata::experiments
