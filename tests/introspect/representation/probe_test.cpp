// Probes against what convexity promises, and against problems whose answer is known.
#include "tools/introspect/representation/probe.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/autograd/autograd.h"
#include "kernels/common/parallel.h"
#include "tests/introspect/representation/clouds.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using test::gaussian;
using test::two_clouds;

const ProbeOptions exact{.l2 = 1e-2, .max_iterations = 2000, .tolerance = 1e-9};

std::vector<int64_t> random_labels(int64_t n, int64_t classes, uint64_t seed) {
  Generator generator(seed);
  return randint(0, classes, {n}, DType::i64, &generator).to_vector<int64_t>();
}
double largest_difference(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

// The objective and its gradients by the engine's own ops and tape.
struct Reference {
  double value;
  std::vector<Tensor> gradients;
};
Reference reference(const Tensor& x, const LabelSet& set, const LogisticFit& fit,
                    const LogisticOptions& options) {
  Tensor weight = fit.weight.clone().set_requires_grad();
  Tensor bias = fit.bias.clone().set_requires_grad();
  Tensor target = from_vector(set.labels, {x.size(0)});
  Tensor loss = cross_entropy(matmul(x, weight) + bias, target) +
                sum(square(weight)) * (options.l2 / 2) + sum(square(bias)) * (options.bias_l2 / 2);
  return {loss.item(), grad({loss}, {weight, bias})};
}

TEST(Logistic, ReachesAGradientBelow1em8ByTheTapesOwnAccount) {
  // Ill-conditioned features with large means, more classes than a register has lanes.
  Tensor x = matmul(gaussian(300, 13, 1), gaussian(13, 13, 2)) * 10.0 + 30.0;
  LabelSet set{21, random_labels(300, 21, 3)};
  for (double bias_l2 : {0.0, 0.1}) {
    LogisticOptions options{
        .l2 = 1e-2, .bias_l2 = bias_l2, .max_iterations = 5000, .tolerance = 1e-9};
    LogisticFit fit = fit_logistic(x, {set}, options)[0];
    Reference found = reference(x, set, fit, options);
    EXPECT_NEAR(found.value, fit.objective, 1e-11);
    double size = norm(found.gradients[0]).item() + norm(found.gradients[1]).item();
    EXPECT_LT(size, 1e-8);
    EXPECT_LT(fit.gradient, 1e-9);
  }
}

TEST(Logistic, FewDimensionsAndOneClassAreNoSpecialCase) {
  for (int64_t d : {1, 3, 7, 8, 9}) {
    Tensor x = gaussian(70, d, 4);
    LabelSet set{3, random_labels(70, 3, 5)};
    LogisticFit fit = fit_logistic(x, {set}, exact)[0];
    EXPECT_LT(norm(reference(x, set, fit, exact).gradients[0]).item(), 1e-8) << d;
  }
  LogisticFit constant = fit_logistic(gaussian(20, 2, 6), {{1, std::vector<int64_t>(20, 0)}})[0];
  EXPECT_EQ(constant.loss, 0);
  EXPECT_EQ(max(abs(constant.weight)).item(), 0);
}

TEST(Logistic, BiasIsUniqueThoughItIsFree) {
  // Without features the optimum is the logarithm of the frequencies, with the mean taken out.
  Tensor x = zeros({10, 2}, DType::f64);
  LogisticFit fit = fit_logistic(x, {{3, {0, 0, 0, 0, 0, 1, 1, 1, 2, 2}}}, exact)[0];
  double middle = (std::log(5.0) + std::log(3.0) + std::log(2.0)) / 3;
  strata::test::expect_near(
      fit.bias.to_vector<double>(),
      {std::log(5.0) - middle, std::log(3.0) - middle, std::log(2.0) - middle}, 1e-8);
}

TEST(Logistic, AClassWithoutExamplesIsLeftOutOrKeptFiniteByThePenalty) {
  auto clouds = two_clouds(60, 3, 1, 7);
  LabelSet three{3, clouds.labels};
  LogisticFit without = fit_logistic(clouds.x, {{2, clouds.labels}}, exact)[0];
  LogisticFit with = fit_logistic(clouds.x, {three}, exact)[0];
  EXPECT_EQ(with.bias.select(0, 2).item(), -std::numeric_limits<double>::infinity());
  EXPECT_EQ(max(abs(with.weight.select(1, 2))).item(), 0);
  EXPECT_LT(largest_difference(with.weight.slice(1, 0, 2), without.weight), 1e-8);
  LogisticOptions penalised = exact;
  penalised.bias_l2 = 1e-2;
  LogisticFit finite = fit_logistic(clouds.x, {three}, penalised)[0];
  EXPECT_TRUE(std::isfinite(finite.bias.select(0, 2).item()));
  EXPECT_LT(norm(reference(clouds.x, three, finite, penalised).gradients[1]).item(), 1e-8);
}

TEST(Logistic, WideFeaturesUseTheDiagonalAndReachTheSameOptimum) {
  Tensor narrow = gaussian(40, 5, 8);
  Tensor wide = concatenate({narrow, zeros({40, 2100}, DType::f64)}, 1);
  LabelSet set{3, random_labels(40, 3, 9)};
  LogisticFit a = fit_logistic(narrow, {set}, exact)[0], b = fit_logistic(wide, {set}, exact)[0];
  EXPECT_LT(largest_difference(a.weight, b.weight.slice(0, 0, 5)), 1e-6);
  EXPECT_NEAR(a.objective, b.objective, 1e-12);
}

TEST(Logistic, GivesTheSameBitsForAnyThreadCount) {
  Tensor x = gaussian(700, 20, 10, DType::f32);
  LabelSet set{4, random_labels(700, 4, 11)};
  int before = thread_count();
  std::vector<std::vector<double>> weights;
  for (int threads : {1, 2, 5}) {
    set_thread_count(threads);
    weights.push_back(fit_logistic(x, {set})[0].weight.to_vector<double>());
  }
  set_thread_count(before);
  EXPECT_EQ(weights[0], weights[1]);
  EXPECT_EQ(weights[0], weights[2]);
}

TEST(Logistic, SinglePrecisionEndsWhereDoubleDoes) {
  Tensor x = gaussian(500, 10, 12);
  LabelSet set{3, random_labels(500, 3, 13)};
  LogisticFit f64 = fit_logistic(x, {set}, exact)[0];
  LogisticFit f32 = fit_logistic(x.to(DType::f32), {set}, exact)[0];  // asks for more than f32 has
  EXPECT_LT(f32.gradient, 1e-6);
  EXPECT_LT(largest_difference(f32.weight.to(DType::f64), f64.weight), 1e-5);
}

TEST(Logistic, SurvivesLargeMeansAndRepeatedColumnsInSinglePrecision) {
  Tensor half = gaussian(300, 20, 20, DType::f32);
  Tensor x = concatenate({half, half}, 1) + 300.0;
  LabelSet set{3, random_labels(300, 3, 21)};
  LogisticOptions options{.l2 = 1e-6, .max_iterations = 300, .tolerance = 1e-9};
  LogisticFit fit = fit_logistic(x, {set}, options)[0];
  // Repeated columns share what one would have: the same fit as one at half the penalty.
  options.l2 = 5e-7;
  LogisticFit one = fit_logistic(half.to(DType::f64), {set}, options)[0];
  EXPECT_NEAR(fit.objective, one.objective, 1e-4);
}

TEST(Logistic, RefusesWhatHasNoOptimum) {
  auto clouds = two_clouds(10, 2, 1, 14);
  LabelSet set{2, clouds.labels};
  EXPECT_FAILS(fit_logistic(clouds.x, {set}, {.l2 = 0}), "l2 is 0");
  EXPECT_FAILS(fit_logistic(clouds.x, {{1, clouds.labels}}), "numbers from 0 to 0");
  EXPECT_FAILS(fit_logistic(clouds.x.to(DType::i64), {set}), "i64\\[10,2\\]");
  EXPECT_FAILS(fit_logistic(clouds.x, {set}, {}, zeros({2, 2})), "\\[D \\+ 1, K\\] = \\[3, 2\\]");
  Tensor broken = clouds.x.clone();
  broken.data<double>()[3] = std::nan("");
  EXPECT_FAILS(fit_logistic(broken, {set}), "f64\\[10,2\\] hold NaN");
}

TEST(Probe, ReachesTheSameOptimumFromAnyStart) {
  auto train = two_clouds(200, 5, 1.0, 1);
  ProbeTask task{"side", 2, train.labels, train.labels};
  auto from_zero = fit_probes(train.x, train.x, {task}, exact)[0];
  for (uint64_t seed : {3, 4, 5}) {
    Generator generator(seed);
    Tensor start = randn({6, 2}, 1, 3, DType::f64, &generator);
    auto from_noise = fit_probes(train.x, train.x, {task}, exact, start)[0];
    EXPECT_LT(from_noise.gradient, 1e-8);
    EXPECT_LT(largest_difference(from_zero.weight, from_noise.weight), 1e-7);
    EXPECT_LT(largest_difference(from_zero.bias, from_noise.bias), 1e-7);
  }
}

TEST(Probe, IsInvariantToRotationOfTheFeatures) {
  auto train = two_clouds(150, 6, 1.5, 2);
  Tensor rotation = test::orthogonal(6, 15), turned = matmul(train.x, rotation);
  ProbeTask task{"side", 2, train.labels, train.labels};
  auto plain = fit_probes(train.x, train.x, {task}, exact)[0];
  auto rotated = fit_probes(turned, turned, {task}, exact)[0];
  EXPECT_NEAR(plain.train_loss, rotated.train_loss, 1e-9);
  EXPECT_LT(largest_difference(matmul(rotation, rotated.weight), plain.weight), 1e-7);
}

TEST(Probe, FindsTheBayesRateOfTwoGaussians) {
  auto train = two_clouds(4000, 4, 2.0, 4), validation = two_clouds(4000, 4, 2.0, 5);
  double bayes = 0.5 * std::erfc(-1.0 / std::sqrt(2.0));  // Phi(distance / 2)
  ProbeTask task{"side", 2, train.labels, validation.labels, bayes};
  auto result = fit_probes(train.x, validation.x, {task})[0];
  double error = std::sqrt(bayes * (1 - bayes) / 4000);
  EXPECT_NEAR(result.validation_accuracy, bayes, 3 * error);
  EXPECT_NEAR(result.normalised_accuracy(), 1, 3 * error / (bayes - 0.5));
  EXPECT_NEAR(result.margin(4000), 1.96 * error, 1e-3);
}

TEST(Probe, StaysAtChanceOnShuffledLabels) {
  auto train = two_clouds(2000, 8, 3.0, 6), validation = two_clouds(2000, 8, 3.0, 7);
  ProbeTask task{"noise", 2, random_labels(2000, 2, 8), random_labels(2000, 2, 9)};
  auto result = fit_probes(train.x, validation.x, {task})[0];
  EXPECT_NEAR(result.validation_accuracy, 0.5, 0.034);  // three standard errors
  EXPECT_GE(result.chance, 0.5);
}

TEST(Probe, SolvesSeveralTasksAsIfAlone) {
  auto train = two_clouds(300, 3, 1.0, 9);
  std::vector<int64_t> three;
  for (size_t i = 0; i < 300; ++i) three.push_back(static_cast<int64_t>(i % 3));
  ProbeTask a{"a", 2, train.labels, train.labels}, b{"b", 3, three, three};
  auto both = fit_probes(train.x, train.x, {a, b}, exact);
  auto alone = fit_probes(train.x, train.x, {b}, exact);
  EXPECT_EQ(both[1].name, "b");
  EXPECT_LT(largest_difference(both[1].weight, alone[0].weight), 1e-7);
}

// Cover (1965): random labels of n points in general position in d dimensions (with a bias, d + 1)
// are separable with probability 1/2 at n = 2 d. Separable sets reach any small loss as l2 falls.
TEST(Probe, SeparatesHalfOfTheDichotomiesOfTwicePointsPerDimension) {
  int separable = 0;
  const int draws = 200;
  std::vector<double> balance;
  for (uint64_t i = 0; i < draws; ++i) {
    Tensor x = gaussian(40, 19, 1000 + i);  // 20 parameters for 40 points
    LabelSet set{2, random_labels(40, 2, 5000 + i)};
    LogisticFit fit =
        fit_logistic(x, {set}, {.l2 = 1e-7, .max_iterations = 300, .tolerance = 1e-7})[0];
    separable += accuracy(matmul(x, fit.weight) + fit.bias, set.labels) == 1;
  }
  EXPECT_NEAR(separable / static_cast<double>(draws), 0.5, 3 * 0.5 / std::sqrt(draws));
}

// A small network, trained by gradient descent with momentum on noisy labels.
struct TrainedMlp {
  Tensor x = gaussian(400, 6, 16), hidden = gaussian(12, 6, 17) * 0.5,
         hidden_bias = zeros({12}, DType::f64), head = zeros({3, 12}, DType::f64),
         head_bias = zeros({3}, DType::f64);
  std::vector<int64_t> labels;
  TrainedMlp() {
    auto score = matmul(x, gaussian(6, 3, 18)) + gaussian(400, 3, 19);
    labels = argmax(score, 1).to_vector<int64_t>();
    Tensor target = from_vector(labels, {400});
    std::vector<Tensor> parameters{hidden, hidden_bias, head, head_bias}, velocity;
    for (Tensor& p : parameters) {
      p.set_requires_grad();
      velocity.push_back(zeros(p.shape(), DType::f64));
    }
    for (int step = 0; step < 150; ++step) {
      auto gradients = grad({cross_entropy(logits(), target)}, parameters);
      NoGrad off;
      for (size_t i = 0; i < parameters.size(); ++i) {
        velocity[i] = velocity[i] * 0.9 + gradients[i];
        add_(parameters[i], velocity[i], -0.1);
      }
    }
  }
  Tensor penultimate() const { return relu(linear(x, hidden, hidden_bias)); }
  Tensor logits() const { return linear(penultimate(), head, head_bias); }
};

TEST(Probe, OnThePenultimateLayerIsNoWorseThanTheNetworksHead) {
  TrainedMlp network;
  NoGrad off;
  Tensor features = network.penultimate().detach();
  double own = log_loss(network.logits(), network.labels);
  EXPECT_LT(own, 0.8 * std::log(3.0));  // it has learned something
  double size = sum(square(network.head)).item();
  for (double l2 : {1e-3, 1e-5, 1e-8}) {
    ProbeOptions options{.l2 = l2, .max_iterations = 5000, .tolerance = 1e-9};
    LogisticFit fit = fit_logistic(features, {{3, network.labels}}, options)[0];
    // Exact at any penalty: the optimum's objective is at most that of the network's own head.
    EXPECT_LE(fit.objective, own + l2 / 2 * size);
    if (l2 < 1e-4) {
      EXPECT_LT(fit.loss, own);
    }
  }
}

TEST(Probe, RefusesLabelsOutOfRange) {
  auto train = two_clouds(10, 2, 1.0, 10);
  train.labels[3] = 2;
  ProbeTask task{"side", 2, train.labels, train.labels};
  EXPECT_FAILS(fit_probes(train.x, train.x, {task}),
               "labels of 'side' must be 10 and 10 numbers "
               "from 0 to 1");
}

}  // namespace
}  // namespace strata::introspect
