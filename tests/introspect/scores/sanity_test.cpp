// The sanity harness: what ignores the model is found out, what depends on it passes, and the
// network is afterwards what it was.
#include "tools/introspect/scores/sanity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/ops.h"
#include "models/vision/convnet.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/attribution/gradient.h"
#include "tools/introspect/scores/panel.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::expect_near;
using strata::test::values;

Tensor as_f32(const Tensor& x) { return x.to(DType::f32); }

// Finds edges of the picture and never looks at the model.
Tensor edges(const Scores&, const Tensor& x, const std::vector<int64_t>&) {
  Tensor kernel = from_vector(std::vector<float>{-1, 0, 1, -2, 0, 2, -1, 0, 1}, {1, 3, 3, 1});
  Tensor grey = mean(x, {3}, true);
  Tensor across = conv2d(grey, kernel.to(x.dtype()), {}, {.padding = 1});
  Tensor down = conv2d(grey, kernel.transpose(1, 2).contiguous().to(x.dtype()), {}, {.padding = 1});
  return (abs(across) + abs(down)).squeeze(3);
}

struct SmallNet {
  ConvNet network{{.channels = 1, .classes = 3, .widths = {8, 8, 8}, .halve = {1}}};
  Tensor x = as_f32(random({4, 16, 16, 1}, 1));
  std::vector<int64_t> target{0, 1, 2, 0};
  SmallNet() { network.eval(); }
  Scores scores() {
    return [this](const Tensor& input) { return network(input); };
  }
};

std::vector<std::vector<float>> bits_of(Module& network) {
  std::vector<std::vector<float>> out;
  for (const auto& p : network.named_parameters()) out.push_back(p.tensor.to_vector<float>());
  for (const auto& b : network.named_buffers()) out.push_back(b.tensor.to_vector<float>());
  return out;
}
void expect_same_bits(const std::vector<std::vector<float>>& a,
                      const std::vector<std::vector<float>>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) {
    EXPECT_EQ(std::memcmp(a[i].data(), b[i].data(), a[i].size() * sizeof(float)), 0) << i;
  }
}

TEST(Sanity, AnEdgeDetectorIsFlaggedAndTheGradientPasses) {
  manual_seed(5);
  SmallNet net;
  for (Redraw redraw : {Redraw::initialisation, Redraw::permutation}) {
    Randomisation edge =
        randomise(net.network, net.scores(), edges, net.x, net.target, {.redraw = redraw});
    EXPECT_EQ(edge.verdict(), Verdict::fails);
    for (const auto& step : edge.steps) {
      EXPECT_NEAR(step.similarity.rank, 1, 1e-12);
      EXPECT_NEAR(step.similarity.structure, 1, 1e-9);
    }
    Randomisation gradient = randomise(net.network, net.scores(), gradient_saliency, net.x,
                                       net.target, {.redraw = redraw});
    EXPECT_EQ(gradient.verdict(), Verdict::passes) << gradient.steps.back().similarity.rank;
  }
}

TEST(Sanity, TheCascadeGoesFromTheTopThroughEveryLayer) {
  SmallNet net;
  Randomisation got = randomise(net.network, net.scores(), gradient_saliency, net.x, net.target);
  std::vector<std::string> layers;
  for (const auto& step : got.steps) layers.push_back(step.layer);
  EXPECT_EQ(layers.front(), "head");
  EXPECT_TRUE(layers.back().starts_with("conv1")) << layers.back();
  size_t parameters = 0;
  for (const auto& layer : layers) {
    for (const auto& p : net.network.named_parameters()) {
      parameters += p.name.substr(0, p.name.rfind('.')) == layer;
    }
  }
  EXPECT_EQ(parameters, net.network.named_parameters().size());

  Randomisation chosen = randomise(net.network, net.scores(), gradient_saliency, net.x, net.target,
                                   {.layers = {"head", "conv2"}});
  ASSERT_EQ(chosen.steps.size(), 2u);
  EXPECT_EQ(chosen.steps[1].layer, "conv2");
}

