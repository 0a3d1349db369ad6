// Localisation: closed forms for maps that know the mask, know nothing, or know the contrary.
#include "tools/introspect/scores/localisation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using strata::test::expect_near;
using strata::test::values;
using test::random;

// bool [N, side, side]: a rectangle that moves with the image.
Tensor rectangles(int64_t count, int64_t side) {
  std::vector<uint8_t> mask;
  for (int64_t n = 0; n < count; ++n) {
    for (int64_t y = 0; y < side; ++y) {
      for (int64_t x = 0; x < side; ++x) {
        mask.push_back(y >= n % 3 && y < n % 3 + 4 && x >= n % 5 && x < n % 5 + 3);
      }
    }
  }
  return from_vector(mask, {count, side, side}).to(DType::boolean);
}
Tensor map_of(std::vector<double> v) { return from_vector(v, {1, 1, int64_t(v.size())}); }
Tensor mask_of(std::vector<uint8_t> v) {
  return from_vector(v, {1, 1, int64_t(v.size())}).to(DType::boolean);
}

TEST(Localisation, AMapEqualToTheMaskIsPerfect) {
  Tensor mask = rectangles(4, 8);
  for (DType type : {DType::f32, DType::f64}) {
    Localisation got = localisation(mask.to(type) * 3.0, mask);
    EXPECT_DOUBLE_EQ(got.pointing, 1);
    EXPECT_DOUBLE_EQ(got.mass, 1);
    EXPECT_DOUBLE_EQ(got.rank, 1);
    EXPECT_DOUBLE_EQ(got.auc, 1);
    EXPECT_DOUBLE_EQ(got.area, 12.0 / 64);
    EXPECT_EQ(got.verdict(), Verdict::passes);
  }
}

TEST(Localisation, AUniformMapGetsTheAreaShare) {
  Tensor mask = rectangles(4, 8);
  for (double level : {2.0, 0.0, -1.0}) {  // no positive value is no evidence anywhere
    Localisation got = localisation(full({4, 8, 8}, level, DType::f64), mask);
    EXPECT_NEAR(got.pointing, 12.0 / 64, 1e-15);
    EXPECT_NEAR(got.mass, 12.0 / 64, 1e-15);
    EXPECT_NEAR(got.rank, 12.0 / 64, 1e-15);
    EXPECT_NEAR(got.auc, 0.5, 1e-15);
    EXPECT_EQ(got.verdict(), Verdict::fails);
  }
}

TEST(Localisation, TheContraryOfTheMaskIsAsWrongAsCanBe) {
  Tensor mask = rectangles(2, 8);
  Localisation got = localisation(logical_not(mask).to(DType::f64), mask);
  EXPECT_EQ(got.pointing, 0);
  EXPECT_EQ(got.mass, 0);
  EXPECT_EQ(got.rank, 0);
  EXPECT_EQ(got.auc, 0);
}

TEST(Localisation, RandomNoiseIsFlagged) {
  Tensor mask = rectangles(60, 24), noise = random({60, 24, 24}, 3);
  Localisation got = localisation(noise, mask);
  EXPECT_EQ(got.verdict(), Verdict::fails);
  // 720 positives among 34,560 places: standard errors .011 and .0055.
  EXPECT_NEAR(got.auc, 0.5, 0.045);
  EXPECT_NEAR(got.mass, got.area, 0.006);
}

TEST(Localisation, HandTable) {
  Tensor map = map_of({5, -9, 2, 1, 2, 0}), mask = mask_of({0, 1, 1, 0, 1, 0});
  expect_near(values(pointing_game(map, mask)), {0});
  expect_near(values(relevance_mass(map, mask)), {0.4});      // 4 of 10; -9 counts as 0
  expect_near(values(relevance_rank(map, mask)), {2.0 / 3});  // 5, 2, 2
  // 2 > 1 and 2 > 0, twice; -9 as 0 ties with one: (2 + 2 + .5) / 9.
  expect_near(values(mask_auc(map, mask)), {4.5 / 9});
}

