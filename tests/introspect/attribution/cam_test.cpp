// Class activation maps where they are known: above a layer under a mean and a linear head, for
// maps that were planted, and for images that shift.
#include "tools/introspect/attribution/cam.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tests/introspect/attribution/models.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;

using Cam = std::function<Tensor(const Scores&, const Tensor&, const std::vector<int64_t>&,
                                 const std::string&, bool rectify)>;
struct Method {
  const char* name;
  Cam map;
};
std::vector<Method> methods() {
  return {{"Grad-CAM", grad_cam},
          {"Grad-CAM++", grad_cam_plus_plus},
          {"HiResCAM", hires_cam},
          {"LayerCAM", layer_cam},
          {"EigenCAM", [](const Scores& model, const Tensor& x, const std::vector<int64_t>&,
                          const std::string& layer, bool) { return eigen_cam(model, x, layer); }},
          {"Score-CAM",
           [](auto& model, auto& x, auto& target, auto& layer, bool rectify) {
             return score_cam(model, x, target, layer, {.rectify = rectify});
           }},
          {"Ablation-CAM", [](auto& model, auto& x, auto& target, auto& layer, bool rectify) {
             return ablation_cam(model, x, target, layer, {.rectify = rectify});
           }}};
}

// The rows of the head of a ConvNetwork for targets, [N, 1, 1, 5].
Tensor head_rows(const ConvNetwork& model, const std::vector<int64_t>& target) {
  auto count = static_cast<int64_t>(target.size());
  return index_select(model.head, 0, from_vector(target, {count})).reshape({count, 1, 1, 5});
}

TEST(GradCam, UnderAMeanAndALinearHeadIsCam) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 7), a = activation_of(model, x, "conv2");
  Tensor cam = sum(head_rows(model, {2, 1}) * a, {3});
  EXPECT_LT(largest_difference(grad_cam(model, x, {2, 1}, "conv2", false) * 16.0, cam), 1e-10);
  EXPECT_LT(largest_difference(grad_cam(model, x, {2, 1}, "conv2") * 16.0, relu(cam)), 1e-10);
  EXPECT_GT(max(-cam).item(), 0.1);  // there was something to rectify
}

TEST(HiResCam, SumsToTheScoreWithoutItsBias) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 7);
  auto sums = values(sum(hires_cam(model, x, {2, 1}, "conv2", false), {1, 2}));
  auto scores = scores_of(model, x, {2, 1});
  auto bias = values(model.head_bias);
  EXPECT_NEAR(sums[0], scores[0] - bias[2], 1e-10);
  EXPECT_NEAR(sums[1], scores[1] - bias[1], 1e-10);
  // And lower down in a network without biases, where everything flows through the layer.
  ConvNetwork free{.biased = false};
  sums = values(sum(hires_cam(free, x, {2, 1}, "conv1", false), {1, 2}));
  scores = scores_of(free, x, {2, 1});
  for (size_t n = 0; n < 2; ++n) EXPECT_NEAR(sums[n], scores[n], 1e-10);
}

TEST(LayerCam, KeepsWhatAPositiveGradientPraises) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 7), a = activation_of(model, x, "conv2");
  Tensor expected = sum(relu(head_rows(model, {0, 1})) * a, {3}) / 16.0;
  EXPECT_LT(largest_difference(layer_cam(model, x, {0, 1}, "conv2"), expected), 1e-12);
}

TEST(GradCamPlusPlus, IsItsFormulaInLoops) {
  ConvNetwork model;
  Tensor x = random({1, 8, 8, 2}, 7), a = activation_of(model, x, "conv1");
  Tensor g = input_gradient(from_layer(model, x, "conv1"), a, {1});
  auto A = values(a), G = values(g);
  std::vector<double> map(64, 0);
  for (size_t c = 0; c < 4; ++c) {
    double total = 0, weight = 0;
    for (size_t p = 0; p < 64; ++p) total += A[p * 4 + c];
    for (size_t p = 0; p < 64; ++p) {
      double slope = G[p * 4 + c], below = 2 * slope * slope + total * slope * slope * slope;
      if (below != 0) weight += slope * slope / below * std::max(slope, 0.0);
    }
    for (size_t p = 0; p < 64; ++p) map[p] += weight * A[p * 4 + c];
  }
  Tensor found = grad_cam_plus_plus(model, x, {1}, "conv1", false);
  EXPECT_LT(largest_difference(found, from_vector(map, {1, 8, 8})), 1e-10);
}

