// Readers of a representation besides the logistic probe: ridge, neighbours, scalar mix, control
// tasks and code length, against closed forms and planted truths.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/introspect/representation/clouds.h"
#include "tests/support/expect.h"
#include "tools/introspect/linear_algebra.h"
#include "tools/introspect/representation/code_length.h"
#include "tools/introspect/representation/control_task.h"
#include "tools/introspect/representation/nearest.h"
#include "tools/introspect/representation/ridge.h"
#include "tools/introspect/representation/scalar_mix.h"

namespace strata::introspect {
namespace {

using test::gaussian;
using test::two_clouds;

double largest(const Tensor& x) { return max(abs(x)).item(); }

TEST(Ridge, EqualsTheNormalEquationsAndTheSvdForm) {
  for (auto [n, d] : {std::pair<int64_t, int64_t>{40, 7}, {10, 25}}) {
    Tensor x = gaussian(n, d, 1) + 2.0, y = matmul(x, gaussian(d, 3, 2)) + gaussian(n, 3, 3);
    double l2 = 0.05, damping = l2 * static_cast<double>(n);
    RidgeFit fit = fit_ridge(x, y, l2);
    Tensor a = x - mean(x, {0}), b = y - mean(y, {0}), at = a.transpose(0, 1);
    Tensor normal = matmul(inverse(matmul(at, a) + eye(d, DType::f64) * damping), matmul(at, b));
    EXPECT_LT(largest(fit.weight - normal), 1e-8);
    // V diag(s / (s^2 + n l2)) U'Y.
    ThinSvd svd = thin_svd(a);
    Tensor s = strata::test::vector_of(svd.values);
    Tensor shrunk = svd.right * (s / (square(s) + damping));
    EXPECT_LT(largest(fit.weight - matmul(shrunk, matmul(svd.left.transpose(0, 1), b))), 1e-8);
    EXPECT_LT(largest(matmul(mean(x, {0}), fit.weight) + fit.bias - mean(y, {0})), 1e-10);
  }
}

TEST(Ridge, LeaveOneOutByTheHatMatrixEqualsRefits) {
  Tensor x = gaussian(15, 4, 4) + 1.0, y = matmul(x, gaussian(4, 2, 5)) + gaussian(15, 2, 6);
  double l2 = 0.1;
  RidgeFit fit = fit_ridge(x, y, l2);
  for (int64_t i : {0, 7, 14}) {
    Tensor rest_x = concatenate({x.slice(0, 0, i), x.slice(0, i + 1, 15)});
    Tensor rest_y = concatenate({y.slice(0, 0, i), y.slice(0, i + 1, 15)});
    // The same n l2 with one row less.
    RidgeFit without = fit_ridge(rest_x, rest_y, l2 * 15 / 14);
    Tensor residual = y.select(0, i) - matmul(x.select(0, i), without.weight) - without.bias;
    EXPECT_LT(largest(residual - fit.leave_one_out.select(0, i)), 1e-10) << i;
  }
}

TEST(Ridge, PicksThePenaltyThatPredictsBest) {
  Tensor x = gaussian(60, 50, 7), truth = gaussian(50, 1, 8) * 0.3;
  Tensor y = matmul(x, truth) + gaussian(60, 1, 9);
  RidgeFit best = fit_ridge(x, y, std::vector<double>{1e-6, 1e-3, 0.1, 1, 10, 1000});
  EXPECT_GT(best.l2, 1e-3);
  EXPECT_LT(best.l2, 1000);
  Tensor fresh = gaussian(2000, 50, 10), target = matmul(fresh, truth);
  EXPECT_GT(r_squared(best, fresh, target), r_squared(fit_ridge(x, y, 1e-6), fresh, target) + 0.1);
  EXPECT_NEAR(r_squared(fit_ridge(x, matmul(x, truth), 1e-10), fresh, target), 1, 1e-6);
  EXPECT_FAILS(fit_ridge(x, y, 0.0), "above 0; the smallest of 1 is 0");
  EXPECT_FAILS(fit_ridge(x, y.slice(0, 0, 5)), "f64\\[60,50\\] and targets f64\\[5,1\\]");
}

TEST(Nearest, CosineIsEuclideanOnTheSphere) {
  Tensor x = gaussian(9, 4, 13);
  x = concatenate({x, x.slice(0, 0, 1) * 7.0, zeros({1, 4}, DType::f64)});
  Tensor sphere = on_sphere(x);
  EXPECT_LT(largest(norm(sphere, {1}) - 1.0), 1e-12);
  Tensor cosine = matmul(sphere, sphere.transpose(0, 1));
  Tensor expected = cosine_similarity(x.slice(0, 0, 1).expand({8, 4}), x.slice(0, 1, 9));
  EXPECT_LT(largest(cosine.select(0, 0).slice(0, 1, 9) - expected), 1e-10);
  EXPECT_NEAR(cosine.select(0, 0).select(0, 9).item(), 1, 1e-12);  // length does not count
  EXPECT_EQ(largest(cosine.select(0, 10).slice(0, 0, 10)), 0);     // zeros are like nothing
}

TEST(Nearest, AccuracyFollowsTheVotes) {
  Tensor train = from_vector(std::vector<double>{0, 1, 2, 10, 11}, {5, 1});
  Tensor validation = from_vector(std::vector<double>{0.4, 10.4}, {2, 1});
  std::vector<int64_t> labels{0, 1, 1, 2, 2};
  auto score = [&](std::vector<int64_t> truth, int64_t k) {
    return nearest_accuracy(train, labels, validation, truth, k, false);
  };
  EXPECT_EQ(score({0, 2}, 1), 1);
  EXPECT_EQ(score({1, 2}, 3), 1);  // 1 has two votes of three
  EXPECT_EQ(score({0, 2}, 2), 1);  // a tie goes to the nearest
  auto far = two_clouds(400, 3, 8, 15), held_out = two_clouds(400, 3, 8, 16);
  EXPECT_GT(nearest_accuracy(far.x, far.labels, held_out.x, held_out.labels, 10, false), 0.99);
  // Along rays, only the direction tells.
  Tensor rays = from_vector(std::vector<double>{1, 0, 0, 1, 50, 1, 1, 50}, {4, 2});
  EXPECT_EQ(nearest_accuracy(rays.slice(0, 0, 2), {0, 1}, rays.slice(0, 2, 4), {0, 1}, 1), 1);
  EXPECT_FAILS(nearest_accuracy(train, labels, validation, {1}), "5 and 1 labels do not fit");
}

// Three layers: noise, the factor, noise.
struct Stack {
  std::vector<Tensor> train, validation;
  ProbeTask task;
};
Stack planted(size_t place) {
  auto train = two_clouds(300, 4, 3, 17), validation = two_clouds(300, 4, 3, 18);
  Stack stack{{}, {}, {"side", 2, train.labels, validation.labels}};
  for (size_t l = 0; l < 3; ++l) {
    stack.train.push_back(l == place ? train.x : gaussian(300, 4, 19 + l) * 5.0);
    stack.validation.push_back(l == place ? validation.x : gaussian(300, 4, 29 + l) * 5.0);
  }
  return stack;
}

TEST(ScalarMix, FindsTheLayerThatHoldsTheFactor) {
  for (size_t place : {0, 1, 2}) {
    Stack stack = planted(place);
    ProbeOptions options{.l2 = 1e-2, .max_iterations = 500, .tolerance = 1e-6};
    ScalarMix mix = fit_scalar_mix(stack.train, stack.validation, stack.task, options);
    EXPECT_LT(mix.gradient, 1e-6);
    EXPECT_GT(mix.weights[place], 0.8);
    EXPECT_NEAR(mix.weights[0] + mix.weights[1] + mix.weights[2], 1, 1e-12);
    EXPECT_NEAR(mix.centre_of_gravity, static_cast<double>(place), 0.4);
    EXPECT_GT(mix.validation_accuracy, 0.88);
    auto scores = cumulative_scores(stack.train, stack.validation, stack.task, options);
    EXPECT_EQ(scores.back(), mix.validation_accuracy);
    if (place > 0) {
      EXPECT_NEAR(expected_layer(scores), static_cast<double>(place), 0.3);
    }
  }
}

TEST(ScalarMix, OfEqualLayersKeepsEqualWeights) {
  Stack stack = planted(0);
  std::vector<Tensor> train(3, stack.train[0] * 2.0 + 1.0), validation(3, stack.validation[0]);
  ScalarMix mix = fit_scalar_mix(train, validation, stack.task);
  for (double w : mix.weights) EXPECT_NEAR(w, 1.0 / 3, 1e-6);
  EXPECT_NEAR(mix.centre_of_gravity, 1, 1e-6);
  EXPECT_FAILS(
      fit_scalar_mix({train[0], gaussian(300, 5, 1)}, {validation[0], validation[0]}, stack.task),
      "layer 1 is f64\\[300,5\\].*one width");
}

TEST(ScalarMix, ExpectedLayerAndGravityAreWeightedMeans) {
  EXPECT_NEAR(expected_layer({0.5, 0.5, 0.9, 1.0}), (2 * 0.4 + 3 * 0.1) / 0.5, 1e-12);
  EXPECT_EQ(expected_layer({0.5, 0.4}), 0);
  EXPECT_NEAR(centre_of_gravity({0, 1, 3}), 1.75, 1e-12);
}

// Words as one-hot rows; each word has one label and is seen often.
Tensor one_hot_words(const std::vector<int64_t>& words, int64_t vocabulary) {
  return one_hot(from_vector(words, {static_cast<int64_t>(words.size())}), vocabulary, DType::f64);
}

TEST(ControlTask, SelectivityOfALookupIsZeroOnUnseenWords) {
  // 20 words in training and 20 others held out, 10 of each label, equally frequent: a lookup table
  // can only give a constant answer, worth as much in the control as in the task.
  std::vector<int64_t> train, held_out, train_labels, held_out_labels;
  for (int64_t i = 0; i < 80; ++i) {
    train.push_back(i % 20);
    held_out.push_back(20 + i % 20);
    train_labels.push_back(i % 20 < 10 ? 0 : 1);
    held_out_labels.push_back(i % 20 < 10 ? 1 : 0);
  }
  ProbeTask task{"kind", 2, train_labels, held_out_labels};
  for (uint64_t seed : {1, 2, 3}) {
    auto found = selectivity(one_hot_words(train, 40), one_hot_words(held_out, 40), task, train,
                             held_out, {}, seed);
    EXPECT_EQ(found.value(), 0);
    EXPECT_EQ(found.control.name, "kind (control)");
    EXPECT_EQ(found.task.train_accuracy, 1);
    EXPECT_EQ(found.control.train_accuracy, 1);  // it memorises nonsense as well
  }
}

TEST(ControlTask, IsHighForAFeatureThatGeneralises) {
  // A feature that shows the label of any word, and nothing of the word.
  auto train_labels = std::vector<int64_t>(), words = std::vector<int64_t>();
  for (int64_t i = 0; i < 300; ++i) {
    words.push_back(i % 30);
    train_labels.push_back(i % 30 % 2);
  }
  Tensor x = one_hot_words(train_labels, 2);
  ProbeTask task{"kind", 2, train_labels, train_labels};
  auto found = selectivity(x, x, task, words, words);
  EXPECT_EQ(found.task.validation_accuracy, 1);
  EXPECT_GT(found.value(), 0.25);
}

TEST(ControlTask, GivesEachTypeOneLabelAndKeepsTheirFrequencies) {
  std::vector<int64_t> words, labels;
  for (int64_t i = 0; i < 60; ++i) {
    words.push_back(i % 12);
    labels.push_back(i % 12 % 3);
  }
  ProbeTask control = control_task({"w", 3, labels, {}}, words, {}, 4);
  std::vector<int64_t> counts(3, 0);
  for (size_t i = 0; i < 60; ++i) {
    EXPECT_EQ(control.train[i], control.train[i % 12]);
    ++counts[static_cast<size_t>(control.train[i])];
  }
  EXPECT_EQ(counts, (std::vector<int64_t>{20, 20, 20}));
  EXPECT_NE(control.train, labels);
  EXPECT_FAILS(control_task({"w", 3, labels, {}}, {1, 2}, {}),
               "60 and 0 labels, but 2 and 0 types");
}

TEST(CodeLength, OfNoInformationIsTheFrequenciesOwn) {
  // Features that say nothing: the probe is the frequency of what was seen, whose code is known.
  std::vector<int64_t> labels;
  for (int i = 0; i < 400; ++i) labels.push_back(i % 4 == 0);
  CodeLengthOptions options;
  options.portions = {0.25, 0.5, 1};
  options.probe = {.l2 = 1e-9, .tolerance = 1e-10};
  auto found = code_length(zeros({400, 1}, DType::f64), {2, labels}, options);
  EXPECT_EQ(found.rows, (std::vector<int64_t>{100, 100, 200}));
  EXPECT_EQ(found.portion_bits[0], 100);
  // Replay: the same order, coded by hand.
  Generator generator(options.seed);
  auto order = randperm(400, &generator).to_vector<int64_t>();
  double bits = 100;
  for (auto [begin, end] : {std::pair<int, int>{100, 200}, {200, 400}}) {
    double ones_seen = 0;
    auto label = [&](int i) { return labels[static_cast<size_t>(order[static_cast<size_t>(i)])]; };
    for (int i = 0; i < begin; ++i) ones_seen += static_cast<double>(label(i));
    double p = ones_seen / begin;
    for (int i = begin; i < end; ++i) bits -= std::log2(label(i) ? p : 1 - p);
  }
  EXPECT_NEAR(found.bits, bits, 1e-4);
}

TEST(CodeLength, IsShortForClearAndNotForShuffledLabels) {
  auto clear = two_clouds(1000, 5, 8, 20), vague = two_clouds(1000, 5, 1, 21);
  Generator generator(22);
  auto noise = randint(0, 2, {1000}, DType::i64, &generator).to_vector<int64_t>();
  double high = code_length(clear.x, {2, clear.labels}).compression();
  double low = code_length(vague.x, {2, vague.labels}).compression();
  double none = code_length(vague.x, {2, noise}).compression();
  EXPECT_GT(high, 8);
  EXPECT_GT(low, 1.05);
  EXPECT_LT(low, 2);
  EXPECT_LT(none, 1.01);
  EXPECT_GT(none, 0.85);
}

TEST(CodeLength, CostsFinitelyManyBitsForAClassNotSeenYet) {
  auto clouds = two_clouds(300, 3, 4, 23);
  clouds.labels[150] = 2;
  EXPECT_TRUE(std::isfinite(code_length(clouds.x, {3, clouds.labels}).bits));
  CodeLengthOptions descending;
  descending.portions = {0.5, 0.25, 1};
  EXPECT_FAILS(code_length(clouds.x, {3, clouds.labels}, descending), "0.25 follows 0.5");
  descending.portions = {0.5};
  EXPECT_FAILS(code_length(clouds.x, {3, clouds.labels}, descending), "must end with 1");
}

}  // namespace
}  // namespace strata::introspect
