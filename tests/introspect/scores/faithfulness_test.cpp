// Faithfulness: on linear models curves, areas, infidelity and sufficiency have closed forms.
#include "tools/introspect/scores/faithfulness.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/attribution/gradient.h"
#include "tools/introspect/attribution/path.h"
#include "tools/introspect/scores/infidelity.h"
#include "tools/introspect/scores/road.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::expect_near;
using strata::test::values;

// f(x) = sum w x + 2 of images [N, 2, 2, 1], two classes with opposite weights.
struct LinearModel {
  Tensor weight = from_vector(std::vector<double>{4, 3, 2, 1, -4, -3, -2, -1}, {2, 4});
  Tensor operator()(const Tensor& x) const { return linear(x.flatten(1), weight) + 2.0; }
};
const std::vector<int64_t> first{0};

TEST(Faithfulness, CurvesOfALinearModel) {
  LinearModel model;
  Tensor x = ones({1, 2, 2, 1}, DType::f64),
         good = x * model.weight.select(0, 0).reshape({2, 2, 1});
  RemovalCurve removed = deletion_curve(model, x, first, good, {.steps = 4});
  expect_near(removed.shares, {0, 0.25, 0.5, 0.75, 1});
  expect_near(values(removed.scores), {12, 8, 5, 3, 2});
  expect_near(values(removed.area), {(12 + 2) / 8.0 + (8 + 5 + 3) / 4.0});
  RemovalCurve added = insertion_curve(model, x, first, good, {.steps = 4});
  expect_near(values(added.scores), {2, 6, 9, 11, 12});
  expect_near(added.mean_scores(), {2, 6, 9, 11, 12});
  // On a linear model what is put back is what was not taken away.
  EXPECT_NEAR(removed.area.item() + added.area.item(), 12 + 2, 1e-12);
  // The true order has the smallest area of deletion: any other map has a larger one.
  EXPECT_GT(deletion_curve(model, x, first, good * -1.0, {.steps = 4}).area.item(),
            removed.area.item());
  // A baseline equal to the input changes nothing.
  expect_near(values(deletion_curve(model, x, first, good, {.steps = 2, .baseline = x}).scores),
              {12, 12, 12});
}

TEST(Faithfulness, SufficiencyOfALinearModel) {
  LinearModel model;
  Tensor x = ones({1, 2, 2, 1}, DType::f64), map = model.weight.select(0, 0).reshape({1, 2, 2});
  expect_near(values(comprehensiveness(model, x, first, map, 0.5)), {7});
  expect_near(values(sufficiency(model, x, first, map, 0.5)), {3});
  expect_near(values(sufficiency(model, x, first, map, 1)), {0});
  expect_near(values(comprehensiveness(model, x, first, map, 1)), {10});
}

struct Family {
  const char* name;
  Scores model;
  Tensor x;
};
std::vector<Family> families() {
  return {{"convolution", ConvNetwork{}, random({3, 8, 8, 2}, 1)},
          {"recurrent", RecurrentNetwork{}, random({3, 5, 3}, 2)},
          {"graph", GraphNetwork{}, random({3, 5, 3}, 3)},
          {"attention", AttentionNetwork{}, random({3, 6, 8}, 4)}};
}
const std::vector<int64_t> targets{0, 1, 0};

TEST(Faithfulness, EveryFamilyFromTheInputToTheBaseline) {
  for (auto& f : families()) {
    Tensor attribution = gradient_times_input(f.model, f.x, targets);
    RemovalCurve curve = deletion_curve(f.model, f.x, targets, attribution, {.steps = 3});
    Tensor clean = target_scores(f.model(f.x), targets);
    Tensor empty = target_scores(f.model(zeros_like(f.x)), targets);
    EXPECT_LT(largest_difference(curve.scores.select(1, 0), clean), 1e-12) << f.name;
    EXPECT_LT(largest_difference(curve.scores.select(1, 3), empty), 1e-12) << f.name;
    RemovalCurve back = insertion_curve(f.model, f.x, targets, attribution, {.steps = 3});
    EXPECT_LT(largest_difference(back.scores.select(1, 3), clean), 1e-12) << f.name;
    // Alone, an example gets what it got in the batch.
    RemovalCurve alone =
        deletion_curve(f.model, f.x.slice(0, 1, 2), {1}, attribution.slice(0, 1, 2), {.steps = 3});
    EXPECT_LT(largest_difference(alone.scores, curve.scores.slice(0, 1, 2)), 1e-12) << f.name;
  }
}

