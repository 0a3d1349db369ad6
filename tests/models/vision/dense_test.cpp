// U-Net, the detector, and their scores: counts, gradients, skips, targets there and back, the loss
// against its formula, and average precision against curves drawn by hand.
#include <cmath>

#include "engine/nn/init.h"
#include "models/vision/boxes.h"
#include "models/vision/detector.h"
#include "models/vision/unet.h"
#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

TEST(UNet, CountsGradientsStagesState) {
  EXPECT_EQ(unet_parameter_count({}), 117'395);
  // The size of the paper with batch norms, one class: as the common PyTorch version.
  EXPECT_EQ(unet_parameter_count({.classes = 1, .width = 64, .depth = 5}), 31'037'633);
  EXPECT_EQ(UNet().parameter_count(), unet_parameter_count({}));
  manual_seed(1);
  UNet tiny({.channels = 2, .classes = 3, .width = 3, .depth = 3});
  EXPECT_EQ(tiny.parameter_count(), unet_parameter_count({2, 3, 3, 3}));
  const Tensor x = random({2, 8, 8, 2}, 2);
  EXPECT_EQ(UNet({2, 3, 3, 3})(x.to(DType::f32)).shape(), (Dims{2, 8, 8, 3}));
  expect_gradients(tiny, x);
  expect_stages(tiny, x, {"down0", "down1", "down2", "up1", "up0", "head"});
  expect_state_goes_round(
      [] {
        return std::make_unique<UNet>(UNetOptions{2, 3, 3, 3});
      },
      x.to(DType::f32));
  EXPECT_FAILS(UNet()(zeros({1, 10, 12, 3})), "divide by 4; got f32\\[1,10,12,3\\]");
}

// A single pixel reaches its own place through the skip, and only far ones through the depth.
TEST(UNet, SkipsKeepWhereThingsAre) {
  manual_seed(2);
  UNet net({.channels = 1, .classes = 1, .width = 4, .depth = 3});
  net.eval();
  Tensor x = random({1, 16, 16, 1}, 3).to(DType::f32).set_requires_grad();
  const Tensor out = net(x);
  sum(out.slice(1, 8, 9).slice(2, 8, 9)).backward();
  const auto touched = values(abs(x.grad()));
  EXPECT_GT(touched[8 * 16 + 8], 0);
  EXPECT_GT(touched[0], 0);  // the whole image is in sight at the bottom
  // Without skips (zeros in their place) the same network says the same of all four pixels that
  // were pooled together only if the raising kernel does: the skip is what changes the result.
  UNetUp up(3);
  up.eval();
  const Tensor low = random({1, 2, 2, 6}, 4).to(DType::f32);
  const Tensor skip = random({1, 4, 4, 3}, 5).to(DType::f32);
  EXPECT_NE(values(up(low)), values(up(low, skip)));
}

TEST(UNet, IntersectionOverUnionOfKnownMaps) {
  auto map = [](std::vector<int64_t> v) { return from_vector(v, {1, 2, 4}); };
  const auto iou =
      intersection_over_union(map({0, 0, 1, 1, 2, 2, 1, 1}), map({0, 1, 1, 1, 2, 2, 2, 0}), 4);
  EXPECT_DOUBLE_EQ(iou[0], 1.0 / 3);
  EXPECT_DOUBLE_EQ(iou[1], 2.0 / 5);
  EXPECT_DOUBLE_EQ(iou[2], 2.0 / 3);
  EXPECT_TRUE(std::isnan(iou[3]));
  EXPECT_FAILS(
      intersection_over_union(map({0, 0, 0, 0, 0, 0, 0, 9}), map({0, 0, 0, 0, 0, 0, 0, 0}), 4),
      "label 9 is none of 4");
}

TEST(Boxes, OverlapAndSuppression) {
  const Box a{0, 0, 4, 4}, b{2, 0, 6, 4};
  EXPECT_DOUBLE_EQ(overlap(a, a), 1);
  EXPECT_DOUBLE_EQ(overlap(a, b), 8.0 / 24);
  EXPECT_DOUBLE_EQ(overlap(a, {4, 0, 8, 4}), 0);
  EXPECT_DOUBLE_EQ(overlap({1, 1, 1, 1}, {1, 1, 1, 1}), 0);
  const auto kept =
      suppress_overlaps({{a, 0, 0.3}, {{0, 0, 4, 5}, 0, 0.9}, {a, 1, 0.2}, {b, 0, 0.5}}, 0.5);
  ASSERT_EQ(kept.size(), 3u);  // a of class 0 lies under a better box; of class 1 it does not
  EXPECT_EQ(kept[0].score, 0.9);
  EXPECT_EQ(kept[1].score, 0.5);
  EXPECT_EQ(kept[2].label, 1);
}

TEST(Boxes, AveragePrecisionByHand) {
  const Box a{0, 0, 4, 4}, b{10, 0, 14, 4}, c{0, 10, 4, 14}, off{20, 20, 24, 24};
  const std::vector<std::vector<LabelledBox>> truth = {{{a, 0}, {b, 0}}, {{c, 0}, {a, 1}}};
  // Best to worst: right, wrong, right, wrong (b is taken), right: precisions 1, 2/3, 3/5.
  const std::vector<std::vector<Detection>> found = {
      {{a, 0, 0.9}, {off, 0, 0.8}, {b, 0, 0.7}, {b, 0, 0.6}}, {{c, 0, 0.5}}};
  EXPECT_NEAR(average_precision(found, truth, 0), (1 + 2.0 / 3 + 3.0 / 5) / 3, 1e-12);
  EXPECT_EQ(average_precision(found, truth, 1), 0);
  EXPECT_TRUE(std::isnan(average_precision(found, truth, 2)));
  EXPECT_NEAR(mean_average_precision(found, truth, 3), (1 + 2.0 / 3 + 3.0 / 5) / 6, 1e-12);
  // A precision that rises again counts from the left: wrong, right, right.
  const std::vector<std::vector<Detection>> late = {{{off, 0, 0.9}, {a, 0, 0.8}, {b, 0, 0.7}}, {}};
  EXPECT_NEAR(average_precision(late, truth, 0), (2.0 / 3 + 2.0 / 3) / 3, 1e-12);
  EXPECT_FAILS(average_precision({}, truth, 0), "0 images and true boxes of 2");
}

TEST(Detector, CountsGradientsStagesState) {
  EXPECT_EQ(detector_parameter_count({}), 144'472);
  EXPECT_EQ(Detector().parameter_count(), 144'472);
  manual_seed(1);
  Detector tiny({.channels = 2, .classes = 2, .width = 2});
  EXPECT_EQ(tiny.parameter_count(), detector_parameter_count({2, 2, 2}));
  const Tensor x = random({2, 16, 16, 2}, 2);
  expect_gradients(tiny, x);
  expect_stages(tiny, x, {"conv1", "conv2", "conv3", "conv4", "conv5", "conv6", "conv7", "head"});
  expect_state_goes_round(
      [] {
        return std::make_unique<Detector>(DetectorOptions{2, 2, 2});
      },
      x.to(DType::f32));
}

const std::vector<std::vector<LabelledBox>> two_images = {
    {{{3, 2, 15, 13}, 1}, {{18, 20, 30, 31}, 0}}, {{{10, 9, 22, 25}, 2}}};

// The map that the targets describe is decoded into the boxes they were made from.
TEST(Detector, DecodesItsOwnTargets) {
  Detector detector({.classes = 3});
  const DetectorTargets t = detector.targets(two_images, 32, 32);
  EXPECT_EQ(sum(t.centre).item(), 3);
  EXPECT_EQ(values(max(t.heat, {1, 2})), (std::vector<double>{1, 1, 0, 0, 0, 1}));
  const Tensor p = clamp(t.heat, 1e-4, 1 - 1e-4);
  const auto found = detector.decode(concatenate({log(p / (1 - p)), t.boxes}, 3));
  for (size_t i = 0; i < two_images.size(); ++i) {
    ASSERT_EQ(found[i].size(), two_images[i].size());
    for (const LabelledBox& want : two_images[i]) {
      double best = 0;
      for (const Detection& d : found[i])
        if (d.label == want.label) best = std::max(best, overlap(d.box, want.box));
      EXPECT_NEAR(best, 1, 1e-5);
    }
  }
  EXPECT_NEAR(mean_average_precision(found, two_images, 3, 0.95), 1, 1e-12);
  EXPECT_EQ(detector.decode(concatenate({log(p / (1 - p)), t.boxes}, 3), 1)[0].size(), 1u);
}

TEST(Detector, LossIsItsFormula) {
  Detector detector({.classes = 3});
  const DetectorTargets t = detector.targets(two_images, 32, 32);
  const Tensor out = random({2, 8, 8, 7}, 6);
  const auto o = values(out), heat = values(t.heat), box = values(t.boxes), at = values(t.centre);
  double want = 0;
  for (size_t cell = 0; cell < 128; ++cell) {
    for (size_t k = 0; k < 3; ++k) {
      const double p = 1 / (1 + std::exp(-o[cell * 7 + k])), y = heat[cell * 3 + k];
      want += y == 1 ? -std::pow(1 - p, 2) * std::log(p)
                     : -std::pow(1 - y, 4) * p * p * std::log(1 - p);
    }
    for (size_t k = 0; k < 4; ++k)
      want += at[cell] * (k < 2 ? 0.1 : 1.0) * std::abs(o[cell * 7 + 3 + k] - box[cell * 4 + k]);
  }
  EXPECT_NEAR(detector.loss(out, t).item(), want / 3, 1e-6 * want);
  // No object: nothing to divide by, and only the background's part.
  const DetectorTargets nothing = detector.targets({{}, {}}, 32, 32);
  EXPECT_TRUE(std::isfinite(detector.loss(out, nothing).item()));
}

TEST(Detector, SaysWhatDoesNotFit) {
  Detector detector;
  EXPECT_FAILS(detector.targets({{{{0, 0, 4, 4}, 4}}}, 32, 32), "class 4.*there are 4 classes");
  EXPECT_FAILS(detector.targets({{{{30, 0, 40, 4}, 0}}}, 32, 32), "centres lie in the image");
  EXPECT_FAILS(detector(zeros({1, 30, 32, 3})), "divide by 4");
}

}  // namespace
}  // namespace strata::test
