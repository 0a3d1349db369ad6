// Relevance propagation through whole networks: conservation at every op, splits, gates, folding.
#include "tools/introspect/attribution/relevance.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "models/language/gpt.h"
#include "models/vision/cifar_resnet.h"
#include "models/vision/convnet.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/attribution/target.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;
using strata::test::vector_of;

double total(const std::vector<Tensor>& parts) {
  double all = 0;
  for (auto& part : parts) all += part.defined() ? sum(part).item() : 0;
  return all;
}
double absorbed(const Relevance& r) {
  double all = 0;
  for (auto& b : r.balance) all += b.absorbed;
  return all;
}
double score_of(const Scores& model, const Tensor& x, const std::vector<int64_t>& target) {
  return sum(target_scores(model(x), target)).item();
}

// Every op hands on what it received, but for what it owns up to.
void expect_conserved(const Relevance& r, double score, double tolerance, const std::string& what) {
  double size = 1 + std::abs(score);
  for (auto& b : r.balance) {
    double scale = size + std::abs(b.received) + std::abs(b.absorbed) + std::abs(b.passed);
    EXPECT_NEAR(b.received, b.passed + b.absorbed, tolerance * scale) << what << " " << b.op;
    size = std::max(size, scale);
  }
  EXPECT_NEAR(total({r.input}) + absorbed(r), score, tolerance * size) << what;
}

TEST(Relevance, IsConservedOpByOpInEveryFamily) {
  std::vector<std::pair<const char*, Composite>> composites = {
      {"epsilon", everywhere(lrp_epsilon())},  {"gamma", everywhere(lrp_gamma())},
      {"z+", everywhere(lrp_z_plus())},        {"alpha-beta", everywhere(lrp_alpha_beta())},
      {"box", epsilon_gamma_box(-6, 6)},       {"plus flat", epsilon_plus(1e-6, true)},
      {"w-square", everywhere(lrp_w_square())}};
  for (auto& f : networks("heads")) {
    double score = score_of(f.model, f.x, {1, 0});
    for (auto& [name, composite] : composites) {
      for (Bias bias : {Bias::absorbed, Bias::distributed}) {
        Relevance r =
            relevance_propagation(f.model, f.x, {1, 0}, {.composite = composite, .bias = bias});
        expect_conserved(r, score, 1e-10, std::string(f.name) + " " + name);
        EXPECT_EQ(r.input.shape(), f.x.shape());
        EXPECT_GT(max(abs(r.input)).item(), 0) << f.name << " " << name;
      }
    }
  }
}

// Nothing stays behind when biases are shared out, nothing is stabilised and nothing cancels.
TEST(Relevance, ReachesTheInputWholeWhereNothingAbsorbs) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 5);
  Relevance r = relevance_propagation(
      model, x, {0, 2},
      {.composite = everywhere(lrp_epsilon(0)), .bias = Bias::distributed, .epsilon = 0});
  double score = score_of(model, x, {0, 2});
  EXPECT_NEAR(total({r.input}), score, 1e-10 * (1 + sum(abs(r.input)).item()));
  EXPECT_NE(score, 0);
  // With biases absorbed it does not: the test above is not empty.
  Relevance kept = relevance_propagation(model, x, {0, 2},
                                         {.composite = everywhere(lrp_epsilon(0)), .epsilon = 0});
  EXPECT_GT(std::abs(total({kept.input}) - score), 1e-3);
}

TEST(Relevance, WithoutBiasAndStabiliserItIsInputTimesGradient) {
  ConvNetwork model;
  model.biased = false;
  GraphNetwork graph;  // has none
  auto check = [](const Scores& net, const Tensor& x, const std::vector<int64_t>& target) {
    Tensor input = x.detach().set_requires_grad();
    Tensor gradient = grad(sum(target_scores(net(input), target)), input);
    Relevance r = relevance_propagation(net, x, target,
                                        {.composite = everywhere(lrp_epsilon(0)), .epsilon = 0});
    EXPECT_LT(largest_difference(r.input, x * gradient), 1e-10);
    EXPECT_GT(max(abs(r.input)).item(), 1e-3);
  };
  check(model, random({2, 8, 8, 2}, 6), {1, 2});
  check(graph, random({2, 5, 3}, 7), {0, 1});
}

