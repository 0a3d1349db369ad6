// TCAV: exact on linear networks, silent on random concepts.
#include "tools/introspect/units/concepts.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/representation/probe.h"

namespace strata::introspect {
namespace {

using namespace test;

TEST(ConceptVector, IsTheDirectionThatSetsTheExamplesApart) {
  Tensor shift = random({6}, 1) * 3.0;
  ConceptVector found = concept_vector(random({400, 6}, 2) + shift, random({400, 6}, 3));
  EXPECT_NEAR(norm(found.direction).item(), 1, 1e-9);
  // Two Gaussians with the identity as covariance: the best normal is the difference of means.
  EXPECT_GT(sum(found.direction * shift).item() / norm(shift).item(), 0.95);
  EXPECT_GT(found.accuracy, 0.95);
  ConceptVector none = concept_vector(random({400, 6}, 4), random({400, 6}, 5));
  EXPECT_NEAR(none.accuracy, 0.5, 0.12);  // 200 held out: 3.4 standard errors
  EXPECT_FAILS(concept_vector(random({3, 6}, 1), random({9, 6}, 1)), "at least 4 examples");
}

TEST(ConceptVector, OfFewExamplesIsTheProbeOfAllFeatures) {
  // 24 + 24 examples of 60 features: solved among the examples, equal to the probe on the features.
  Tensor with = random({32, 60}, 20) + 0.3, without = random({32, 60}, 21);
  ConceptVector found = concept_vector(with, without);
  std::vector<int64_t> kept, labels;
  for (int64_t i = 0; i < 32; ++i) {
    if (i % 4 != 3) kept.push_back(i);
  }
  Tensor index = from_vector(kept, {24});
  Tensor x = concatenate({index_select(with, 0, index), index_select(without, 0, index)}, 0);
  for (int i = 0; i < 48; ++i) labels.push_back(i < 24);
  ProbeOptions options;
  options.tolerance = 1e-10;
  ProbeResult probe = fit_probes(x, x, {{"concept", 2, labels, labels}}, options)[0];
  Tensor direction = probe.weight.select(1, 1) - probe.weight.select(1, 0);
  double cosine = sum(direction * found.direction).item() / norm(direction).item();
  EXPECT_GT(cosine, 1 - 1e-5);
}

TEST(Tcav, OfALinearNetworkIsTheSignOfTheProduct) {
  Tensor weight = random({4, 12}, 6);
  Scores model = [&](const Tensor& x) {
    return linear(show("layer", x.reshape({x.size(0), -1})), weight);
  };
  Tensor x = random({10, 2, 3, 2}, 7);
  for (int64_t k = 0; k < 4; ++k) {
    Tensor gradients = layer_gradients(model, x, "layer", k);
    for (int64_t n = 0; n < 10; ++n) {
      EXPECT_LT(largest_difference(gradients.select(0, n), weight.select(0, k)), 1e-12);
    }
    for (uint64_t seed = 0; seed < 20; ++seed) {
      Tensor v = random({12}, 100 + seed);
      double product = sum(weight.select(0, k) * v).item();
      EXPECT_EQ(tcav_score(gradients, v), product > 0 ? 1 : 0);
    }
  }
}

TEST(Tcav, GradientsAreThoseOfDifferences) {
  struct Family {
    Scores model;
    Tensor x;
    const char* layer;
  };
  std::vector<Family> families{{ConvNetwork{}, random({3, 8, 8, 2}, 8), "conv2"},
                               {RecurrentNetwork{}, random({3, 5, 3}, 9), "hidden"},
                               {GraphNetwork{}, random({3, 5, 3}, 10), "graph1"},
                               {AttentionNetwork{}, random({3, 6, 8}, 11), "heads"}};
  for (auto& f : families) {
    Tensor gradients = layer_gradients(f.model, f.x, f.layer, 1);
    Tensor v = random({gradients.size(1)}, 12);
    Dims inner;
    int uses = 0;
    {
      Capture capture({f.layer});
      f.model(f.x);
      uses = static_cast<int>(capture.every(f.layer).size());
      inner = capture[f.layer].shape();
    }
    inner[0] = 1;
    auto at = [&](double amount) {
      Edit edit(f.layer, steer(v.reshape(inner), amount), uses - 1);
      return f.model(f.x).select(1, 1);
    };
    Tensor slopes = (at(1e-6) - at(-1e-6)) / 2e-6;
    EXPECT_LT(largest_difference(matmul(gradients, v), slopes), 1e-6) << f.layer;
  }
}

std::vector<Tensor> random_sets(size_t count, uint64_t seed) {
  std::vector<Tensor> sets;
  for (size_t i = 0; i < count; ++i) sets.push_back(random({24, 8, 8, 2}, seed + i));
  return sets;
}

TEST(Tcav, AConceptThatTheClassUsesIsSignificant) {
  // The concept: brighter in the pattern that class 0 of a linear network reads.
  Tensor weight = random({1, 8, 8, 2}, 13);
  Scores model = [&](const Tensor& x) {
    Tensor up = sum(show("layer", x * 1.0) * weight, {1, 2, 3});
    return stack({up, -up}, 1);
  };
  Tensor concept_inputs = random({24, 8, 8, 2}, 14) + weight;
  TcavResult result =
      tcav(model, "layer", random({10, 8, 8, 2}, 15), 0, concept_inputs, random_sets(12, 200));
  EXPECT_EQ(result.mean, 1);
  EXPECT_LT(result.p_value, 0.05);
  EXPECT_GT(result.accuracy, 0.9);
  // Random sets of a linear network score 0 or 1: their means spread, and say less.
  EXPECT_GT(result.example_p_value, result.p_value);
  EXPECT_LT(result.example_p_value, 0.5);
  TcavResult against =
      tcav(model, "layer", random({10, 8, 8, 2}, 15), 1, concept_inputs, random_sets(12, 200));
  EXPECT_EQ(against.mean, 0);
}

TEST(Tcav, RandomConceptsAreNotSignificant) {
  ConvNetwork model;
  Tensor x = random({10, 8, 8, 2}, 16);
  int significant = 0, among_examples = 0;
  for (uint64_t trial = 0; trial < 10; ++trial) {
    Tensor concept_inputs = random({24, 8, 8, 2}, 5000 + trial);
    TcavResult result =
        tcav(model, "conv2", x, 0, concept_inputs, random_sets(6, 1000 + 100 * trial));
    significant += result.p_value < 0.05;
    among_examples += result.example_p_value < 0.05;
  }
  // Each with probability about .05: three or more of ten happen once in ninety times.
  EXPECT_LE(significant, 2);
  EXPECT_LE(among_examples, 2);
}

TEST(Tcav, NeedsRandomSets) {
  EXPECT_FAILS(tcav(ConvNetwork{}, "conv1", random({2, 8, 8, 2}, 1), 0, random({8, 8, 8, 2}, 2),
                    random_sets(2, 1)),
               "2 random sets: the tests need at least 3");
}

TEST(WelchTest, KnownValues) {
  // Equal variances and two values each: two degrees of freedom, p = 1 - t / sqrt(2 + t^2).
  double t = 3 / std::sqrt(2.0);
  EXPECT_NEAR(welch_p_value({0, 2}, {3, 5}), 1 - t / std::sqrt(2 + t * t), 1e-12);
  // t = 1 at eight degrees of freedom (tables of Student's t).
  EXPECT_NEAR(welch_p_value({1, 2, 3, 4, 5}, {2, 3, 4, 5, 6}), 0.346594, 1e-6);
  EXPECT_EQ(welch_p_value({1, 2, 3}, {1, 2, 3}), 1);
  EXPECT_EQ(welch_p_value({1, 1}, {1, 1}), 1);
  EXPECT_EQ(welch_p_value({1, 1}, {0, 0}), 0);
  EXPECT_NEAR(welch_p_value({1, 2, 4}, {8, 9, 13}), welch_p_value({8, 9, 13}, {1, 2, 4}), 1e-15);
}

}  // namespace
}  // namespace strata::introspect