// What a layer above does not reach cannot change: independent, not cascading, shows it.
TEST(Sanity, IndependentRandomisationTouchesOneLayerAtATime) {
  SmallNet net;
  Method lower = [&](const Scores& model, const Tensor& x, const std::vector<int64_t>&) {
    return channels_of(model, "conv1")(x) * 1.0 + x.flatten(1).slice(1, 0, 8) * 0.0;
  };
  RandomisationOptions options{.order = Order::independent,
                               .redraw = Redraw::permutation,
                               .layers = {"head", "conv1.conv", "conv2"}};
  Randomisation got = randomise(net.network, net.scores(), lower, net.x, net.target, options);
  EXPECT_NEAR(got.steps[0].similarity.rank, 1, 1e-12);
  EXPECT_LT(got.steps[1].similarity.rank, 0.999);
  EXPECT_NEAR(got.steps[2].similarity.rank, 1, 1e-12);
  EXPECT_FAILS(got.verdict(), "only a cascade has a verdict");
}

TEST(Sanity, WeightsAreRestoredToTheBitAlsoAfterAnError) {
  SmallNet net;
  auto before = bits_of(net.network);
  GeneratorState generator = default_generator().state();
  for (Order order : {Order::cascade, Order::independent}) {
    for (Redraw redraw : {Redraw::initialisation, Redraw::permutation}) {
      randomise(net.network, net.scores(), gradient_saliency, net.x, net.target,
                {.order = order, .redraw = redraw});
      expect_same_bits(bits_of(net.network), before);
    }
  }
  EXPECT_EQ(default_generator().state().offset, generator.offset);
  int calls = 0;
  Method breaks = [&](const Scores&, const Tensor& x, const std::vector<int64_t>&) {
    if (++calls == 3) fail("breaks", Caller{}, "on purpose");
    return x;
  };
  EXPECT_FAILS(randomise(net.network, net.scores(), breaks, net.x, net.target), "on purpose");
  expect_same_bits(bits_of(net.network), before);
  net.network.train();  // batch norm then moves its statistics in every pass
  randomise(net.network, net.scores(), gradient_saliency, net.x, net.target);
  expect_same_bits(bits_of(net.network), before);
}

TEST(Sanity, PermutationKeepsTheValuesOfALayer) {
  SmallNet net;
  std::vector<float> sorted = net.network.find("head").parameters()[0].to_vector<float>();
  std::vector<float> order = sorted;
  std::sort(sorted.begin(), sorted.end());
  Method look = [&](const Scores&, const Tensor& x, const std::vector<int64_t>&) {
    std::vector<float> now = net.network.find("head").parameters()[0].to_vector<float>();
    EXPECT_TRUE(std::is_permutation(now.begin(), now.end(), order.begin()));
    return x;
  };
  randomise(net.network, net.scores(), look, net.x, net.target,
            {.redraw = Redraw::permutation, .layers = {"head"}});
}

TEST(Sanity, TheSameSeedGivesTheSameSteps) {
  SmallNet net;
  auto run = [&](uint64_t seed) {
    return randomise(net.network, net.scores(), gradient_saliency, net.x, net.target,
                     {.layers = {"head", "conv3"}, .seed = seed})
        .steps.back()
        .similarity.rank;
  };
  EXPECT_EQ(run(3), run(3));
  EXPECT_NE(run(3), run(4));
}

// Another network with other weights, as one trained on shuffled labels is.
TEST(Sanity, ShuffledLabelControlComparesTwoModels) {
  manual_seed(6);
  SmallNet net, other;
  Similarity edge = shuffled_label_control(net.scores(), other.scores(), edges, net.x, net.target);
  EXPECT_EQ(verdict_of(edge), Verdict::fails);
  Similarity gradient =
      shuffled_label_control(net.scores(), other.scores(), gradient_saliency, net.x, net.target);
  EXPECT_EQ(verdict_of(gradient), Verdict::passes) << gradient.rank;
  Similarity same =
      shuffled_label_control(net.scores(), net.scores(), gradient_saliency, net.x, net.target);
  EXPECT_NEAR(same.rank, 1, 1e-12);
}

TEST(Sanity, ThresholdsOfTheVerdict) {
  auto verdict = [](double rank) { return verdict_of(Similarity{.rank = rank}); };
  EXPECT_EQ(verdict(0.29), Verdict::passes);
  EXPECT_EQ(verdict(-0.29), Verdict::passes);
  EXPECT_EQ(verdict(0.4), Verdict::unclear);
  EXPECT_EQ(verdict(0.51), Verdict::fails);
  EXPECT_EQ(verdict(-0.51), Verdict::fails);
}