TEST(Relevance, ASkipConnectionSplitsInProportion) {
  // score = x + 3 x + (x * 2 - 1): contributions 2, 6 and 4 - 1 of 11, the constant's -1 absorbed.
  Tensor x = vector_of({2}).reshape({1, 1});
  Tensor w = vector_of({3}).reshape({1, 1});
  Scores model = [&](const Tensor& v) { return v + linear(v, w) + (v * 2.0 - 1.0); };
  RelevanceOptions exact{.composite = everywhere(lrp_epsilon(0)), .epsilon = 0};
  Relevance r = relevance_propagation(model, x, {0}, exact);
  EXPECT_NEAR(r.input.item(), 12, 1e-12);
  EXPECT_NEAR(absorbed(r), -1, 1e-12);
  exact.bias = Bias::distributed;
  EXPECT_NEAR(relevance_propagation(model, x, {0}, exact).input.item(), 11, 1e-12);

  // Two branches of one sum: each named branch receives its own part of every element.
  Tensor v = random({1, 4}, 8), a = random({4, 4}, 9), b = random({4, 4}, 10);
  Scores branches = [&](const Tensor& u) {
    return sum(relu(show("a", linear(u, a)) + show("b", linear(u, b))), {1}, true);
  };
  Relevance both = relevance_propagation(
      branches, v, {0},
      {.composite = everywhere(lrp_epsilon(0)), .epsilon = 0, .layers = {"a", "b"}});
  Tensor left = linear(v, a), right = linear(v, b), joint = relu(left + right);
  EXPECT_LT(largest_difference(both.layers["a"][0], left / (left + right) * joint), 1e-12);
  EXPECT_LT(largest_difference(both.layers["b"][0], right / (left + right) * joint), 1e-12);
}

TEST(Relevance, BatchNormIsFoldedIntoTheLayerBefore) {
  Tensor x = random({2, 6, 6, 2}, 11), weight = random({3, 3, 3, 2}, 12), scale = random({3}, 13),
         shift = random({3}, 14), running_mean = random({3}, 15), head = random({2, 3}, 17),
         running_var = square(random({3}, 16)) + 0.2;
  Tensor factor = scale * rsqrt(running_var + 1e-5);
  Scores normed = [&](const Tensor& v) {
    Tensor y = batch_norm(conv2d(v, weight), scale, shift, running_mean, running_var,
                          {.training = false, .relu = true});
    return linear(mean(y, {1, 2}), head);
  };
  Scores folded = [&](const Tensor& v) {
    Tensor y = conv2d(v, weight * factor.reshape({3, 1, 1, 1}), shift - running_mean * factor);
    return linear(mean(relu(y), {1, 2}), head);
  };
  EXPECT_LT(largest_difference(normed(x), folded(x)), 1e-12);
  for (auto& rule : {lrp_epsilon(), lrp_gamma(), lrp_z_plus(), lrp_z_box(-5, 5)}) {
    for (Bias bias : {Bias::absorbed, Bias::distributed}) {
      RelevanceOptions options{.composite = everywhere(rule), .bias = bias};
      Tensor a = relevance_propagation(normed, x, {0, 1}, options).input;
      Tensor b = relevance_propagation(folded, x, {0, 1}, options).input;
      EXPECT_LT(largest_difference(a, b), 1e-10);
    }
  }
  // Over time, where the convolution squeezes an axis; and on its own, where there is nothing to
  // fold into: an affine map of each channel.
  Tensor series = random({2, 7, 2}, 18), kernel = random({3, 3, 2}, 19);
  Scores timed = [&](const Tensor& v) {
    Tensor y =
        batch_norm(conv1d(v, kernel), scale, shift, running_mean, running_var, {.training = false});
    return mean(relu(y), {1});
  };
  Scores timed_folded = [&](const Tensor& v) {
    return mean(relu(conv1d(v, kernel * factor.reshape({3, 1, 1}), shift - running_mean * factor)),
                {1});
  };
  RelevanceOptions gamma{.composite = everywhere(lrp_gamma())};
  EXPECT_LT(largest_difference(relevance_propagation(timed, series, {0, 2}, gamma).input,
                               relevance_propagation(timed_folded, series, {0, 2}, gamma).input),
            1e-10);
  Tensor row = random({1, 3}, 20);
  Scores alone = [&](const Tensor& v) {
    return batch_norm(v, scale, shift, running_mean, running_var, {.training = false});
  };
  Tensor r = relevance_propagation(alone, row, {1}, {.epsilon = 0}).input;
  EXPECT_NEAR(r.select(0, 0).select(0, 1).item(), (row * factor).select(1, 1).item(), 1e-12);
  EXPECT_EQ(r.select(0, 0).select(0, 0).item(), 0);
}

