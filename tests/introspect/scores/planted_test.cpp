// The scores on a network that was trained here, for a class that is planted at a known place: a
// patch of stripes, across or upright, somewhere in noise. What explains the network must beat what
// does not, by every score; and each impostor must be caught by the control that is meant for it.
#include <gtest/gtest.h>

#include <memory>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "models/vision/convnet.h"
#include "tools/introspect/attribution/gradient.h"
#include "tools/introspect/scores/faithfulness.h"
#include "tools/introspect/scores/localisation.h"
#include "tools/introspect/scores/road.h"
#include "tools/introspect/scores/sanity.h"

namespace strata::introspect {
namespace {

constexpr int64_t side = 12, patch = 4;

struct Planted {
  Tensor images, mask, labels;  // [N, 12, 12, 1], bool [N, 12, 12], i64 [N]
  std::vector<int64_t> target;
};

Planted planted(int64_t count, uint64_t seed) {
  Generator generator(seed);
  std::vector<float> images =
      randn({count, side, side}, 0, 0.3, DType::f32, &generator).to_vector<float>();
  std::vector<int64_t> places =
      randint(0, side - patch + 1, {count, 2}, DType::i64, &generator).to_vector<int64_t>();
  std::vector<int64_t> labels = randint(0, 2, {count}, DType::i64, &generator).to_vector<int64_t>();
  std::vector<uint8_t> mask(images.size(), 0);
  for (int64_t n = 0; n < count; ++n) {
    for (int64_t i = 0; i < patch * patch; ++i) {
      int64_t v = i / patch, u = i % patch;
      int64_t y = places[size_t(2 * n)] + v, x = places[size_t(2 * n + 1)] + u;
      auto at = static_cast<size_t>((n * side + y) * side + x);
      images[at] += (labels[size_t(n)] ? u : v) % 2 ? 1 : -1;
      mask[at] = 1;
    }
  }
  return {from_vector(images, {count, side, side, 1}),
          from_vector(mask, {count, side, side}).to(DType::boolean), from_vector(labels, {count}),
          labels};
}

// Trained on these images, or on labels that say nothing about them.
std::unique_ptr<ConvNet> trained(const Planted& data, bool shuffled) {
  manual_seed(shuffled ? 2 : 1);
  auto network = std::make_unique<ConvNet>(
      ConvNetOptions{.channels = 1, .classes = 2, .widths = {8, 16}, .halve = {1}});
  int64_t count = data.images.size(0);
  Generator generator(9);
  Tensor labels = shuffled ? randint(0, 2, {count}, DType::i64, &generator) : data.labels;
  AdamW optimizer(network->named_parameters(), {.learning_rate = 0.01});
  for (int step = 0; step < 150; ++step) {
    int64_t begin = step * 64 % count;
    optimizer.zero_grad();
    Tensor logits = (*network)(data.images.slice(0, begin, begin + 64));
    cross_entropy(logits, labels.slice(0, begin, begin + 64)).backward();
    optimizer.step();
  }
  network->eval();
  return network;
}

Tensor edges(const Scores&, const Tensor& x, const std::vector<int64_t>&) {
  Tensor right = x.slice(2, 1, side) - x.slice(2, 0, side - 1);
  Tensor down = x.slice(1, 1, side) - x.slice(1, 0, side - 1);
  return abs(pad(right, {0, 0, 0, 0}, {0, 0, 1, 0})) + abs(pad(down, {0, 0, 0, 0}, {0, 1, 0, 0}));
}
Tensor noise(const Scores&, const Tensor& x, const std::vector<int64_t>&) {
  Generator generator(4);
  return randn(x.shape(), 0, 1, DType::f32, &generator);
}

class PlantedTruth : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    Planted training = planted(512, 1);
    network = trained(training, false).release();
    shuffled = trained(training, true).release();
    test = new Planted(planted(64, 2));
  }
  static void TearDownTestSuite() {
    delete network;
    delete shuffled;
    delete test;
  }
  static Scores model(ConvNet* of) {
    return [of](const Tensor& x) { return (*of)(x); };
  }
  static Tensor map_of(const Method& method) {
    return method(model(network), test->images, test->target);
  }
  static inline ConvNet *network = nullptr, *shuffled = nullptr;
  static inline Planted* test = nullptr;
};

TEST_F(PlantedTruth, TheNetworkLearnedTheTask) {
  NoGrad off;
  Tensor right = equal(argmax((*network)(test->images), 1), test->labels);
  EXPECT_GE(mean(right.to(DType::f64)).item(), 0.95);
  right = equal(argmax((*shuffled)(test->images), 1), test->labels);
  EXPECT_LE(mean(right.to(DType::f64)).item(), 0.75);
}

TEST_F(PlantedTruth, LocalisationTellsAnExplanationFromNoise) {
  Localisation explained = localisation(map_of(gradient_times_input), test->mask);
  EXPECT_EQ(explained.verdict(), Verdict::passes) << explained.mass << " of " << explained.area;
  EXPECT_GT(explained.auc, 0.75);
  EXPECT_GT(explained.pointing, 0.9);
  Localisation nothing = localisation(map_of(noise), test->mask);
  EXPECT_EQ(nothing.verdict(), Verdict::fails);
  EXPECT_NEAR(nothing.auc, 0.5, 0.05);
}

TEST_F(PlantedTruth, FaithfulnessTellsAnExplanationFromNoise) {
  Scores probability = probabilities_of(model(network));
  Tensor explained = map_of(gradient_times_input), nothing = map_of(noise);
  auto area = [&](const Tensor& map, auto curve) {
    return mean(curve(probability, test->images, test->target, map, RemovalOptions{}).area).item();
  };
  EXPECT_LT(area(explained, deletion_curve), area(nothing, deletion_curve) - 0.1);
  EXPECT_GT(area(explained, insertion_curve), area(nothing, insertion_curve) + 0.1);
  auto gain = [&](const Tensor& map) {
    return mean(road(probability, test->images, test->target, map).gain).item();
  };
  EXPECT_GT(gain(explained), 0.2);
  EXPECT_NEAR(gain(nothing), 0, 0.1);
}

// The stripes are edges, so localisation is content with an edge detector: randomisation is not.
TEST_F(PlantedTruth, EachImpostorIsCaughtByItsControl) {
  EXPECT_EQ(localisation(map_of(edges), test->mask).verdict(), Verdict::passes);
  Randomisation edge = randomise(*network, model(network), edges, test->images, test->target);
  EXPECT_EQ(edge.verdict(), Verdict::fails);
  Randomisation gradient =
      randomise(*network, model(network), gradient_saliency, test->images, test->target);
  EXPECT_EQ(gradient.verdict(), Verdict::passes) << gradient.steps.back().similarity.rank;

  EXPECT_EQ(verdict_of(shuffled_label_control(model(network), model(shuffled), edges, test->images,
                                              test->target)),
            Verdict::fails);
  Similarity other = shuffled_label_control(model(network), model(shuffled), gradient_saliency,
                                            test->images, test->target);
  EXPECT_EQ(verdict_of(other), Verdict::passes) << other.rank;
}

}  // namespace
}  // namespace strata::introspect