TEST(Sanity, APanelIsNotDrawnWithoutItsControl) {
  Panel panel({"Gradient", draw::HeatMap{ones({4, 4})}, "score 3.2"});
  EXPECT_FAILS(panel.drawn(), "'Gradient' has no control");
  Randomisation cascade{Order::cascade, {{"conv1", {0.12, 0.35, 0.5}}}};
  panel.set_control(control_of(cascade));
  EXPECT_EQ(panel.drawn().note, "score 3.2\ncascade .12 (abs .35): passes");
  draw::Figure figure;
  figure.rows.push_back({.panels = {panel.drawn()}});
  EXPECT_GT(draw::render(figure).height, 336);
  panel.set_control(control_of(Localisation{.mass = 0.2, .area = 0.19}));
  EXPECT_EQ(panel.drawn().note, "score 3.2\nmass .20, area .19: fails");
  panel.set_control(control_of_shuffled_labels({.rank = -1, .magnitude_rank = 1}));
  EXPECT_EQ(panel.control()->text(), "shuffled labels −1.00 (abs 1.00): fails");
  EXPECT_FAILS(control_of(Randomisation{Order::independent, cascade.steps}), "only a cascade");
}

TEST(Sanity, Refuses) {
  SmallNet net;
  EXPECT_FAILS(randomise(net.network, net.scores(), edges, net.x, net.target, {.layers = {"fc"}}),
               "'fc' has no parameters.*head");
}

TEST(MapSimilarity, SpearmanIsOfRanks) {
  Tensor a = random({3, 40}, 2);
  expect_near(values(spearman(a, a)), {1, 1, 1});
  expect_near(values(spearman(a, exp(a * 2.0))), {1, 1, 1});
  expect_near(values(spearman(a, -a)), {-1, -1, -1});
  expect_near(values(spearman(a, ones_like(a))), {0, 0, 0});
  // Without ties: 1 - 6 sum d^2 / (n (n^2 - 1)); d = 1, 1, 0, 2, 2.
  Tensor p = from_vector(std::vector<double>{1, 2, 3, 4, 5}, {1, 5});
  Tensor q = from_vector(std::vector<double>{2, 1, 3, 6, 4}, {1, 5});  // ranks 2 1 3 5 4
  expect_near(values(spearman(p, q)), {1 - 6 * 4.0 / 120});
  // Ties: ranks 1.5 1.5 3 4 against 1 2 3 4; Pearson by hand is 4.5 / sqrt(4.5 * 5).
  Tensor tied = from_vector(std::vector<double>{0, 0, 1, 2}, {1, 4});
  Tensor plain = from_vector(std::vector<double>{1, 2, 3, 4}, {1, 4});
  expect_near(values(spearman(tied, plain)), {4.5 / std::sqrt(4.5 * 5)});
  // Independent values: deviation 1 / sqrt(n - 1).
  EXPECT_LT(std::abs(spearman(random({1, 10000}, 3), random({1, 10000}, 4)).item()), 0.04);
  EXPECT_FAILS(spearman(a, random({3, 41}, 2)), "of one shape");
  EXPECT_FAILS(spearman(a, full({3, 40}, NAN, DType::f64)), "NaNs");
}

TEST(MapSimilarity, SsimOfKnownPairs) {
  Tensor a = random({2, 16, 16}, 5);
  expect_near(values(ssim(a, a)), {1, 1});
  EXPECT_LT(largest_difference(ssim(a, random({2, 16, 16}, 6)), zeros({2}, DType::f64)), 0.15);
  // Constant maps p and q: (2 p q + c1) / (p^2 + q^2 + c1) with L = |p - q|.
  Tensor two = full({1, 12, 12}, 2, DType::f64), three = full({1, 12, 12}, 3, DType::f64);
  expect_near(values(ssim(two, three)), {(12 + 1e-4) / (13 + 1e-4)}, 1e-9);
  expect_near(values(ssim(two, two)), {1}, 1e-9);
  // A scale of both cancels; one of one map does so in similarity().
  Tensor b = random({2, 16, 16}, 8);
  expect_near(values(ssim(a * 5.0, b * 5.0)), values(ssim(a, b)), 1e-9);
  EXPECT_NEAR(similarity(a, a * 7.0).structure, 1, 1e-9);
  EXPECT_TRUE(std::isnan(similarity(random({2, 9}, 1), random({2, 9}, 2)).structure));
  expect_near(values(ssim(random({1, 3, 3}, 7), random({1, 3, 3}, 7))), {1});
}

}  // namespace
}  // namespace strata::introspect
