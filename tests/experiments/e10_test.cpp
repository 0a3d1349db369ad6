// E10: capacities and toy models against their closed forms, the parts that look at a network on
// features made by hand, the verdict's thresholds one by one, and planted lies.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "models/vision/convnet.h"
#include "tests/support/expect.h"
#include "tools/experiments/distributed_codes.h"
#include "tools/experiments/list.h"
#include "tools/experiments/population_codes.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/edit.h"

namespace strata::experiments {
namespace {

TEST(Capacity, ExpectationOfSmallCases) {
  EXPECT_NEAR(expected_share_decoded(1, 10, 0.3), 1, 1e-12);
  EXPECT_NEAR(expected_share_decoded(7, 10, 0.5), 1.0 / 7, 1e-12);  // nothing is left of the code
  // Two codes of one sign: the same with probability 1/2, then one of two is right; else the query
  // is right where it is not flipped.
  for (double p : {0.0, 0.1, 0.4})
    EXPECT_NEAR(expected_share_decoded(2, 1, p), 0.5 * 0.5 + 0.5 * (1 - p), 1e-12);
  // The prototype's figures.
  EXPECT_NEAR(expected_share_decoded(1000, 100, 0), 1, 1e-12);
  EXPECT_NEAR(expected_share_decoded(1000, 100, 0.2), 0.999, 1e-3);
  EXPECT_NEAR(expected_share_decoded(1000, 100, 0.3), 0.78, 0.01);
}

TEST(Capacity, MeasuredIsExpected) {
  Generator generator(3);
  const Tensor codes = 2 * bernoulli({1000, 100}, 0.5, &generator).to(DType::f32) - 1;
  EXPECT_EQ(share_decoded(codes, 0, 1, generator), 1);
  for (double p : {0.2, 0.3, 0.4})
    EXPECT_NEAR(share_decoded(codes, p, 5, generator), expected_share_decoded(1000, 100, p), 0.02)
        << p;
}

TEST(Capacity, OneUnitAConceptHoldsAsManyAsThereAreUnits) {
  Generator generator(3);
  EXPECT_EQ(share_decoded(local_codes(100, 100), 0, 1, generator), 1);
  EXPECT_NEAR(share_decoded(local_codes(1000, 100), 0, 1, generator), 0.1, 1e-12);
}

TEST(Toy, LinearModelIsPca) {
  const LinearToy toy = linear_toy(5, 1000, 3);
  EXPECT_LE(toy.distance, 1e-3);
  EXPECT_LE(std::abs(toy.excess), 1e-5);
  EXPECT_GE(linear_toy(5, 1, 3).distance, 0.1);
}

TEST(Toy, TwoFeaturesInOneUnitHaveTheLossOfTheory) {
  EXPECT_NEAR(two_feature_loss(1), 1.0 / 12, 1e-15);
  EXPECT_NEAR(two_feature_loss(4.0 / 7), 16.0 / 147, 1e-15);
  EXPECT_NEAR(two_feature_loss(0.3), 0.03, 1e-15);
  const ToyRun dense = best_toy_model(2, 1, 1, 1, false, 300, 2, 5);
  EXPECT_NEAR(sum(square(dense.weight)).item(), 1, 0.1);  // any direction of length 1
  EXPECT_NEAR(dense.loss, 1.0 / 12, 0.003);
  const ToyRun sparse = best_toy_model(2, 1, 0.2, 1, false, 300, 6, 5);
  EXPECT_EQ(represented(sparse.weight), 2);
  EXPECT_LE(sparse.loss, 1.05 * 0.04 / 3);
  EXPECT_GE(sparse.loss, 0.8 * 0.04 / 3);
  const std::vector<double> w = sparse.weight.to(DType::f64).to_vector<double>();
  EXPECT_LT(w[0] * w[1], 0);  // an antipodal pair
}

// Four classes as the corners of a square, each coordinate in the sum or difference of two units.
struct Corners : testing::Test {
  Tensor x, z;
  std::vector<int64_t> labels, other;
  Head head;
  void SetUp() override {
    Generator generator(4);
    auto draw = [&](std::vector<int64_t>& classes) {
      std::vector<float> rows;
      const std::vector<float> noise =
          randn({400, 3}, 0, 0.1, DType::f32, &generator).to_vector<float>();
      for (size_t i = 0; i < 400; ++i) {
        const auto k = static_cast<int64_t>(i % 4);
        const float a = k & 1 ? 1.f : -1.f, b = k & 2 ? 1.f : -1.f;
        classes.push_back(k);
        rows.push_back(a + b + noise[3 * i]);
        rows.push_back(a - b + noise[3 * i + 1]);
        rows.push_back(noise[3 * i + 2]);
      }
      return from_vector(rows, {400, 3});
    };
    x = draw(labels);
    z = draw(other);
    // Class k reads a and b, that is, the sum and the difference of the units, and not the third.
    std::vector<float> weight(12, 0.f);
    for (int64_t k = 0; k < 4; ++k) {
      const float a = k & 1 ? 1.f : -1.f, b = k & 2 ? 1.f : -1.f;
      weight[static_cast<size_t>(k)] = a + b;
      weight[static_cast<size_t>(4 + k)] = a - b;
    }
    head = {from_vector(weight, {3, 4}), zeros({4})};
  }
};

TEST_F(Corners, APopulationKnowsMoreThanItsBestUnit) {
  std::vector<int64_t> first, first_other;
  for (int64_t k : labels) first.push_back(k & 1);
  for (int64_t k : other) first_other.push_back(k & 1);
  const auto found =
      unit_and_population(x, z, {{"corner", 4, labels, other}, {"side", 2, first, first_other}});
  ASSERT_EQ(found.size(), 2u);
  EXPECT_NE(found[0].unit, 2);
  EXPECT_NEAR(found[0].population_accuracy, 1, 1e-12);
  EXPECT_LE(found[0].unit_accuracy, 0.8);  // three values of a unit for four classes
  EXPECT_NEAR(found[1].population_accuracy, 1, 1e-12);
  EXPECT_LE(found[1].unit_accuracy, 0.8);
  EXPECT_NEAR(found[0].chance, 0.25, 1e-12);
}

TEST_F(Corners, CostsOfUnitsAndDirections) {
  EXPECT_EQ(head_accuracy(head, z, other), 1);
  const std::vector<double> costs = unit_costs(head, z, other);
  ASSERT_EQ(costs.size(), 3u);
  EXPECT_EQ(costs[2], 0);  // the head does not read it
  EXPECT_GE(costs[0], 0.2);
  // Without a = sum of the two, each side is guessed: half of the images.
  const Tensor side = from_vector(std::vector<float>{2, 2, 0}, {3});
  EXPECT_NEAR(direction_cost(head, z, other, side), 0.5, 0.1);
  // Length and sign of the direction do not matter.
  EXPECT_EQ(direction_cost(head, z, other, side), direction_cost(head, z, other, side * -3));
  for (const Tensor& direction : class_directions(x, labels, 4)) {
    EXPECT_NEAR(norm(direction).item(), 1, 1e-5);
    EXPECT_LE(std::abs(direction.to_vector<float>()[2]), 0.1);
  }
  EXPECT_FAILS(head_accuracy(head, z.slice(1, 0, 2), other), R"(\[400,2\] with 400 labels)");
}

TEST_F(Corners, UnitsServeTheClassesTheyContributeTo) {
  // Each of the two units carries two of the corners; the third none.
  const Service s = service(head, z, other);
  EXPECT_EQ(s.classes_of_unit, (std::vector<int64_t>{2, 2, 0}));
  EXPECT_EQ(s.units_of_class, (std::vector<int64_t>{1, 1, 1, 1}));
  EXPECT_EQ(s.reused, 1);
  // One unit a class is no reuse.
  const Service own =
      service({eye(3), zeros({3})}, one_hot(from_vector<int64_t>({0, 1, 2}, {3}), 3), {0, 1, 2});
  EXPECT_EQ(own.classes_of_unit, (std::vector<int64_t>{1, 1, 1}));
  EXPECT_EQ(own.reused, 0);
}

TEST(UnitCosts, AreThoseOfEditingTheNetwork) {
  manual_seed(2);
  ConvNet model({.classes = 4, .widths = {4, 4, 4, 4, 4, 6}, .halve = {1, 3}});
  model.eval();
  Generator generator(1);
  const Tensor x = randn({64, 8, 8, 3}, 0, 1, DType::f32, &generator);
  NoGrad off;
  introspect::Capture capture({"conv6"});
  const Tensor logits = model(x), offset = mean(logits, {0});  // no class is the answer to all
  const auto labels = argmax(logits - offset, 1).to_vector<int64_t>();
  const Tensor features = mean(capture["conv6"], {1, 2});
  Head head;
  for (const auto& [name, value] : model.named_parameters()) {
    if (name == "head.weight") head.weight = value.transpose(0, 1).contiguous();
    if (name == "head.bias") head.bias = value - offset;
  }
  EXPECT_EQ(head_accuracy(head, features, labels), 1);
  const std::vector<double> costs = unit_costs(head, features, labels);
  const Tensor means = mean(features, {0});
  double most = 0;
  for (int64_t u = 0; u < 6; ++u) {
    introspect::Edit edit("conv6", introspect::ablate_units({u}, means));
    EXPECT_NEAR(1 - introspect::accuracy(model(x) - offset, labels), costs[static_cast<size_t>(u)],
                1e-6);
    most = std::max(most, costs[static_cast<size_t>(u)]);
  }
  EXPECT_GT(most, 0);
}

Json good_seed() {
  Json read = Json::parse(R"({"unit": [0.3, 0.6], "population": [0.5, 1.0], "chance": 0.25})");
  Json seed = Json::parse(R"({
    "codes": {"decoded": [1, 1, 0.999, 0.78, 0.1], "expected": [1, 1, 0.999, 0.785, 0.1],
              "local": 0.1},
    "toy": {"pca_distance": 1e-5, "pca_excess": 1e-9,
            "pair_loss": [0.0833, 0.1066, 0.053, 0.0132, 0.0033],
            "pair_size": [1, 1, 2, 2, 2],
            "first": [0.99, 0.5, 0.3, 0.3], "sum": [5, 5, 5, 5],
            "represented": [5, 9, 14, 18],
            "gram": [[1, 0, 0, 1], [1, 0, 0, 1], [1, 0, 0, 1], [1, 0, 0, 1]],
            "linear_represented": 5},
    "network": {"accuracy": 0.97, "head_accuracy": 0.97, "unit_cost": [0, 0.01],
                "direction_cost": [0.2, 0.3, 0.2, 0.3], "random_cost": [0, 0.01],
                "classes_of_unit": [1, 2], "units_of_class": [2, 2, 2, 2], "reused": 0.75,
                "dissection": {"iou": [0.06, 0.05, 0.05, 0.05], "detectors": [0.5, 0.4, 0.4, 0.4]},
                "readout": {}}})");
  for (const char* factor : {"object", "outline_above", "outline_below", "hue"})
    seed["network"]["readout"][factor] = read;
  seed["network"]["readout"]["shuffled"] =
      Json::parse(R"({"unit": [0.27, 0.26], "population": [0.26, 0.24], "chance": 0.25})");
  return seed;
}

Result judged(const std::function<void(Json&)>& change = [](Json&) {}) {
  Json second = good_seed();
  change(second);
  return distributed_codes().judge({good_seed(), second}, Budget::small);
}

TEST(Judge, EachThresholdCounts) {
  EXPECT_EQ(judged().verdict, Verdict::supported) << judged().why;
  EXPECT_EQ(judged().pictures.size(), 4u);
  const std::vector<std::pair<const char*, std::function<void(Json&)>>> changes = {
      {"codes without noise", [](Json& s) { s["codes"]["decoded"][0] = 0.999; }},
      {"capacity off theory", [](Json& s) { s["codes"]["decoded"][3] = 0.75; }},
      {"linear autoencoder off PCA", [](Json& s) { s["toy"]["pca_distance"] = 0.1; }},
      {"loss of two features in one unit", [](Json& s) { s["toy"]["pair_loss"][2] = 0.08; }},
      {"loss of two features in one unit", [](Json& s) { s["toy"]["pair_loss"][4] = nullptr; }},
      {"phase as predicted", [](Json& s) { s["toy"]["pair_size"][2] = 1; }},
      {"dense features keep a unit", [](Json& s) { s["toy"]["first"][0] = 0.5; }},
      {"sparse features share units", [](Json& s) { s["toy"]["represented"][3] = 6; }},
      {"population over best unit",
       [](Json& s) {
         for (const char* factor : {"object", "outline_above", "outline_below"})
           s["network"]["readout"][factor]["unit"][1] = 0.9;
       }},
      {"cost of any one unit", [](Json& s) { s["network"]["unit_cost"][1] = 0.05; }},
      {"cost of a class's direction",
       [](Json& s) {
         s["network"]["direction_cost"] = {0, 0.1, 0, 0.1};
       }},
      {"units reused", [](Json& s) { s["network"]["reused"] = 0.2; }}};
  for (const auto& [name, change] : changes) {
    const Result r = judged(change);
    EXPECT_EQ(r.verdict, Verdict::in_part) << name;
    EXPECT_NE(r.why.find(std::string("10 of 11 thresholds met; missed: ") + name),
              std::string::npos)
        << name << ": " << r.why;
  }
}

TEST(Judge, AControlThatFailsExcludesNothing) {
  const std::vector<std::function<void(Json&)>> changes = {
      [](Json& s) { s["network"]["accuracy"] = 0.3; },
      [](Json& s) { s["network"]["readout"]["shuffled"]["unit"][0] = 0.4; },
      [](Json& s) {
        s["network"]["random_cost"] = {0.1, 0.2};
      },
      [](Json& s) { s["network"]["unit_cost"] = {0.001}; },  // of two units
      [](Json& s) { s["network"]["head_accuracy"] = 0.9; },
      [](Json& s) { s["codes"]["local"] = 0.2; },
      [](Json& s) { s["toy"]["sum"][3] = 5.5; },
      [](Json& s) { s["toy"]["linear_represented"] = 9; }};
  for (size_t i = 0; i < changes.size(); ++i)
    EXPECT_EQ(judged(changes[i]).verdict, Verdict::not_supported) << i;
}

TEST(Lies, AreCaught) {
  Context context;
  context.lie = Lie::moving_layers;
  EXPECT_FAILS(distributed_codes().run_seed(context), "freezes no layers");
  context.lie = Lie::untrained;
  const Result r =
      distributed_codes().judge({distributed_codes().run_seed(context)}, context.budget);
  EXPECT_EQ(r.verdict, Verdict::not_supported) << r.why;
  EXPECT_NE(r.why.find("not excluded: a network that learned nothing"), std::string::npos) << r.why;
}

}  // namespace
}  // namespace strata::experiments
