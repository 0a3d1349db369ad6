// Capture and edit: what is kept, what is replaced, and what is left when the scope ends.
#include "tools/introspect/edit.h"

#include <gtest/gtest.h>

#include "engine/optim.h"
#include "engine/tensor/allocator.h"
#include "models/language/gpt.h"
#include "models/vision/convnet.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/capture.h"

namespace strata::introspect {
namespace {

using namespace test;

TEST(Edit, PatchingARunIntoItselfChangesNothing) {
  for (auto& f : networks()) {
    Capture capture({f.layer});
    Tensor clean = f.model(f.x);
    std::vector<Tensor> kept = capture.every(f.layer);
    for (size_t use = 0; use < kept.size(); ++use) {
      Edit edit(f.layer, patch_from(kept[use]), static_cast<int>(use));
      EXPECT_EQ(largest_difference(f.model(f.x), clean), 0) << f.name;
      EXPECT_EQ(edit.seen(), static_cast<int>(kept.size()));
    }
  }
}

// Of layers that all paths from the input go through.
TEST(Edit, PatchingEverythingFromAnotherRunGivesThatRun) {
  std::vector<NamedNetwork> cuts = networks();
  cuts.erase(cuts.begin() + 1);  // a recurrent layer has the next step's input beside it
  cuts.front().layer = "conv2";
  cuts.back().layer = "stream";
  for (auto& f : cuts) {
    Tensor other = random(f.x.shape(), 9), wanted, kept;
    {
      Capture capture({f.layer});
      wanted = f.model(other);
      kept = capture[f.layer];
    }
    Edit edit(f.layer, patch_from(kept));
    EXPECT_EQ(largest_difference(f.model(f.x), wanted), 0) << f.name;
  }
}

TEST(Edit, AGradientWithRespectToAnActivationMatchesDifferences) {
  for (auto& f : networks()) {
    Tensor activation, gradient;
    {
      Capture capture({f.layer});
      Tensor x = f.x.detach().set_requires_grad();
      Tensor score = sum(f.model(x).select(1, 0));
      activation = capture.every(f.layer)[0];
      gradient = grad(score, activation);
    }
    Tensor direction = random(activation.shape(), 10);
    double step = 1e-6;
    auto at = [&](double amount) {
      Edit edit(f.layer, steer(direction, amount), 0);
      return sum(f.model(f.x).select(1, 0)).item();
    };
    double slope = (at(step) - at(-step)) / (2 * step);
    EXPECT_NEAR(sum(gradient * direction).item(), slope, 1e-6 * (1 + std::abs(slope))) << f.name;
  }
}

TEST(Edit, OneUseOfALayerThatIsUsedOften) {
  RecurrentNetwork model;
  Tensor x = random({1, 4, 3}, 5);
  Edit edit("hidden", ablate_units({0, 1, 2, 3}),
            3);  // the last step's hidden state is all there is
  EXPECT_EQ(max(abs(model(x))).item(), 0);
  EXPECT_EQ(edit.seen(), 4);
}

TEST(Edit, AblatedUnitsTakeTheirValue) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 6);
  Capture capture({"conv1"});  // made first, so it sees what the edit left
  Edit zero("conv1", ablate_units({1}));
  Edit one("conv1", ablate_units({3}, from_vector(std::vector<double>{0, 0, 0, 7}, {4})));
  model(x);
  Tensor seen = capture["conv1"];
  EXPECT_EQ(max(abs(seen.select(3, 1))).item(), 0);
  EXPECT_EQ(min(seen.select(3, 3)).item(), 7);
  EXPECT_GT(max(seen.select(3, 0)).item(), 0);
}

TEST(Edit, AHeadIsAblatedWithItsOutputOnly) {
  AttentionNetwork model;
  Tensor x = random({1, 6, 8}, 7);
  Capture before({"heads"});
  model(x);
  Tensor whole = before["heads"], part;
  {
    Capture after({"heads"});
    Edit edit("heads", ablate_head(1, 2));
    model(x);
    part = after["heads"];
  }
  EXPECT_EQ(largest_difference(part.slice(2, 0, 4), whole.slice(2, 0, 4)), 0);
  EXPECT_EQ(max(abs(part.slice(2, 4, 8))).item(), 0);
}