TEST(Localisation, TiesShareWhatTheirPlacesWouldGet) {
  Tensor map = map_of({3, 3, 3, 1}), mask = mask_of({1, 0, 1, 0});
  expect_near(values(pointing_game(map, mask)), {2.0 / 3});
  expect_near(values(relevance_rank(map, mask)), {2.0 / 3});  // 2 of the 3 that tie, 2/3 inside
}

TEST(Localisation, ToleranceIsADistance) {
  std::vector<double> map(25, 0);
  map[0] = 1;
  std::vector<uint8_t> mask(25, 0);
  mask[12] = 1;  // two rows down and two columns right: 2.83 away
  Tensor m = from_vector(map, {1, 5, 5}), t = from_vector(mask, {1, 5, 5}).to(DType::boolean);
  expect_near(values(pointing_game(m, t, 2)), {0});
  expect_near(values(pointing_game(m, t, 2.82)), {0});
  expect_near(values(pointing_game(m, t, 2.83)), {1});
}

TEST(Localisation, OrderScoresIgnoreMonotoneChangesAndMassDoesNot) {
  Tensor mask = rectangles(3, 8), map = random({3, 8, 8}, 5), bent = pow(relu(map), 3.0);
  expect_near(values(mask_auc(map, mask)), values(mask_auc(bent, mask)));
  expect_near(values(relevance_rank(map, mask)), values(relevance_rank(bent, mask)));
  expect_near(values(relevance_mass(map, mask)), values(relevance_mass(map * 7.0, mask)));
  EXPECT_GT(test::largest_difference(relevance_mass(map, mask), relevance_mass(bent, mask)), 1e-3);
}

TEST(Localisation, CoarseMapsAndChannels) {
  Tensor mask = zeros({1, 8, 8}, DType::f64);
  mask = greater(pad(ones({1, 4, 4}, DType::f64), {0, 0, 0}, {0, 4, 4}), mask);
  Tensor coarse = from_vector(std::vector<double>{1, 0, 0, 0}, {1, 2, 2});
  EXPECT_GT(relevance_mass(coarse, mask).item(), 0.6);
  expect_near(values(pointing_game(coarse, mask)), {1});
  Tensor attribution = random({2, 8, 8, 3}, 6), two = rectangles(2, 8);
  expect_near(values(relevance_mass(attribution, two)),
              values(relevance_mass(sum(attribution, {3}), two)));
}

TEST(Localisation, EachImageByItself) {
  Tensor mask = rectangles(3, 8), map = random({3, 8, 8}, 7);
  Tensor all = mask_auc(map, mask), mass = relevance_mass(map, mask);
  for (int64_t n = 0; n < 3; ++n) {
    EXPECT_EQ(mask_auc(map.slice(0, n, n + 1), mask.slice(0, n, n + 1)).item(),
              all.select(0, n).item());
    EXPECT_EQ(relevance_mass(map.slice(0, n, n + 1), mask.slice(0, n, n + 1)).item(),
              mass.select(0, n).item());
  }
}

TEST(Localisation, Refuses) {
  Tensor mask = rectangles(2, 8);
  EXPECT_FAILS(relevance_mass(random({3, 8, 8}, 1), mask), "does not fit the map");
  EXPECT_FAILS(mask_auc(random({2, 8, 8}, 1), mask.to(DType::f32)), "expected bool");
  EXPECT_FAILS(pointing_game(random({2, 64}, 1), mask), "neither an attribution");
  EXPECT_FAILS(relevance_rank(random({1, 2, 2}, 1), zeros({1, 2, 2}).to(DType::boolean)),
               "mask of image 0 is empty");
  EXPECT_FAILS(relevance_rank(full({2, 8, 8}, NAN), mask), "map of image 0 holds NaNs");
  EXPECT_TRUE(
      std::isnan(mask_auc(random({1, 2, 2}, 1), ones({1, 2, 2}).to(DType::boolean)).item()));
}

}  // namespace
}  // namespace strata::introspect
