// E11: where things are in generated images, maps that are laid rightly, pairs that differ in one
// factor, the verdict's thresholds one by one, and networks that learned nothing.
#include <gtest/gtest.h>

#include "engine/ops.h"
#include "models/vision/convnet.h"
#include "tests/support/expect.h"
#include "tools/experiments/attribution_figures.h"
#include "tools/experiments/attribution_truth.h"
#include "tools/experiments/list.h"
#include "tools/introspect/scores/localisation.h"

namespace strata::experiments {
namespace {

Terrace marked_images(double shortcut, int64_t count) {
  TerraceOptions options = terrace_task("outline");
  options.shortcut = shortcut;
  return {options, 3, count};
}

int64_t pixels(const Tensor& mask) { return static_cast<int64_t>(sum(mask.to(DType::f64)).item()); }

TEST(ElementMask, OfTheMarkAndTheParts) {
  const Terrace data = marked_images(0, 8);
  const Tensor mark = element_mask(data, {0, 5}, Element::mark);
  EXPECT_EQ(pixels(mark), 18);
  EXPECT_EQ(pixels(mark.slice(1, 1, 4).slice(2, 1, 4)), 18) << "three by three, one from the edge";
  const Tensor above = element_mask(data, {0}, Element::part_above),
               below = element_mask(data, {0}, Element::part_below);
  EXPECT_NEAR(static_cast<double>(pixels(above)), 133, 60);
  const Tensor rows = arange(0, 32, 1, DType::f64);
  auto centre = [&](const Tensor& m) {
    return sum(sum(m.to(DType::f64), {0, 2}) * rows).item() / static_cast<double>(pixels(m));
  };
  EXPECT_LT(centre(above) + 8, centre(below));
  EXPECT_FAILS(element_mask(Terrace(terrace_task("outline"), 3, 8), {2}, Element::mark),
               "image 2 does not show the element");
}

TEST(Counterfactuals, ChangeTheFactorAndNothingOutsideTheMask) {
  const Terrace data = marked_images(0, 8);
  const Counterfactuals pairs = counterfactuals(data, {1, 4, 6}, terrace::outline_above);
  for (size_t i = 0; i < 3; ++i) EXPECT_NE(pairs.was[i], pairs.is[i]);
  const Tensor outside = logical_not(pairs.mask).unsqueeze(3).to(DType::f32);
  EXPECT_EQ(max(abs((pairs.x - pairs.changed) * outside)).item(), 0);
  EXPECT_GT(max(abs(pairs.x - pairs.changed)).item(), 0.5);
  // A model of the lower half does not see it, one of everything does not keep still.
  auto brightness = [](int64_t first) {
    return introspect::Scores([first](const Tensor& x) {
      const Tensor light = mean(x.slice(1, first, 32), {1, 2, 3});
      return concatenate({light.unsqueeze(1), zeros({x.size(0), 1})}, 1);
    });
  };
  EXPECT_EQ(flipped(brightness(30), pairs), 0);
  Counterfactuals turned = pairs;
  turned.changed = -pairs.x;
  EXPECT_EQ(flipped(brightness(0), turned), 1);
}

TEST(Misalignment, NoneWhereMapsAreLaidBetweenCentres) {
  for (int64_t cells : {8, 16}) EXPECT_LE(misalignment(32, cells), 1e-9) << cells;
}

TEST(SignedMap, OfALinearModelIsItsWeights) {
  const Terrace data = marked_images(0, 4);
  inspect::Subject subject;
  subject.test = std::make_unique<Terrace>(data);
  inspect::Request request{subject, inspect::inputs_of(data, {0, 1}, "test")};
  request.target = {0, 1};
  Generator generator(4);
  const Tensor weight = randn({32 * 32 * 3, 2}, 0, 1, DType::f32, &generator);
  const introspect::Scores linear = [&](const Tensor& x) {
    return matmul(x.reshape({x.size(0), -1}), weight);
  };
  const Tensor map = signed_map("gradient", request, linear);
  const Tensor expected = sum(weight.transpose(0, 1).contiguous().reshape({2, 32, 32, 3}), {3});
  EXPECT_LT(max(abs(map - expected)).item(), 1e-5);
  EXPECT_LT(min(map).item(), 0) << "the sign is kept";
  EXPECT_FAILS(signed_map("gradcm", request, linear), "no attribution method 'gradcm'.*gradcam");
}

TEST(CheckStimuli, AscentBeatsTheData) {
  const Terrace data = marked_images(0, 60);
  manual_seed(2);
  ConvNet net({.classes = 4, .widths = {6, 8, 8}, .halve = {1, 2}});
  net.eval();
  const StimulusCheck check =
      check_stimuli(net, data, 60, {.layer = "conv3", .units = 2, .steps = 24, .top = 4});
  ASSERT_EQ(check.units.size(), 2u);
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_GE(check.percentile[i], 95);
    EXPECT_EQ(check.top[i].size(), 4u);
  }
  EXPECT_EQ(check.layers, (std::vector<std::string>{"conv1", "conv2"}));
  for (double r : check.real_path) EXPECT_LE(std::abs(r), 1);
}

Json good_seed() {
  Json s;
  s["accuracy"] = {{"fair", 0.98}, {"biased", 0.97}, {"biased_without_mark", 0.5}};
  s["explained"] = 32;
  s["truth"]["area"] = 0.13;
  s["truth"]["methods"]["random"] = {{"mass", 0.131}};
  s["truth"]["layers"]["gradcam"] = {
      {"conv1", {{"mass", 0.15}}},
      {"conv5", {{"mass", 0.4}, {"untrained_mass", 0.14}, {"pointing", 0.9}, {"road", 2}}}};
  for (const std::string& method : cascaded) {
    s["cascade"][method] = {{"rank", std::vector<double>(6, 0.1)},
                            {"magnitude", 0.3},
                            {"redrawn", std::vector<double>(8, 0.1)}};
    s["cascade"]["guided-backprop"]["redrawn"] = std::vector<double>(8, 0.6);
  }
  for (const std::string& method : pixel_methods)
    s["shortcut"][method] = {{"biased", 0.8}, {"fair", 0.02}};
  s["deciding"] = {{"flipped", 0.95}, {"mass", 0.6}, {"area", 0.2}};
  s["other"] = {{"flipped", 0.05}, {"mass", 0.2}, {"area", 0.2}};
  s["stimuli"]["percentile"] = {100, 99.5};
  s["misalignment"] = 1e-15;
  return s;
}

Result judged(const Json& seed) {
  return attribution_truth().judge({good_seed(), seed}, Budget::small);
}

TEST(Judge, SupportedByGoodNumbers) {
  const Result r = judged(good_seed());
  EXPECT_EQ(r.verdict, Verdict::supported) << r.why;
  EXPECT_NE(r.answer.find("3.1 times"), std::string::npos) << r.answer;
}

TEST(Judge, EachThresholdTurnsItsMeasure) {
  const std::vector<std::pair<std::string, double>> worse = {
      {"/truth/layers/gradcam/conv5/mass", 0.24}, {"/truth/layers/gradcam/conv1/mass", 0.3},
      {"/cascade/gradient/redrawn/5", 1.75},      {"/cascade/integrated-gradients/redrawn/5", 1.75},
      {"/cascade/gradcam/redrawn/5", 1.75},       {"/shortcut/occlusion/biased", 0.55},
      {"/shortcut/occlusion/fair", 0.15},         {"/stimuli/percentile/1", 98}};
  for (size_t i = 0; i < worse.size(); ++i) {
    Json seed = good_seed();
    seed[Json::json_pointer(worse[i].first)] = worse[i].second;
    const Result r = judged(seed);
    EXPECT_EQ(r.verdict, Verdict::in_part) << worse[i].first;
    EXPECT_FALSE(r.measures[i].passed) << worse[i].first;
  }
}

TEST(Judge, AFailingControlIsDecisive) {
  const std::vector<std::pair<std::string, double>> worse = {
      {"/accuracy/fair", 0.5},
      {"/accuracy/biased_without_mark", 0.95},
      {"/deciding/flipped", 0.2},
      {"/other/flipped", 0.6},
      {"/explained", 3},
      {"/misalignment", 0.5},
      {"/truth/methods/random/mass", 0.3},
      {"/truth/layers/gradcam/conv5/untrained_mass", 0.3}};
  for (const auto& [path, value] : worse) {
    Json seed = good_seed();
    seed[Json::json_pointer(path)] = value;
    EXPECT_EQ(judged(seed).verdict, Verdict::not_supported) << path;
  }
}

TEST(Judge, ANetworkThatClassifiesNothingRightlyIsNotSupported) {
  const Json nothing = {{"accuracy", {{"fair", 0}, {"biased", 0}, {"biased_without_mark", 0}}}};
  EXPECT_EQ(judged(nothing).verdict, Verdict::not_supported);
}

TEST(Run, MovingLayersAreAnError) {
  Context context;
  context.lie = Lie::moving_layers;
  EXPECT_FAILS(attribution_truth().run_seed(context), "freezes no layers");
}

}  // namespace
}  // namespace strata::experiments