TEST(Faithfulness, TheGradientOfALinearModelHasNoInfidelity) {
  LinearModel model;
  Tensor x = random({3, 2, 2, 1}, 5);
  Tensor gradient = gradient_saliency(model, x, targets);
  for (const Perturbation& p : {gaussian_perturbation(0.7), to_baseline(),
                                square_to_baseline(1, full({1}, 0.3, DType::f64))}) {
    EXPECT_LT(max(infidelity(model, x, targets, gradient, p, {.samples = 8})).item(), 1e-24);
    Tensor wrong = infidelity(model, x, targets, gradient * 2.0, p, {.samples = 8});
    EXPECT_GT(min(wrong).item(), 1e-4);
    Tensor scaled =
        infidelity(model, x, targets, gradient * 2.0, p, {.samples = 8, .best_scale = true});
    EXPECT_LT(max(scaled).item(), 1e-12);
    // Alone, an example gets what it got in the batch.
    Tensor alone =
        infidelity(model, x.slice(0, 1, 2), {1}, gradient.slice(0, 1, 2) * 2.0, p, {.samples = 8});
    EXPECT_NEAR(alone.item(), wrong.select(0, 1).item(), 1e-12);
  }
}

// E[(I . (a - w))^2] = s^2 |a - w|^2 for Gaussian I.
TEST(Faithfulness, InfidelityOfAWrongGradientHasItsVariance) {
  LinearModel model;
  Tensor x = random({1, 2, 2, 1}, 6), error = random({1, 2, 2, 1}, 7);
  Tensor attribution = gradient_saliency(model, x, first) + error;
  double got =
      infidelity(model, x, first, attribution, gaussian_perturbation(0.5), {.samples = 4000})
          .item();
  double want = 0.25 * sum(square(error)).item();
  EXPECT_NEAR(got, want, 3 * want * std::sqrt(2.0 / 4000));
}

TEST(Faithfulness, RemovingEverythingGivesTheSquaredGapOfCompleteness) {
  for (auto& f : families()) {
    // Two nodes only, so that there is a gap.
    PathAttribution path = integrated_gradients(f.model, f.x, targets, {.steps = 2});
    std::vector<double> got = values(
        removal_infidelity(f.model, f.x, targets, path.attribution, {.share = 1, .samples = 3}));
    for (size_t n = 0; n < got.size(); ++n) {
      EXPECT_NEAR(got[n], path.gap[n] * path.gap[n], 1e-10) << f.name;
    }
  }
  LinearModel model;
  Tensor x = random({2, 2, 2, 1}, 8), exact = gradient_times_input(model, x, {0, 1});
  EXPECT_LT(max(removal_infidelity(model, x, {0, 1}, exact)).item(), 1e-24);
}

// A plane in each channel, with holes inside the image.
TEST(Faithfulness, ImputationRestoresLinearRamps) {
  int64_t side = 12;
  std::vector<double> ramp;
  std::vector<uint8_t> holes;
  for (int64_t y = 0; y < side; ++y) {
    for (int64_t x = 0; x < side; ++x) {
      ramp.push_back(0.5 * double(y) - 0.25 * double(x) + 1);
      ramp.push_back(0.1 * double(x));
      bool inner = y > 0 && x > 0 && y < side - 1 && x < side - 1;
      holes.push_back(inner && (x * 7 + y * 5) % 11 != 0);
    }
  }
  Tensor image = from_vector(ramp, {1, side, side, 2});
  Tensor removed = from_vector(holes, {1, side, side}).to(DType::boolean);
  Tensor broken = where(removed.unsqueeze(3), full({1}, 99, DType::f64), image);
  EXPECT_LT(largest_difference(impute_linear(broken, removed), image), 1e-9);
  EXPECT_LT(largest_difference(impute_linear(broken.to(DType::f32), removed), image), 1e-5);
}

