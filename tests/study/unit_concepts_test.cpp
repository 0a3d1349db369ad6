// Concepts of units beside chance: a planted detector, units that know nothing, and a concept that
// is everywhere.
#include "tools/study/unit_concepts.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/ops.h"
#include "tests/support/expect.h"

namespace strata::study {
namespace {

constexpr int64_t images = 40, side = 16;
const std::vector<introspect::Concept> concepts = {{"left", 1}, {"square", 3}, {"right", 1}};

// Masks [images, side, side, 3]: the left half of every image, a square of 4 x 4 at a place of each
// image's own, the right half.
Tensor planted_masks() {
  Generator generator(5);
  auto places = randint(0, side - 4, {images, 2}, DType::i64, &generator).to_vector<int64_t>();
  Tensor masks = zeros({images, side, side, 3}, DType::u8);
  uint8_t* values = masks.data<uint8_t>();
  for (int64_t n = 0; n < images; ++n) {
    int64_t top = places[static_cast<size_t>(2 * n)], left = places[static_cast<size_t>(2 * n + 1)];
    for (int64_t y = 0; y < side; ++y) {
      for (int64_t x = 0; x < side; ++x) {
        bool square = y >= top && y < top + 4 && x >= left && x < left + 4;
        uint8_t* pixel = values + ((n * side + y) * side + x) * 3;
        pixel[0] = x < side / 2, pixel[1] = square, pixel[2] = x >= side / 2;
      }
    }
  }
  return masks;
}

TEST(UnitConcepts, APlantedDetectorHasIouOneAndChanceFarBelow) {
  Tensor masks = planted_masks();
  // On in 16 of 256 places, more than the .02 that the threshold lets through: so the unit fires in
  // one part of the squares more than in the other, and its IoU is the share of that part.
  Generator generator(6);
  Tensor square = masks.slice(3, 1, 2).to(DType::f32);
  Tensor sure = square * 2.0 + rand({images, side, side, 1}, 0, 0.1, DType::f32, &generator);
  Tensor some = square.slice(0, 0, 12);  // squares in 12 images of 40: .019 of all places
  Tensor rare = concatenate({some, zeros({images - 12, side, side, 1}, DType::f32)}, 0);
  Tensor rare_masks = masks.to(DType::f32);
  rare_masks = concatenate({rare_masks.slice(3, 0, 1), rare, rare_masks.slice(3, 2, 3)}, 3);

  auto exact = concepts_of_units(rare, rare_masks, concepts);
  ASSERT_EQ(exact.size(), 1u);
  EXPECT_EQ(exact[0].best[0].name, "square");
  EXPECT_EQ(exact[0].best[0].iou, 1);
  EXPECT_TRUE(exact[0].detects);
  EXPECT_LT(exact[0].chance, 0.2);
  EXPECT_LE(exact[0].best[0].control, exact[0].chance);

  auto capped = concepts_of_units(sure, masks, concepts);
  EXPECT_EQ(capped[0].best[0].name, "square");
  EXPECT_NEAR(capped[0].best[0].iou, on_share / (16.0 / 256), 0.01);
  EXPECT_TRUE(capped[0].detects);
}

TEST(UnitConcepts, WhatIsTheSameInEveryImageIsNotDetected) {
  // A unit that is on in one column of the left half, whatever the image: an IoU of .12 with
  // "left", which other images' masks give as well.
  Tensor masks = planted_masks();
  std::vector<float> row(side, 0);
  row[3] = 1;
  Tensor column = from_vector(row, {1, 1, side, 1}).expand({images, side, side, 1}).contiguous();
  auto found = concepts_of_units(column * 1.0, masks, {{"left", 1}, {"square", 3}, {"right", 1}});
  EXPECT_EQ(found[0].best[0].name, "left");
  EXPECT_EQ(found[0].best[0].iou, found[0].best[0].control);
  EXPECT_GE(found[0].chance, found[0].best[0].iou);
  EXPECT_FALSE(found[0].detects);
}

// Masks [60, side, side, 3] of a factor with three values: each image shows one of them, in a
// square at a place of its own.
const std::vector<introspect::Concept> hues = {{"hue red", 1}, {"hue lime", 1}, {"hue sky", 1}};
Tensor hue_masks() {
  Generator generator(8);
  auto drawn = randint(0, side - 4, {60, 3}, DType::i64, &generator).to_vector<int64_t>();
  Tensor masks = zeros({60, side, side, 3}, DType::u8);
  uint8_t* values = masks.data<uint8_t>();
  for (int64_t n = 0; n < 60; ++n) {
    int64_t top = drawn[static_cast<size_t>(3 * n)], left = drawn[static_cast<size_t>(3 * n + 1)];
    int64_t hue = drawn[static_cast<size_t>(3 * n + 2)] % 3;
    for (int64_t y = top; y < top + 4; ++y) {
      for (int64_t x = left; x < left + 4; ++x) values[((n * side + y) * side + x) * 3 + hue] = 1;
    }
  }
  return masks;
}

TEST(UnitConcepts, ExchangedValuesKeepThePlacesAndMixTheNames) {
  Tensor masks = hue_masks(), exchanged = exchanged_values(masks, hues, 20);
  auto any = [](const Tensor& m) { return max(m.to(DType::f32), {3}); };
  EXPECT_EQ(max(abs(any(masks) - any(exchanged))).item(), 0);
  Tensor shown = max(masks.to(DType::f32), {1, 2}), renamed = max(exchanged.to(DType::f32), {1, 2});
  for (int64_t i = 0; i < 60; ++i) {
    EXPECT_EQ(renamed.select(0, i).to_vector<float>(),
              shown.select(0, (i + 20) % 60).to_vector<float>());
  }
  // Nothing to exchange where a factor has one value.
  EXPECT_EQ(max(exchanged_values(planted_masks(), concepts, 7).to(DType::f32)).item(), 0);
}

TEST(UnitConcepts, AUnitThatIsOnWhateverTheValueDetectsNone) {
  Tensor masks = hue_masks(), values = masks.to(DType::f32);
  // Unit 0 is on inside every square, unit 1 inside those that are lime; both in every fourth
  // column, so that they are on in less than .02 of their places.
  Tensor any = max(values, {3}, true), lime = values.slice(3, 1, 2);
  Tensor checked = zeros({60, side, side, 1});
  float* on = checked.data<float>();
  for (int64_t p = 0; p < 60 * side * side; p += 4) on[p] = 1;
  Tensor activation = concatenate({any * checked, lime * checked}, 3);
  auto found = concepts_of_units(activation, masks, hues);
  EXPECT_FALSE(found[0].detects) << found[0].best[0].iou << " " << found[0].chance;
  EXPECT_TRUE(found[1].detects) << found[1].best[0].iou << " " << found[1].chance;
  EXPECT_EQ(found[1].best[0].name, "hue lime");
  EXPECT_NEAR(found[1].best[0].iou, 0.25, 1e-6);
}

TEST(UnitConcepts, UnitsOfNoiseAreNoDetectors) {
  Generator generator(7);
  auto found = concepts_of_units(randn({images, 8, 8, 64}, 0, 1, DType::f32, &generator),
                                 planted_masks(), concepts);
  ASSERT_EQ(found.size(), 64u);
  EXPECT_EQ(share_of_detectors(found), 0);
  // Though a third are above what they reach with the masks of others: one draw of three is the
  // best.
  auto above = std::count_if(found.begin(), found.end(),
                             [](auto& unit) { return unit.best[0].iou > unit.chance; });
  EXPECT_GT(above, 3);
  EXPECT_LT(above, 26);
  EXPECT_EQ(share_of_detectors({}), 0);
}

TEST(UnitConcepts, KeepAsManyAsAskedAndRefuseWhatHasNoPlaces) {
  Tensor masks = planted_masks(), activation = zeros({images, side, side, 2});
  EXPECT_EQ(concepts_of_units(activation, masks, concepts, 2)[1].best.size(), 2u);
  EXPECT_EQ(concepts_of_units(activation, masks, concepts, 9)[1].best.size(), 3u);
  EXPECT_FALSE(concepts_of_units(activation, masks, concepts)[0].detects);  // dead
  EXPECT_FAILS(concepts_of_units(zeros({images, 5}), masks, concepts), "expected \\[N, h, w, C\\]");
  EXPECT_FAILS(concepts_of_units(zeros({2, 4, 4, 2}), masks.slice(0, 0, 2), concepts), "3 images");
}

}  // namespace
}  // namespace strata::study