TEST(Relevance, MaximaReceiveWhatTheySupplied) {
  Tensor x = vector_of({1, 5, 2, 4}).reshape({1, 2, 2, 1});
  Scores pooled = [](const Tensor& v) { return max_pool2d(v).reshape({1, 1}); };
  EXPECT_EQ(values(relevance_propagation(pooled, x, {0}).input), (std::vector<double>{0, 5, 0, 0}));
  Scores mean_pooled = [](const Tensor& v) { return avg_pool2d(v).reshape({1, 1}); };
  strata::test::expect_near(
      values(relevance_propagation(mean_pooled, x, {0}, {.epsilon = 0}).input),
      {0.25, 1.25, 0.5, 1});
}

TEST(Relevance, AGateReceivesNothingAndItsSignalAll) {
  Tensor x = vector_of({2, 3}).reshape({1, 2});
  Scores gated = [](const Tensor& v) { return sigmoid(v.slice(1, 0, 1)) * v.slice(1, 1, 2); };
  double score = 3 / (1 + std::exp(-2.0));
  auto r = values(relevance_propagation(gated, x, {0}, {.epsilon = 0}).input);
  EXPECT_EQ(r[0], 0);
  EXPECT_NEAR(r[1], score, 1e-12);
  Scores product = [](const Tensor& v) { return v.slice(1, 0, 1) * tanh(v.slice(1, 1, 2)); };
  r = values(relevance_propagation(product, x, {0}, {.epsilon = 0}).input);
  EXPECT_NEAR(r[0], std::tanh(3.0), 1e-12);
  EXPECT_NEAR(r[1], std::tanh(3.0), 1e-12);
}

// softmax(...) v: the pattern is a gate, so the values receive sum_t pattern[t, s] v[s] R[t] /
// z[t].
TEST(Relevance, OfAttentionGoesToTheValues) {
  Tensor x = random({1, 4, 3}, 21), wv = random({3, 3}, 22);
  Tensor pattern;
  Scores model = [&](const Tensor& v) {
    Tensor q = v.unsqueeze(2), values = linear(v, wv).unsqueeze(2);
    pattern = attention_pattern(q, q, {.causal = true});
    return sum(attention_mix(pattern, values), {1, 2});
  };
  Relevance r =
      relevance_propagation(model, x, {2}, {.composite = everywhere(lrp_epsilon(0)), .epsilon = 0});
  // The score is sum_{t, s} pattern[t, s] v[s, 2], linear in v.
  Tensor weights = sum(pattern.detach().select(0, 0).select(0, 0), {0});  // of each s
  Tensor expected = x * weights.reshape({1, 4, 1}) * wv.select(0, 2);
  EXPECT_LT(largest_difference(r.input, expected), 1e-12);
}