// Every restored pixel is the weighted mean of its neighbours, at the border too.
TEST(Faithfulness, ImputationSolvesItsEquations) {
  Tensor x = random({1, 5, 6, 1}, 9);
  std::vector<uint8_t> gone(30, 0);
  for (size_t i : {0, 1, 6, 7, 13, 20, 28, 29, 17}) gone[i] = 1;
  Tensor removed = from_vector(gone, {1, 5, 6}).to(DType::boolean);
  std::vector<double> v = values(impute_linear(x, removed)), kept = values(x);
  for (int64_t i = 0; i < 30; ++i) {
    if (!gone[size_t(i)]) {
      EXPECT_EQ(v[size_t(i)], kept[size_t(i)]);
      continue;
    }
    double sum = 0, weights = 0;
    for (int64_t j = 0; j < 30; ++j) {
      int64_t dy = std::abs(i / 6 - j / 6), dx = std::abs(i % 6 - j % 6);
      if (i == j || dy > 1 || dx > 1) continue;
      double weight = dy + dx == 1 ? 1.0 / 6 : 1.0 / 12;
      sum += weight * v[size_t(j)];
      weights += weight;
    }
    EXPECT_NEAR(v[size_t(i)], sum / weights, 1e-10);
  }
}

TEST(Faithfulness, ImputationIsOfEachImageAndItsNoiseOfItsSize) {
  Tensor x = random({2, 32, 32, 1}, 10), removed = greater(random({2, 32, 32}, 11), zeros({1}));
  Tensor both = impute_linear(x, removed, 0.1);
  EXPECT_EQ(largest_difference(impute_linear(x.slice(0, 1, 2), removed.slice(0, 1, 2), 0.1),
                               both.slice(0, 1, 2)),
            0);
  int threads = thread_count();
  for (int other : {1, 2, 8}) {
    set_thread_count(other);
    EXPECT_EQ(largest_difference(impute_linear(x, removed, 0.1), both), 0);
  }
  set_thread_count(threads);
  Tensor noise = both - impute_linear(x, removed);
  double share = mean(removed.to(DType::f64)).item();
  EXPECT_NEAR(std::sqrt(mean(square(noise)).item() / share), 0.1, 0.01);
}

// A model that reads one pixel: removing it first lowers the score at once, last not at all.
TEST(Faithfulness, RoadFindsTheOnePixelThatCounts) {
  auto model = [](const Tensor& x) {
    return x.select(1, 3).select(1, 4);  // [N, 1]
  };
  Tensor x = pad(ones({1, 1, 1, 1}, DType::f64), {0, 3, 4, 0}, {0, 4, 3, 0});
  Tensor map = x.squeeze(3);
  Road got = road(model, x, {0}, map, {.shares = {0.25, 0.5}, .noise = 0});
  expect_near(values(got.most_first), {0, 0}, 1e-9);
  expect_near(values(got.least_first), {1, 1}, 1e-9);
  EXPECT_NEAR(got.gain.item(), 1, 1e-9);
  EXPECT_NEAR(road(model, x, {0}, map * -1.0, {.shares = {0.25, 0.5}, .noise = 0}).gain.item(), -1,
              1e-9);
}

TEST(Faithfulness, PlacesTieInOrder) {
  Tensor relevance = from_vector(std::vector<double>{1, 3, 3, 0}, {1, 4});
  expect_near(values(first_places(relevance, 1)), {0, 1, 0, 0});
  expect_near(values(first_places(relevance, 3)), {1, 1, 1, 0});
  expect_near(values(first_places(relevance, 2, false)), {1, 0, 0, 1});
}

TEST(Faithfulness, Refuses) {
  LinearModel model;
  Tensor x = random({1, 2, 2, 1}, 12);
  EXPECT_FAILS(deletion_curve(model, x, first, random({1, 3}, 1)), "does not fit the input");
  EXPECT_FAILS(deletion_curve(model, x, first, x, {.steps = 9}), "9 steps for 4 places");
  EXPECT_FAILS(insertion_curve(model, x, first, x, {.steps = 2, .baseline = zeros({3})}),
               "does not broadcast");
  EXPECT_FAILS(sufficiency(model, x, first, x, 1.5), "1.5 is not in");
  EXPECT_FAILS(impute_linear(x, ones({1, 2, 2}).to(DType::boolean)), "image 0 has no pixel left");
  EXPECT_FAILS(impute_linear(x, zeros({1, 2, 2})), "expected .* bool");
  EXPECT_FAILS(infidelity(model, x, first, random({1, 4}, 1), to_baseline()), "expected x's shape");
  EXPECT_FAILS(infidelity(model, x, first, x, square_to_baseline(3)), "3 pixels does not fit");
  EXPECT_FAILS(removal_infidelity(model, x, first, x, {.share = 0}), "share of 0");
  EXPECT_FAILS(road(model, x, first, x, {.shares = {1.0}}), "not in \\(0, 1\\)");
}

}  // namespace
}  // namespace strata::introspect