TEST(EigenCam, OfARankOneActivationIsItsPattern) {
  Tensor pattern = abs(random({2, 6, 6, 1}, 1)), channels = abs(random({2, 1, 1, 4}, 2));
  Scores model = [&](const Tensor& x) {
    return mean(show("maps", x * channels.slice(0, 0, x.size(0))), {1, 2});
  };
  Tensor map = eigen_cam(model, pattern, "maps");
  Tensor lengths = norm(channels, {3}, true).reshape({2, 1, 1});
  EXPECT_LT(largest_difference(map, pattern.squeeze(3) * lengths), 1e-10);
  // Of a negative activation too: the sign is the map's to choose.
  EXPECT_LT(largest_difference(eigen_cam(model, -pattern, "maps"), map), 1e-10);
}

TEST(ScoreCam, OneConstantMaskIsTheChangeOfTheScore) {
  Tensor weight = random({3, 32}, 1), x = random({2, 4, 4, 2}, 2), baseline = random({4, 4, 2}, 3);
  Scores model = [&](const Tensor& in) {
    show("map", in.slice(3, 0, 1) * 0.0 + 2.0);
    return linear(tanh(in.flatten(1)), weight);
  };
  PerturbedCamOptions options{.rectify = false, .baseline = baseline};
  Tensor map = score_cam(model, x, {2, 0}, "map", options);
  auto with = scores_of(model, x, {2, 0});
  auto without = scores_of(model, baseline.expand(x.shape()), {2, 0});
  for (int64_t n = 0; n < 2; ++n) {
    auto i = static_cast<size_t>(n);
    Tensor expected = full({4, 4}, 2 * (with[i] - without[i]), DType::f64);
    EXPECT_LT(largest_difference(map.select(0, n), expected), 1e-10);
  }
}

TEST(ScoreCam, WeighsMasksByTheScoresTheyLeave) {
  // Channel k of the layer is the image in the half k and 0 elsewhere.
  Tensor half = concatenate({ones({4, 2, 1}, DType::f64), zeros({4, 2, 1}, DType::f64)}, 1);
  Scores model = [&](const Tensor& x) {
    Tensor maps = concatenate({x * half, x * (1.0 - half)}, 3);
    return sum(show("halves", maps) * from_values({3, 5}).to(DType::f64), {1, 2, 3});
  };
  Tensor x = ones({1, 4, 4, 1}, DType::f64);
  PerturbedCamOptions options{.rectify = false};
  Tensor map = score_cam(model, x, {}, "halves", options);
  EXPECT_NEAR(map.select(0, 0).select(0, 1).select(0, 0).item(), 8 * 3, 1e-10);
  EXPECT_NEAR(map.select(0, 0).select(0, 1).select(0, 3).item(), 8 * 5, 1e-10);
  options.softmax = true;
  map = score_cam(model, x, {}, "halves", options);
  EXPECT_NEAR(map.select(0, 0).select(0, 1).select(0, 3).item(), 1 / (1 + std::exp(-16.0)), 1e-10);
}

TEST(AblationCam, UnderALinearHeadWeighsByTheTermsOfTheScore) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 7), a = activation_of(model, x, "conv2");
  Tensor weights = head_rows(model, {2, 1}) * mean(a, {1, 2}, true);
  Tensor map = ablation_cam(model, x, {2, 1}, "conv2", {.rectify = false});
  EXPECT_LT(largest_difference(map, sum(weights * a, {3})), 1e-10);
}

