// The inductive-bias matrix: the verdict on invented numbers, and the parts whose answers are
// known.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "tests/support/expect.h"
#include "tools/experiments/audio_layers.h"
#include "tools/experiments/list.h"
#include "tools/experiments/unit_readers.h"

namespace strata::experiments {
namespace {

const std::vector<const char*> networks = {"MLP", "CNN", "LSTM", "transformer", "GNN"};

Json row(const char* best, double few, double many) {
  Json out;
  for (const char* network : networks) out[network] = {0.3, 0.6};
  out[best] = {few, many};
  return out;
}
Json good_seed() {
  return {{"examples", {128, 1024}},
          {"accuracy",
           {{"image", row("CNN", 0.6, 0.8)},
            {"text", row("transformer", 0.6, 0.8)},
            {"audio", row("CNN", 0.6, 0.8)},
            {"graph", row("GNN", 0.6, 0.8)}}},
          {"disorder",
           {{"image", {{"MLP", {0.6}}, {"CNN", {0.65}}}},
            {"audio", {{"MLP", {0.6}}, {"CNN", {0.65}}}},
            {"graph", {{"GNN", {0.6}}}}}},
          {"layers",
           {{"phoneme", {0.5, 0.9, 0.9}}, {"word", {0.5, 0.5, 0.9}}, {"speaker", {0.4, 0.3, 0.3}}}},
          {"parameters", {8000, 7900}}};
}
Result judged(const Json& seed) { return bias_matrix().judge({seed, seed}, Budget::small); }

TEST(BiasMatrix, IsSupportedWhenEverythingHolds) {
  const Result r = judged(good_seed());
  EXPECT_EQ(r.verdict, Verdict::supported) << r.why;
  EXPECT_NEAR(r.measures[0].per_seed[0], 0.3, 1e-12);
  EXPECT_NEAR(r.measures[4].per_seed[0], 0.1, 1e-12);
  EXPECT_NEAR(r.measures[5].per_seed[0], 0.75, 1e-12);
  EXPECT_NEAR(r.measures[7].per_seed[0], 0.8, 1e-12);  // .8 with edges, .6 without, .55 the node
  EXPECT_DOUBLE_EQ(r.measures[8].per_seed[0], 1);
  EXPECT_NEAR(r.measures[9].per_seed[0], 0.1, 1e-12);
}

TEST(BiasMatrix, EachThresholdFlipsItsMeasure) {
  const std::vector<std::pair<const char*, double>> misses = {
      {"/accuracy/image/LSTM/0", 0.64}, {"/accuracy/text/GNN/0", 0.64},
      {"/accuracy/audio/GNN/0", 0.64},  {"/accuracy/graph/LSTM/0", 0.64},
      {"/accuracy/graph/LSTM/1", -2.0}, {"/disorder/image/CNN/0", 0.71},
      {"/disorder/audio/CNN/0", 0.71},  {"/disorder/graph/GNN/0", 0.68},
      {"/layers/word/1", 0.85},         {"/layers/speaker/2", 0.36},
  };
  for (size_t i = 0; i < misses.size(); ++i) {
    Json seed = good_seed();
    seed[Json::json_pointer(misses[i].first)] = misses[i].second;
    const Result r = judged(seed);
    EXPECT_EQ(r.verdict, Verdict::in_part) << misses[i].first << ": " << r.why;
    for (size_t m = 0; m < r.measures.size(); ++m)
      EXPECT_EQ(r.measures[m].passed, m != i) << misses[i].first << ": " << r.measures[m].name;
  }
}

TEST(BiasMatrix, AFailingControlIsNotSupported) {
  Json size = good_seed();
  size["parameters"] = {8000, 7000};
  EXPECT_EQ(judged(size).verdict, Verdict::not_supported);
  Json harder = good_seed();
  harder["disorder"]["image"]["MLP"] = {0.5};
  EXPECT_EQ(judged(harder).verdict, Verdict::not_supported);
  Json nothing = good_seed();
  nothing["accuracy"]["text"]["transformer"] = {0.3, 0.4};
  EXPECT_EQ(judged(nothing).verdict, Verdict::not_supported);
}

TEST(BiasMatrix, HasNoLayersToMove) {
  Context context;
  context.lie = Lie::moving_layers;
  EXPECT_FAILS(bias_matrix().run_seed(context), "freezes no layers");
}

TEST(UnitNetworks, HaveNearlyTheParametersAskedFor) {
  for (int d = 0; d < unit_domains; ++d)
    for (int n = 0; n < unit_networks; ++n) {
      const UnitShape shape = shape_of(static_cast<UnitDomain>(d));
      const auto net = make_unit_network(static_cast<UnitNetwork>(n), shape, 8000);
      EXPECT_LE(net->parameter_count(), 8000);
      EXPECT_GE(net->parameter_count(), 8000 / 1.05) << net->kind();
      EXPECT_EQ((*net)(zeros({2, shape.units, shape.numbers + shape.units})).shape(),
                (Dims{2, shape.classes}));
    }
}

TEST(UnitData, WeightsSumToOneAndDisorderKeepsTheNumbers) {
  for (int d = 0; d < unit_domains; ++d) {
    const auto domain = static_cast<UnitDomain>(d);
    const UnitShape shape = shape_of(domain);
    const Units plain = unit_data(domain, 3, 10, 4);
    EXPECT_EQ(plain.x.shape(), (Dims{4, shape.units, shape.numbers + shape.units}));
    const Tensor weights =
        plain.x.slice(2, shape.numbers, shape.numbers + shape.units).contiguous();
    for (const float total : sum(weights, {2}).to_vector<float>()) EXPECT_NEAR(total, 1, 1e-5);
    // Example 11 is the same in whatever batch it comes.
    EXPECT_EQ(unit_data(domain, 3, 11, 1).x.to_vector<float>(),
              plain.x.slice(0, 1, 2).contiguous().to_vector<float>());
    const auto disorder = domain == UnitDomain::graph ? Disorder::edges : Disorder::units;
    const Units other = unit_data(domain, 3, 10, 4, disorder);
    EXPECT_EQ(other.labels, plain.labels);
    const int64_t kept = domain == UnitDomain::graph ? 4 : shape.numbers;
    EXPECT_NE(other.x.to_vector<float>(), plain.x.to_vector<float>());
    EXPECT_NEAR(sum(other.x.slice(2, 0, kept)).item(), sum(plain.x.slice(2, 0, kept)).item(), 1e-2);
  }
}

TEST(UnitNetworks, ConvolutionsSeeOrderAndGraphNetworksSeeEdges) {
  manual_seed(1);
  const UnitShape shape{.units = 6, .numbers = 3};
  const Tensor x = randn({1, 6, 9});
  // Units 0 and 1 exchanged, weights as they were.
  const Tensor swapped = concatenate({x.slice(1, 1, 2), x.slice(1, 0, 1), x.slice(1, 2, 6)}, 1);
  const Tensor moved = concatenate({swapped.slice(2, 0, 3), x.slice(2, 3, 9)}, 2);
  const Tensor rewired = concatenate({x.slice(2, 0, 3), swapped.slice(2, 3, 9)}, 2);
  auto differs = [&](UnitNetwork network, const Tensor& other) {
    const auto net = make_unit_network(network, shape, 2000);
    return max(abs((*net)(x) - (*net)(other))).item() > 1e-6;
  };
  for (const UnitNetwork network :
       {UnitNetwork::mlp, UnitNetwork::cnn, UnitNetwork::lstm, UnitNetwork::transformer}) {
    EXPECT_TRUE(differs(network, moved)) << name_of(network);
    EXPECT_FALSE(differs(network, rewired)) << name_of(network);
  }
  EXPECT_TRUE(differs(UnitNetwork::gnn, rewired));
}

// What is scaled by has mean 0 and deviation 1 in each number; weights are left alone.
TEST(UnitData, IsScaledByTheTrainingExamples) {
  const UnitShape shape = shape_of(UnitDomain::audio);
  const Units data = unit_data(UnitDomain::audio, 3, 0, 6), same = scaled(data, shape, data);
  const Tensor numbers = same.x.slice(2, 0, shape.numbers).contiguous();
  EXPECT_LT(max(abs(mean(numbers, {0, 1}))).item(), 1e-4);
  EXPECT_LT(max(abs(mean(square(numbers), {0, 1}) - 1.0)).item(), 1e-3);
  const int64_t end = shape.numbers + shape.units;
  EXPECT_EQ(same.x.slice(2, shape.numbers, end).contiguous().to_vector<float>(),
            data.x.slice(2, shape.numbers, end).contiguous().to_vector<float>());
}

// A graph whose edges join one block alone tells the block of a node by its neighbours.
TEST(UnitData, NeighboursOfAGraphShareTheBlock) {
  const UnitShape shape = shape_of(UnitDomain::graph);
  const Units data = unit_data(UnitDomain::graph, 3, 0, 400);
  const Tensor colours = data.x.slice(2, 0, shape.classes).contiguous(),
               weights = data.x.slice(2, shape.numbers, shape.numbers + shape.units).contiguous();
  const Tensor labels = from_vector(data.labels, {400});
  auto right = [&](const Tensor& votes) {
    return mean(equal(argmax(votes.select(1, -1), -1), labels).to(DType::f64)).item();
  };
  EXPECT_NEAR(right(colours), right_colours / 100.0, 0.08);
  EXPECT_GT(right(matmul(weights, colours)), right(colours) + 0.1);
}

TEST(AudioLayers, HasAProbeALayer) {
  const Units data = unit_data(UnitDomain::audio, 3, 0, 40);
  const AudioLayers layers = audio_layers(data, {.steps = 2, .batch = 8, .parameters = 2000}, 3);
  for (const auto* probe : {&layers.phoneme, &layers.word, &layers.speaker})
    EXPECT_EQ(probe->size(), 4u);
  // The bands alone tell much of a phoneme, whatever the network is.
  EXPECT_GT(layers.phoneme.front(), 0.45);
}

TEST(UnitAccuracy, Repeats) {
  const UnitShape shape = shape_of(UnitDomain::graph);
  const Units data = unit_data(UnitDomain::graph, 2, 0, 100);
  const UnitTraining few{.steps = 3, .batch = 8, .rates = {1e-2}, .parameters = 1500};
  const double once = unit_accuracy(UnitNetwork::gnn, shape, data, data, data, few, 5);
  EXPECT_EQ(once, unit_accuracy(UnitNetwork::gnn, shape, data, data, data, few, 5));
}

}  // namespace
}  // namespace strata::experiments