// With the deviation held fixed the norm is linear: relevance is x times its gradient, by loops.
TEST(Relevance, OfALayerNormHoldsTheDeviationFixed) {
  Tensor x = random({2, 5}, 23), scale = random({5}, 24), shift = random({5}, 25);
  for (bool centred : {true, false}) {
    Scores model = [&](const Tensor& v) {
      return centred ? layer_norm(v, scale, shift) : rms_norm(v, scale);
    };
    Tensor got = relevance_propagation(model, x, {3, 0}, {.epsilon = 0}).input;
    std::vector<double> a = values(x), g = values(scale), r = values(got);
    for (size_t n = 0; n < 2; ++n) {
      double mean = 0, square = 0;
      for (size_t j = 0; j < 5; ++j) mean += centred ? a[5 * n + j] / 5 : 0;
      for (size_t j = 0; j < 5; ++j) square += std::pow(a[5 * n + j] - mean, 2) / 5;
      size_t k = n == 0 ? 3 : 0;
      double slope = g[k] / std::sqrt(square + (centred ? 1e-5 : 1e-6));
      for (size_t j = 0; j < 5; ++j) {
        double direct = (j == k ? 1.0 : 0.0) - (centred ? 0.2 : 0.0);
        EXPECT_NEAR(r[5 * n + j], a[5 * n + j] * direct * slope, 1e-10) << centred;
      }
    }
  }
}

TEST(Relevance, OfALayerUsedTwiceIsThatOfTwoLayers) {
  Tensor x = random({2, 3}, 26), w = random({3, 3}, 27), copy = w.clone(), b = random({3}, 28);
  Scores shared = [&](const Tensor& v) {
    return show("use", relu(linear(show("use", relu(linear(v, w, b))), w, b)));
  };
  Scores apart = [&](const Tensor& v) { return relu(linear(relu(linear(v, w, b)), copy, b)); };
  RelevanceOptions options{.composite = everywhere(lrp_gamma()), .layers = {"use"}};
  Relevance r = relevance_propagation(shared, x, {0, 2}, options);
  EXPECT_EQ(
      values(r.input),
      values(
          relevance_propagation(apart, x, {0, 2}, {.composite = everywhere(lrp_gamma())}).input));
  ASSERT_EQ(r.layers["use"].size(), 2u);
  double score = score_of(shared, x, {0, 2});
  EXPECT_NEAR(total({r.layers["use"][1]}), score, 1e-12);
  EXPECT_NE(total({r.layers["use"][0]}), score);  // the bias has its part
}

// The relevance at a cut through which everything passes is the score.
TEST(Relevance, AtANamedLayerAddsUp) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 29);
  Relevance r = relevance_propagation(model, x, {1, 1},
                                      {.composite = everywhere(lrp_epsilon(0)),
                                       .bias = Bias::distributed,
                                       .epsilon = 0,
                                       .layers = {"conv2", "conv1"}});
  double score = score_of(model, x, {1, 1});
  double size = 1 + sum(abs(r.layers["conv1"][0])).item();
  EXPECT_NEAR(total(r.layers["conv2"]), score, 1e-10 * size);
  EXPECT_NEAR(total(r.layers["conv1"]), score, 1e-10 * size);
  EXPECT_EQ(r.layers["conv1"][0].shape(), (Dims{2, 8, 8, 4}));
}

TEST(Relevance, FirstLayersAreFoundByDepth) {
  // Two first layers side by side, and a deeper one.
  Tensor x = random({1, 4}, 30), a = random({3, 4}, 31), b = random({3, 4}, 32),
         c = random({2, 3}, 33);
  std::vector<std::pair<int, int>> depths;
  Composite watch = [&](const LinearPlace& place) {
    depths.emplace_back(place.depth, place.deepest);
    return lrp_epsilon();
  };
  Scores model = [&](const Tensor& v) { return linear(relu(linear(v, a) + linear(v, b)), c); };
  relevance_propagation(model, x, {0}, {.composite = watch});
  EXPECT_EQ(depths, (std::vector<std::pair<int, int>>{{1, 1}, {0, 1}, {0, 1}}));
}