TEST(Cam, EveryExampleOfABatchHasItsOwnMap) {
  ConvNetwork model;
  Tensor x = random({3, 8, 8, 2}, 9);
  for (auto& method : methods()) {
    Tensor whole = method.map(model, x, {0, 1, 2}, "conv1", false);
    EXPECT_EQ(whole.shape(), (Dims{3, 8, 8})) << method.name;
    for (int64_t n = 0; n < 3; ++n) {
      Tensor alone = method.map(model, x.slice(0, n, n + 1), {n}, "conv1", false);
      EXPECT_LT(largest_difference(whole.slice(0, n, n + 1), alone), 1e-12) << method.name;
    }
    EXPECT_GT(largest_difference(whole.slice(0, 0, 1), whole.slice(0, 1, 2)), 1e-3) << method.name;
    Tensor positive = method.map(model, x, {0, 1, 2}, "conv1", true);
    if (std::string(method.name) != "EigenCAM") {
      EXPECT_EQ(largest_difference(positive, relu(whole)), 0) << method.name;
    }
  }
  PerturbedCamOptions small{.limit = {.examples = 3}};
  EXPECT_LT(largest_difference(score_cam(model, x, {0, 1, 2}, "conv1", small),
                               score_cam(model, x, {0, 1, 2}, "conv1")),
            1e-12);
  EXPECT_LT(largest_difference(ablation_cam(model, x, {0, 1, 2}, "conv1", small),
                               ablation_cam(model, x, {0, 1, 2}, "conv1")),
            1e-12);
}

TEST(Cam, ShiftsWithTheImage) {
  // A patch on nothing, moved by 4 pixels, and a layer at half the size: its map moves by 2 cells,
  // and the map in the size of the image by 4 pixels.
  ConvNetwork parts;
  Scores model = [&](const Tensor& x) {
    Tensor a = relu(conv2d(x, parts.kernel1, {}, {.padding = 1}));
    Tensor b = relu(conv2d(a, parts.kernel2, {}, {.stride = 2, .padding = 1}));
    return linear(mean(show("half", b), {1, 2}), parts.head);
  };
  Tensor patch = random({1, 4, 4, 2}, 3);
  Tensor x = pad(patch, {0, 8, 8, 0}, {0, 20, 20, 0});
  Tensor moved = pad(patch, {0, 12, 8, 0}, {0, 16, 20, 0});
  for (auto& method : methods()) {
    Tensor map = method.map(model, x, {1}, "half", false);
    Tensor after = method.map(model, moved, {1}, "half", false);
    ASSERT_EQ(map.shape(), (Dims{1, 16, 16}));
    EXPECT_GT(max(abs(map)).item(), 1e-4) << method.name;
    EXPECT_LT(largest_difference(map.slice(1, 1, 13), after.slice(1, 3, 15)), 1e-10) << method.name;
    Tensor large = upsample_map(map, 32, 32), large_after = upsample_map(after, 32, 32);
    EXPECT_LT(largest_difference(large.slice(1, 2, 26), large_after.slice(1, 6, 30)), 1e-10)
        << method.name;
  }
}

TEST(Cam, UpsamplingKeepsTheCentreOfACell) {
  // The weight's centre stands at the centre of its cell, (i + 1/2) * 8: not half a pixel beside.
  Tensor map = zeros({1, 4, 4}, DType::f64);
  map.data<double>()[1 * 4 + 2] = 1;
  Tensor large = upsample_map(map, 32, 32);
  Tensor places = (arange(0, 32).to(DType::f64) + 0.5);
  double total = sum(large).item();
  EXPECT_NEAR(sum(sum(large, {0, 2}) * places).item() / total, 12, 1e-12);
  EXPECT_NEAR(sum(sum(large, {0, 1}) * places).item() / total, 20, 1e-12);
  EXPECT_FAILS(upsample_map(zeros({4, 4}), 8, 8), R"(f32\[4,4\] must be \[N, h, w\])");
}

TEST(Cam, NamesTheActivationsThereAreAndThoseThatAreNoMaps) {
  ConvNetwork model;
  Tensor x = random({1, 8, 8, 2}, 8);
  for (auto& method : methods()) {
    EXPECT_FAILS(method.map(model, x, {0}, "conv9", true), "conv9.*conv1, conv2");
    EXPECT_FAILS(
        method.map(GraphNetwork{}, random({1, 5, 3, 1}, 1).squeeze(3), {0}, "graph1", true),
        "graph1.* is f64.1,5,4.* map|must be images");
  }
}

}  // namespace
}  // namespace strata::introspect
