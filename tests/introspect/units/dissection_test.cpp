// Network dissection: exact thresholds, IoU with known answers, and the generated data's concepts.
#include "tools/introspect/units/dissection.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/units/terrace_concepts.h"

namespace strata::introspect {
namespace {

using namespace test;

TEST(TopQuantiles, AreExactWhateverTheBatches) {
  Tensor x = random({64, 5, 5, 3}, 1).to(DType::f32);  // 1600 responses a unit
  auto stream = [&](int64_t batch) {
    TopQuantiles quantiles(0.01, 1600);
    for (int64_t i = 0; i < 64; i += batch) quantiles.add(x.slice(0, i, i + batch));
    return quantiles.thresholds();
  };
  auto whole = stream(64);
  EXPECT_EQ(whole, stream(3));
  for (int64_t u = 0; u < 3; ++u) {
    auto sorted = x.select(3, u).to_vector<double>();
    std::sort(sorted.begin(), sorted.end(), std::greater<>());
    EXPECT_EQ(whole[static_cast<size_t>(u)], sorted[16]);  // sixteen lie above
  }
}

TEST(TopQuantiles, OfADeadUnitLeaveItOff) {
  TopQuantiles quantiles(0.1, 32);
  quantiles.add(zeros({2, 4, 4, 1}));
  Dissection dissection(quantiles.thresholds(), {{"all", 1}});
  dissection.add(zeros({2, 4, 4, 1}), ones({2, 4, 4, 1}));
  LayerDissection result = dissection.result();
  EXPECT_EQ(result.units[0].iou, 0);
  EXPECT_EQ(result.units[0].share, 0);
  EXPECT_EQ(result.detectors, 0);
}

TEST(TopQuantiles, RefuseACountThatIsWrong) {
  TopQuantiles quantiles(0.1, 100);
  quantiles.add(zeros({2, 4, 4, 1}));
  EXPECT_FAILS(quantiles.thresholds(), "100 responses a unit were announced and 32 seen");
  EXPECT_FAILS(TopQuantiles(0, 100), "share between 0 and 1");
}

TEST(Dissection, AUnitThatIsAMaskHasIouOne) {
  Generator generator(2);
  Tensor masks = bernoulli({20, 16, 16, 3}, 0.2, &generator);
  Tensor activation = masks.to(DType::f32).slice(3, 1, 2) * 3.0 - 1.0;
  double share = mean(masks.select(3, 1).to(DType::f64)).item();
  TopQuantiles quantiles(share + 1e-9, 20 * 256);
  quantiles.add(activation);
  Dissection dissection(quantiles.thresholds(), {{"a", 1}, {"b", 4}, {"c", 2}});
  for (int64_t i = 0; i < 20; i += 7) {
    dissection.add(activation.slice(0, i, i + 7), masks.slice(0, i, i + 7));
  }
  LayerDissection result = dissection.result();
  EXPECT_EQ(result.units[0].concept_index, 1);
  EXPECT_EQ(result.units[0].iou, 1);
  EXPECT_NEAR(result.units[0].ceiling, 1, 1e-12);
  EXPECT_EQ(result.detectors, 1);
  EXPECT_EQ(result.mean_level, 4);
  EXPECT_EQ(result.unique, (std::vector<int64_t>{1}));
}

TEST(Dissection, IndependentMasksHaveTheIouOfChance) {
  // Areas a and b: a b / (a + b - a b).
  double a = 0.3, b = 0.4;
  Generator generator(3);
  Tensor masks = bernoulli({8, 512, 512, 1}, b, &generator);
  Tensor activation = rand({8, 512, 512, 1}, 0, 1, DType::f32, &generator);
  TopQuantiles quantiles(a, 8 * 512 * 512);
  quantiles.add(activation);
  Dissection dissection(quantiles.thresholds(), {{"chance", 1}});
  dissection.add(activation, masks);
  LayerDissection result = dissection.result();
  EXPECT_NEAR(result.units[0].share, a, 1e-4);
  EXPECT_NEAR(result.area[0], b, 1e-3);
  EXPECT_NEAR(result.units[0].iou, a * b / (a + b - a * b), 1e-3);
}

TEST(Dissection, MapsAreInterpolatedToTheImage) {
  // A unit that is on in one of 4 x 4 places; at 16 x 16, half of its peak is passed by the pixels
  // whose bilinear weights' product is above 1/2.
  Tensor activation = zeros({1, 4, 4, 1});
  fill_(activation.slice(1, 1, 2).slice(2, 2, 3), 1);
  Tensor on = greater(upsample_bilinear2d(activation, 16, 16), scalar(0.5));
  Dissection dissection({0.5}, {{"itself", 2}, {"the place's cell", 3}});
  Tensor cell = zeros({1, 16, 16, 1});
  fill_(cell.slice(1, 4, 8).slice(2, 8, 12), 1);
  dissection.add(activation, concatenate({on.to(DType::f32), cell}, 3));
  LayerDissection result = dissection.result();
  EXPECT_EQ(result.iou[0], 1);
  // Of the 4 x 4 pixels of the cell, weights 5/8 or 7/8 along each axis: all but the four corners
  // (25/64) pass, and nothing outside does.
  EXPECT_NEAR(result.iou[1], 12.0 / 16, 1e-12);
}

TEST(Dissection, ALayersLevelIsThatOfItsDetectors) {
  Generator generator(4);
  Tensor masks = bernoulli({8, 16, 16, 2}, 0.1, &generator);
  Tensor noise = rand({8, 16, 16, 2}, 0, 1, DType::f32, &generator);
  Tensor activation = concatenate({masks.to(DType::f32), noise}, 3);
  Dissection dissection({0.5, 0.5, 0.995, 0.995}, {{"low", 1}, {"high", 5}});
  dissection.add(activation, masks);
  LayerDissection result = dissection.result();
  EXPECT_EQ(result.detectors, 0.5);
  EXPECT_EQ(result.mean_level, 3);
  for (auto& unit : result.units) EXPECT_LE(unit.iou, unit.ceiling + 1e-12);
  EXPECT_FAILS(dissection.add(noise, masks),
               R"(activation f32\[8,16,16,2\].*expected .N, h, w, 4)");
}

Terrace data() { return Terrace(terrace_task("scene"), 1, 60); }

TEST(TerraceConcepts, MasksSayWhatTheRecordsSay) {
  Terrace terrace = data();
  auto concepts = terrace_concepts();
  Tensor masks = terrace_masks(terrace, 0, 60);
  ASSERT_EQ(masks.shape(), (Dims{60, 32, 32, static_cast<int64_t>(concepts.size())}));
  // Exactly one hue, one orientation, one background, ... in each image, and one or two textures.
  Tensor present = any(masks, {1, 2}).to(DType::i64);
  auto count_of = [&](const std::string& factor) {
    Tensor total = zeros({60}, DType::i64);
    for (size_t k = 0; k < concepts.size(); ++k) {
      if (concepts[k].name.rfind(factor + " ", 0) != 0) continue;
      total = total + present.select(1, static_cast<int64_t>(k));
    }
    return total;
  };
  for (const char* factor :
       {"hue", "orientation", "frequency", "junction", "background", "object", "scene"}) {
    EXPECT_EQ(min(count_of(factor)).item(), 1) << factor;
    EXPECT_EQ(max(count_of(factor)).item(), 1) << factor;
  }
  EXPECT_EQ(max(count_of("texture")).item(), 2);
  EXPECT_EQ(max(count_of("outline")).item(), 2);
  // Background and parts share the image without rest.
  auto area_of = [&](const std::string& factor) {
    double area = 0;
    for (size_t k = 0; k < concepts.size(); ++k) {
      if (concepts[k].name.rfind(factor + " ", 0) != 0) continue;
      area += mean(masks.select(3, static_cast<int64_t>(k)).to(DType::f64)).item();
    }
    return area;
  };
  EXPECT_NEAR(area_of("background") + area_of("object"), 1, 1e-12);
  EXPECT_NEAR(area_of("scene"), 1, 1e-12);
  EXPECT_FAILS(terrace_masks(terrace, 50, 20), "images 50 to 70 of a data set of 60");
}

TEST(TerraceConcepts, AUnitThatReadsRedDetectsAHue) {
  // Pixels alone: red above the larger of green and blue.
  Terrace terrace = data();
  Tensor pixels = terrace.head(60).images * from_vector(terrace.deviation, {3}) +
                  from_vector(terrace.mean, {3});
  Tensor red = relu(pixels.slice(3, 0, 1) - max(pixels.slice(3, 1, 3), {3}, true));
  TopQuantiles quantiles(0.02, 60 * 1024);
  quantiles.add(red);
  auto concepts = terrace_concepts();
  Dissection dissection(quantiles.thresholds(), concepts);
  dissection.add(red, terrace_masks(terrace, 0, 60));
  LayerDissection result = dissection.result();
  auto best = static_cast<size_t>(result.units[0].concept_index);
  EXPECT_EQ(concepts[best].name, "hue red");
  EXPECT_GT(result.units[0].iou, 0.2);
}

}  // namespace
}  // namespace strata::introspect
