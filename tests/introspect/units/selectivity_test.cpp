// Class selectivity, ablation curves, and units beside the population.
#include "tools/introspect/units/selectivity.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/capture.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::expect_near;
using strata::test::vector_of;

TEST(ClassSelectivity, OneForOneClassZeroForIndifference) {
  // Units: one class only; the same for all; dead; means 3, 1, 1 -> (3 - 1) / (3 + 1).
  Tensor x = from_vector(std::vector<double>{4, 2, 0, 3,  //
                                             0, 2, 0, 0,  //
                                             0, 2, 0, 2,  //
                                             0, 2, 0, 1},
                         {4, 4});
  expect_near(class_selectivity(x, {0, 1, 1, 2}, 3), {1, 0, 0, 0.5});
  // A class without examples does not count.
  expect_near(class_selectivity(x, {0, 1, 1, 2}, 5), {1, 0, 0, 0.5});
}

TEST(ClassSelectivity, AveragesOverPlaces) {
  Tensor map = relu(random({6, 3, 3, 4}, 1));
  std::vector<int64_t> labels{0, 1, 2, 0, 1, 2};
  expect_near(class_selectivity(map, labels, 3), class_selectivity(mean(map, {1, 2}), labels, 3));
  EXPECT_FAILS(class_selectivity(random({6, 4}, 2), labels, 3), "responses of at least 0");
  EXPECT_FAILS(class_selectivity(map, {0, 1}, 3), "the 2 labels must be 6 numbers from 0 to 2");
}

TEST(Ablation, EachUnitOfALookupTableCarriesItsClass) {
  // Unit k is on for class k and the scores are the units: with k of the units 1, 2, 3 off, their
  // classes fall to class 0 (the first of equal scores).
  Scores model = [](const Tensor& x) { return show("table", x * 1.0); };
  Tensor x = eye(4, DType::f64);
  auto curve = ablation_curve(model, "table", x, {0, 1, 2, 3}, {1, 2, 3, 0}, {0, 1, 2, 3}, 0, 3);
  EXPECT_EQ(curve.ablated, (std::vector<int64_t>{0, 1, 2, 3}));
  expect_near(curve.accuracy, {1, 0.75, 0.5, 0.25});
  EXPECT_FAILS(ablation_curve(model, "chair", x, {0, 1, 2, 3}, {0}, {0}), "no activation 'chair'");
  EXPECT_FAILS(ablation_curve(model, "table", x, {0, 1, 2, 3}, {0}, {2}), "2 units .* of 1");
}

TEST(Ablation, HoldsForEveryFamily) {
  // Nothing ablated: the model's own accuracy. Everything ablated: what is left is the same for
  // all examples, so the accuracy is that of one constant answer.
  struct Family {
    Scores model;
    Tensor x;
    const char* layer;
    int64_t units;
  };
  std::vector<Family> families{{ConvNetwork{}, random({8, 8, 8, 2}, 3), "conv2", 5},
                               {RecurrentNetwork{}, random({8, 5, 3}, 4), "hidden", 4},
                               {GraphNetwork{}, random({8, 5, 3}, 5), "graph2", 4},
                               {AttentionNetwork{}, random({8, 6, 8}, 6), "stream", 8}};
  for (auto& f : families) {
    auto labels = argmax(f.model(f.x), 1).to_vector<int64_t>();
    auto order = shuffled_units(f.units, 1);
    auto curve = ablation_curve(f.model, f.layer, f.x, labels, order, {0, f.units});
    EXPECT_EQ(curve.accuracy[0], 1) << f.layer;
    bool constant = false;
    for (int64_t k = 0; k < 3; ++k) {
      auto hits = std::count(labels.begin(), labels.end(), k);
      constant = constant || curve.accuracy[1] == static_cast<double>(hits) / 8;
    }
    EXPECT_TRUE(constant) << f.layer;
  }
}

TEST(Ablation, OrdersOfUnits) {
  EXPECT_EQ(by_falling({1, 3, 2, 3}), (std::vector<int64_t>{1, 3, 2, 0}));
  auto shuffled = shuffled_units(50, 7);
  EXPECT_EQ(shuffled, shuffled_units(50, 7));
  EXPECT_NE(shuffled, shuffled_units(50, 8));
  std::sort(shuffled.begin(), shuffled.end());
  for (int64_t i = 0; i < 50; ++i) EXPECT_EQ(shuffled[static_cast<size_t>(i)], i);
  Tensor x = from_vector(std::vector<double>{1, -4, 3, 0}, {2, 2});
  expect_near(unit_magnitudes(x), {2, 2});
}

TEST(AreaUnderRoc, HandValues) {
  EXPECT_EQ(area_under_roc({1, 2, 3, 4}, {false, false, true, true}), 1);
  EXPECT_EQ(area_under_roc({1, 2, 3, 4}, {true, true, false, false}), 0);
  EXPECT_EQ(area_under_roc({5, 5, 5}, {true, false, true}), 0.5);
  EXPECT_EQ(area_under_roc({1, 2, 3}, {true, false, true}), 0.5);
  EXPECT_EQ(area_under_roc({1, 2, 2, 3}, {false, true, false, true}), 3.5 / 4);
  EXPECT_EQ(area_under_roc({1, 2}, {true, true}), 0.5);
}

TEST(UnitVersusPopulation, ADistributedClassIsReadByThePopulationOnly) {
  // Label: the sign of the sum of eight Gaussian units. A unit's correlation with the sum is
  // 1/sqrt(8), so one that is picked from eight still orders the classes badly; all of them do
  // fully.
  Tensor train = random({600, 8}, 8), validation = random({600, 8}, 9);
  auto labels_of = [](const Tensor& x) {
    return greater(sum(x, {1}), scalar(0, DType::f64)).to(DType::i64).to_vector<int64_t>();
  };
  auto result =
      unit_versus_population(train, labels_of(train), validation, labels_of(validation), 2);
  for (auto& r : result) {
    EXPECT_GT(r.population_area, 0.99);
    EXPECT_LT(r.unit_area, 0.75);
    EXPECT_GT(r.unit_area, 0.5);
  }
}

TEST(UnitVersusPopulation, ALocalClassIsReadByItsUnitWhicheverItsSign) {
  Tensor train = random({300, 5}, 10), validation = random({300, 5}, 11);
  auto labels_of = [](const Tensor& x) {
    return less(x.select(1, 3), scalar(0, DType::f64)).to(DType::i64).to_vector<int64_t>();
  };
  auto result =
      unit_versus_population(train, labels_of(train), validation, labels_of(validation), 2);
  for (auto& r : result) {
    EXPECT_EQ(r.unit, 3);
    EXPECT_EQ(r.unit_area, 1);
  }
}

}  // namespace
}  // namespace strata::introspect
