// What the experiments on networks share: steps, data, training that learns and repeats, features.
#include <gtest/gtest.h>

#include "engine/ops.h"
#include "models/registry.h"
#include "tests/support/expect.h"
#include "tools/experiments/training.h"

namespace strata::experiments {
namespace {

std::unique_ptr<Model> small_net(int64_t classes) {
  manual_seed(3);
  return make_model(
      "mlp",
      {{"height", 32}, {"width", 32}, {"channels", 3}, {"classes", classes}, {"hidden", {32}}},
      Caller::here());
}

TEST(LogSpacedSteps, FromTheStartToTheLast) {
  EXPECT_EQ(log_spaced_steps(16, 5), (std::vector<int64_t>{0, 1, 2, 4, 8, 16}));
  const auto steps = log_spaced_steps(300, 12);
  EXPECT_EQ(steps.back(), 300);
  EXPECT_TRUE(std::is_sorted(steps.begin(), steps.end()));
  EXPECT_EQ(std::adjacent_find(steps.begin(), steps.end()), steps.end());
  EXPECT_EQ(log_spaced_steps(7, 1), (std::vector<int64_t>{0, 7}));
}

TEST(Images, FactorsByName) {
  const Images images = load_images("terrace:outline", Split::train, 1, 40);
  EXPECT_EQ(images.count(), 40);
  EXPECT_EQ(images.values("outline_above"), images.batch.labels.to_vector<int64_t>());
  EXPECT_FAILS(images.values("colour"), "no factor 'colour'; there are hue");
  const Images moved = with_shuffled_labels(images, 2);
  auto a = images.batch.labels.to_vector<int64_t>(), b = moved.batch.labels.to_vector<int64_t>();
  EXPECT_NE(a, b);
  std::sort(a.begin(), a.end());
  std::sort(b.begin(), b.end());
  EXPECT_EQ(a, b);
}

TEST(Train, LearnsRepeatsAndShowsTheModelAtTheStepsAsked) {
  const Images images = load_images("terrace:hue", Split::train, 1, 128);
  std::vector<Tensor> results;
  std::vector<int64_t> seen;
  for (bool watched : {true, false}) {
    const auto net = small_net(images.classes);
    EXPECT_LT(accuracy(*net, images), 0.4);
    TrainingOptions options;
    options.steps = 60;
    options.batch = 32;
    options.seed = 4;
    options.watched = {0, 1, 30, 60};
    if (watched)
      options.watch = [&](int64_t step) {
        EXPECT_FALSE(net->training());
        seen.push_back(step);
      };
    train(*net, images, options);
    EXPECT_GT(accuracy(*net, images), 0.8);
    results.push_back((*net)(images.batch.images).detach());
  }
  EXPECT_EQ(seen, (std::vector<int64_t>{0, 1, 30, 60}));
  EXPECT_EQ(max(abs(results[0] - results[1])).item(), 0) << "looking changed the training";
}

TEST(Features, OfEveryImageInOrder) {
  const Images images = load_images("terrace:hue", Split::train, 1, 260);  // more than one chunk
  const auto net = small_net(images.classes);
  const std::string layer = net->stages().front();
  const Tensor all = layer_features(*net, images.batch.images, {layer}).at(layer);
  EXPECT_EQ(all.size(0), 260);
  const Tensor last =
      layer_features(*net, images.batch.images.slice(0, 250, 260), {layer}).at(layer);
  EXPECT_LT(max(abs(all.slice(0, 250, 260) - last)).item(), 1e-5);
}

TEST(ProbeFeatures, FindWhatIsThereAndNothingInNoise) {
  Generator generator(5);
  const Tensor x = randn({600, 20}, 0, 1, DType::f32, &generator);
  std::vector<int64_t> there, noise;
  const auto values = x.to_vector<float>();
  for (size_t i = 0; i < 600; ++i) {
    there.push_back(values[20 * i] > 0);
    noise.push_back(static_cast<int64_t>(i % 2));
  }
  auto task = [](const char* name, const std::vector<int64_t>& y) {
    return introspect::ProbeTask{name, 2, {y.begin(), y.begin() + 400}, {y.begin() + 400, y.end()}};
  };
  const auto results = probe_features(x.slice(0, 0, 400), x.slice(0, 400, 600),
                                      {task("there", there), task("noise", noise)});
  EXPECT_GT(results[0].validation_accuracy, 0.9);
  EXPECT_NEAR(results[1].validation_accuracy, 0.5, 0.12);
}

}  // namespace
}  // namespace strata::experiments