TEST(Relevance, RunsAndConservesOnConvNetResNetAndGpt) {
  manual_seed(34);
  ConvNet convnet({.channels = 1, .classes = 4, .widths = {4, 8}, .halve = {1}});
  CifarResNet resnet({.depth = 20, .classes = 4, .width = 4});
  Gpt gpt({.vocabulary = 11, .context = 6, .width = 12, .heads = 3, .layers = 2});
  auto image = [](auto& network, const Tensor& x) {
    network.train();
    for (int i = 0; i < 3; ++i) network(x);  // so that the running statistics are not 0 and 1
    network.eval();
    Scores model = [&](const Tensor& v) { return network(v); };
    double score = score_of(model, x, {1, 3});
    for (auto& composite : {epsilon_plus(), epsilon_gamma_box(-6, 6)}) {
      Relevance r = relevance_propagation(model, x, {1, 3}, {.composite = composite});
      expect_conserved(r, score, 1e-4, network.kind());
      EXPECT_EQ(r.input.shape(), x.shape());
      EXPECT_GT(max(abs(r.input)).item(), 0);
    }
  };
  Generator generator(35);
  image(convnet, clamp(randn({2, 8, 8, 1}, 0, 1, DType::f32, &generator), -5, 5));
  image(resnet, clamp(randn({2, 16, 16, 3}, 0, 1, DType::f32, &generator), -5, 5));

  gpt.eval();
  Tensor tokens = randint(0, 11, {2, 6}, DType::i64, &generator);
  Scores last = [&](const Tensor& v) { return gpt(v).select(1, 5); };
  double score = score_of(last, tokens, {3, 7});
  Relevance r = relevance_propagation(last, tokens, {3, 7}, {.layers = {"embedding", "blocks.0"}});
  EXPECT_FALSE(r.input.defined());
  double size = 1;
  for (auto& b : r.balance) {
    size = std::max(size, std::abs(b.received) + std::abs(b.absorbed));
    EXPECT_NEAR(b.received, b.passed + b.absorbed, 1e-4 * size) << b.op;
  }
  EXPECT_NEAR(total(r.layers["embedding"]) + absorbed(r), score, 1e-4 * size);
  EXPECT_EQ(r.layers["embedding"][0].shape(), (Dims{2, 6, 12}));
}

TEST(Relevance, RefusesByNameWhatNoRuleCovers) {
  Tensor x = abs(random({2, 3}, 36));
  Scores exponential = [](const Tensor& v) { return exp(v); };
  EXPECT_FAILS(relevance_propagation(exponential, x, {0, 1}),
               R"(no rule covers 'exp'.*options\.rules\["exp"\].*relevance_test\.cpp)");
  Scores probability = [](const Tensor& v) { return softmax(v); };
  EXPECT_FAILS(relevance_propagation(probability, x, {0, 1}),
               "no rule covers 'softmax'.*scores that come before");
  Scores inverse = [](const Tensor& v) { return 1.0 / v; };
  EXPECT_FAILS(relevance_propagation(inverse, x, {0, 1}), "no rule covers 'div'");
  Scores training = [](const Tensor& v) { return batch_norm(v, {}, {}, {}, {}); };
  EXPECT_FAILS(relevance_propagation(training, x, {0, 1}), "batch's own statistics.*eval mode");
  EXPECT_FAILS(relevance_propagation(exponential, x, {0, 3}), "target 3");
  EXPECT_FAILS(relevance_propagation(exponential, zeros({2, 3}, DType::i64), {0, 1}),
               "integers, which carry no relevance");
  // And takes the caller's rule.
  Relevance r = relevance_propagation(exponential, x, {0, 1},
                                      {.rules = {{"exp", [](const Visit&, const Tensor& relevance) {
                                                    return Gradients{relevance};
                                                  }}}});
  EXPECT_EQ(sum(r.input).item(), score_of(exponential, x, {0, 1}));
}

}  // namespace
}  // namespace strata::introspect