TEST(Edit, FromALayerIsTheModel) {
  for (auto& f : networks()) {
    Capture capture({f.layer});
    Tensor clean = f.model(f.x);
    if (capture.every(f.layer).size() > 1) continue;
    Tensor a = capture[f.layer];
    Scores upper = from_layer(f.model, f.x, f.layer);
    EXPECT_EQ(largest_difference(upper(a), clean), 0) << f.name;
    Tensor twice = upper(concatenate({a, a}, 0));
    EXPECT_LT(largest_difference(twice.slice(0, 2, 4), clean), 1e-12) << f.name;
  }
  Scores wrong = from_layer(ConvNetwork{}, random({1, 8, 8, 2}, 8), "conv9");
  EXPECT_FAILS(wrong(random({1, 8, 8, 4}, 8)), "conv9.*conv1, conv2");
}

TEST(Edit, RefusesWhatDoesNotFit) {
  ConvNetwork model;
  Tensor x = random({1, 8, 8, 2}, 9);
  {
    Edit edit("conv1", ablate_units({4}));
    EXPECT_FAILS(model(x), "unit 4 is outside .* 4");
  }
  {
    Edit edit("conv1", set_to(zeros({3}, DType::f64)));
    EXPECT_FAILS(model(x), R"(value f64\[3\] does not fit)");
  }
  {
    Edit edit("conv1", ablate_head(0, 2));
    EXPECT_FAILS(model(x), "no 2 heads");
  }
}

TEST(Edit, NothingIsKeptAfterTheScope) {
  Gpt model({.vocabulary = 16, .context = 8, .width = 16, .heads = 2, .layers = 2});
  Tensor tokens = randint(0, 16, {2, 8});
  auto pass = [&] {
    Capture capture;
    Edit edit("blocks.0", ablate_units({0}));
    model(tokens);
  };
  pass();
  size_t before = memory::stats().active;
  pass();
  EXPECT_EQ(memory::stats().active, before);
  EXPECT_FALSE(ActivationObserver::active());
}

TEST(Capture, KeepsOnlyWhatIsAskedFor) {
  Gpt model({.vocabulary = 16, .context = 8, .width = 16, .heads = 2, .layers = 2});
  Tensor tokens = randint(0, 16, {2, 8});
  NoGrad off;
  Capture capture({"blocks.1", "blocks.0.attention.pattern"});
  Tensor logits = model(tokens);
  EXPECT_EQ(capture.names(), (std::vector<std::string>{"blocks.0.attention.pattern", "blocks.1"}));
  Tensor pattern = capture["blocks.0.attention.pattern"];
  EXPECT_EQ(pattern.shape(), (Dims{2, 2, 8, 8}));
  EXPECT_LT(max(abs(sum(pattern, {3}) - 1.0)).item(), 1e-6);
  EXPECT_EQ(max(abs(where(tril_mask(8, 8), scalar(0), pattern))).item(), 0);  // causal: exactly 0
  Capture nothing({"absent"});
  EXPECT_LT(max(abs(logits - model(tokens))).item(), 1e-5);
}

TEST(Capture, HeadsOfAPatternAreTheAttention) {
  Gpt model({.vocabulary = 16, .context = 8, .width = 16, .heads = 2, .layers = 1});
  Tensor tokens = randint(0, 16, {2, 8});
  NoGrad off;
  Capture capture(
      {"blocks.0.attention.pattern", "blocks.0.attention.values", "blocks.0.attention.heads"});
  model(tokens);
  Tensor mixed =
      attention_mix(capture["blocks.0.attention.pattern"], capture["blocks.0.attention.values"]);
  EXPECT_LT(max(abs(mixed.flatten(2) - capture["blocks.0.attention.heads"])).item(), 1e-6);
}

// Weights after five steps of training, with or without observers that look at everything.
std::vector<float> trained(bool watched) {
  manual_seed(3);
  ConvNet model({.channels = 1, .classes = 3, .widths = {4, 8}, .halve = {1}});
  SGD optimizer(model.named_parameters(), {.learning_rate = 0.1});
  Tensor x = randn({6, 8, 8, 1});
  Tensor labels = from_vector(std::vector<int64_t>{0, 1, 2, 0, 1, 2}, {6});
  for (int step = 0; step < 5; ++step) {
    std::unique_ptr<Capture> capture;
    if (watched) capture = std::make_unique<Capture>();
    model.zero_grad();
    backward(cross_entropy(model(x), labels));
    optimizer.step();
  }
  std::vector<float> all;
  for (auto& p : model.parameters()) {
    auto values = p.to_vector<float>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

TEST(Capture, TrainingWatchedIsTrainingUnwatched) { EXPECT_EQ(trained(true), trained(false)); }

}  // namespace
}  // namespace strata::introspect
