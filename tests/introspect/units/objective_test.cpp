// Objectives against the activations they read, and their algebra.
#include "tools/introspect/units/objective.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/units/stimulus.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::expect_near;
using strata::test::values;

struct Seen {
  Tensor activation, scores;
};
Seen seen(const Scores& model, const Tensor& x, const std::string& layer) {
  Capture capture({layer});
  Tensor scores = model(x);
  return {capture[layer], scores};
}

TEST(Objective, UnitsAndChannelsReadTheirPlaces) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 1);
  auto [a, scores] = seen(model, x, "conv1");
  Tensor one = response_of(model, unit("conv1", {3, 0}))(x);
  expect_near(values(one), {a.select(0, 0).select(0, 4).select(0, 4).select(0, 3).item(),
                            a.select(0, 1).select(0, 4).select(0, 4).select(0, 0).item()});
  Tensor corner = response_of(model, unit("conv1", {2}, {0, 7}))(x);
  expect_near(values(corner), values(a.select(1, 0).select(1, 7).select(1, 2)));
  Tensor whole = response_of(model, channel("conv1", {1}))(x);
  expect_near(values(whole), values(mean(a.select(3, 1), {1, 2})));
  expect_near(values(response_of(model, class_score({2}))(x)), values(scores.select(1, 2)));
  expect_near(values(response_of(model, energy("conv1"))(x)), values(mean(square(a), {1, 2, 3})));
}

TEST(Objective, HoldsForSequencesAndNodes) {
  AttentionNetwork attention;
  Tensor x = random({2, 6, 8}, 2);
  Tensor stream = seen(attention, x, "stream").activation;
  expect_near(values(response_of(attention, unit("stream", {5}, {2, -1}))(x)),
              values(stream.select(1, 2).select(1, 5)));
  GraphNetwork graph;
  Tensor nodes = random({2, 5, 3}, 3);
  Tensor hidden = seen(graph, nodes, "graph2").activation;
  expect_near(values(response_of(graph, channel("graph2", {1}))(nodes)),
              values(mean(hidden.select(2, 1), {1})));
  RecurrentNetwork recurrent;
  Tensor steps = random({2, 4, 3}, 4);
  Tensor last = seen(recurrent, steps, "hidden").activation;
  expect_near(values(response_of(recurrent, unit("hidden", {2}))(steps)),
              values(last.select(1, 2)));
}

TEST(Objective, SumsDifferencesAndMultiples) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 5);
  StimulusObjective a = channel("conv1", {0}), b = class_score({1}), c = unit("conv2", {4});
  Tensor joint = response_of(model, a + 2.0 * b - c)(x);
  Tensor apart =
      response_of(model, a)(x) + response_of(model, b)(x) * 2.0 - response_of(model, c)(x);
  EXPECT_LT(largest_difference(joint, apart), 1e-12);
}

TEST(Objective, DirectionIsAProductTimesAPowerOfTheCosine) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 6);
  Tensor a = seen(model, x, "conv1").activation.select(1, 4).select(1, 4);
  ASSERT_GT(min(norm(a, {1})).item(), 0);
  Tensor v = random({2, 4}, 7);
  Tensor along = sum(a * v, {1}), cosine = along / (norm(a, {1}) * norm(v, {1}));
  expect_near(values(response_of(model, direction("conv1", v))(x)), values(along));
  Tensor bounded = maximum(cosine, scalar(0.1, DType::f64));
  expect_near(values(response_of(model, direction("conv1", v, 2))(x)),
              values(along * square(bounded)), 1e-9);
  // The coordinate direction is the unit.
  Tensor axis = one_hot(from_vector(std::vector<int64_t>{3}, {1}), 4, DType::f64);
  expect_near(values(response_of(model, direction("conv1", axis))(x)),
              values(response_of(model, unit("conv1", {3}))(x)));
}

TEST(Objective, DiversityIsZeroOfCopiesAndOneOfSeparateChannels) {
  Scores model = [](const Tensor& x) { return mean(show("map", relu(x)), {1, 2}); };
  Tensor one = random({1, 4, 4, 2}, 8);
  Tensor copies = concatenate({one, one * 2.0}, 0);  // scale does not count
  expect_near(values(response_of(model, diversity("map"))(copies)), {0, 0}, 1e-9);
  Tensor first = ones({1, 4, 4, 2}, DType::f64) * from_vector(std::vector<double>{1, 0}, {2});
  Tensor second = ones({1, 4, 4, 2}, DType::f64) * from_vector(std::vector<double>{0, 1}, {2});
  Tensor apart = concatenate({first, second, first, first}, 0);
  expect_near(values(response_of(model, diversity("map", 2))(apart)), {1, 1, 0, 0}, 1e-9);
}

TEST(Objective, DiversityMakesStimuliOfOneUnitDiffer) {
  ConvNetwork model;
  StimulusSpace space{8, 8, 2, zeros({2}), ones({2}), {}};
  StimulusOptions options;
  options.steps = 60;
  options.dtype = DType::f64;
  StimulusObjective one = unit("conv2", {1});
  auto spread = [&](const StimulusObjective& objective) {
    auto found = optimal_stimuli(response_of(model, objective), space, 3, options);
    return mean(response_of(model, diversity("conv1"))(found.images)).item();
  };
  double alone = spread(one), pushed = spread(one + 100.0 * diversity("conv1"));
  EXPECT_GT(pushed, 10 * alone);
}

TEST(Objective, RefusesWhatIsNotThere) {
  ConvNetwork model;
  Tensor x = random({1, 8, 8, 2}, 9);
  EXPECT_FAILS(response_of(model, unit("conv1", {4}))(x), "conv1 has 4 units.* number 4");
  EXPECT_FAILS(response_of(model, unit("conv1", {0}, {8, 0}))(x), "place 8 is outside the 8");
  EXPECT_FAILS(response_of(model, unit("conv9", {0}))(x), "conv9");
  EXPECT_FAILS(response_of(model, class_score({3}))(x), "3 units.* number 3");
  EXPECT_FAILS(response_of(model, diversity("conv1"))(x), "groups of 1, which must be at least 2");
  EXPECT_FAILS(response_of(model, direction("conv1", random({5}, 1)))(x),
               R"(directions f64\[5\] do not fit 'conv1', which has 4)");
}

}  // namespace
}  // namespace strata::introspect
