// The audio networks and CTC against PyTorch. Fixtures: make_audio.py.
#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/io/npy.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "models/audio/conformer.h"
#include "models/audio/wavenet.h"
#include "tests/support/expect.h"

namespace strata {
namespace {

using test::values;

StateDict fixture(const std::string& name) {
  return io::load_npz(std::string(STRATA_SOURCE_DIR) + "/tests/parity/fixtures/" + name + ".npz");
}

// Largest difference, as a part of the largest value wanted or of `floor`.
double distance(const Tensor& got, const Tensor& want, double floor = 1e-6) {
  EXPECT_EQ(got.shape(), want.shape());
  auto g = values(got), w = values(want);
  double difference = 0, largest = 0;
  for (size_t i = 0; i < g.size() && i < w.size(); ++i) {
    difference = std::max(difference, std::abs(g[i] - w[i]));
    largest = std::max(largest, std::abs(w[i]));
  }
  return difference / std::max(largest, floor);
}

// Trains `model` as the fixture was made and compares on the way. A bias before a
// norm has a gradient of 0 but for rounding: hence the floor.
template <class Loss>
void follow(Model& model, Optimizer& optimizer, const StateDict& wanted, Loss loss_of) {
  for (auto& [name, parameter] : model.named_parameters()) {
    ASSERT_TRUE(wanted.count("weight/" + name)) << name;
    NoGrad off;
    ASSERT_EQ(parameter.shape(), wanted.at("weight/" + name).shape()) << name;
    copy_(parameter, wanted.at("weight/" + name));
  }
  const Tensor &inputs = wanted.at("inputs"), &targets = wanted.at("targets");
  auto losses = values(wanted.at("losses"));
  model.train();
  for (size_t step = 0; step < losses.size(); ++step) {
    const int64_t batch = static_cast<int64_t>(step) % inputs.size(0);
    Tensor loss = loss_of(model(inputs.select(0, batch)), targets.select(0, batch));
    EXPECT_NEAR(loss.item(), losses[step], 2e-4 * losses[step]) << "step " << step;
    optimizer.zero_grad();
    loss.backward();
    for (auto& [name, parameter] : model.named_parameters()) {
      if (step > 0) break;
      ASSERT_TRUE(parameter.grad().defined()) << name;
      EXPECT_LT(distance(parameter.grad(), wanted.at("gradient/" + name), 5e-3), 1e-3) << name;
    }
    optimizer.step();
  }
  model.eval();
  NoGrad off;
  EXPECT_LT(distance(model(inputs.select(0, 0)), wanted.at("logits")), 2e-3);
  for (auto& [name, buffer] : model.named_buffers()) {
    ASSERT_TRUE(wanted.count("buffer/" + name)) << name;
    EXPECT_LT(distance(buffer, wanted.at("buffer/" + name)), 2e-3) << name;
  }
}

TEST(Parity, WaveNetPredictsTheNextSample) {
  WaveNet model({.classes = 16, .channels = 8, .skip = 12, .layers = 4, .repeats = 2});
  Adam optimizer(model.named_parameters(), {.learning_rate = 5e-3});
  follow(model, optimizer, fixture("wavenet"),
         [](const Tensor& logits, const Tensor& target) { return cross_entropy(logits, target); });
}

TEST(Parity, ConformerWithCtc) {
  Conformer model(
      {.mels = 12, .classes = 5, .width = 16, .heads = 2, .blocks = 2, .kernel = 4, .dropout = 0});
  SGD optimizer(model.named_parameters(), {.learning_rate = 0.05, .momentum = 0.9});
  follow(model, optimizer, fixture("conformer"), [](const Tensor& logits, const Tensor& target) {
    auto all = [&](int64_t value) {
      return full({logits.size(0)}, static_cast<double>(value), DType::i64);
    };
    return ctc_loss(log_softmax(logits), target, all(logits.size(1)), all(target.size(1)));
  });
}

TEST(Parity, CtcLoss) {
  const StateDict want = fixture("ctc");
  Tensor logits = want.at("logits").clone().set_requires_grad();
  auto loss = [&](Reduction reduction) {
    return ctc_loss(log_softmax(logits), want.at("targets"), want.at("steps"), want.at("lengths"),
                    {.reduction = reduction});
  };
  test::expect_near(values(loss(Reduction::none)), values(want.at("losses")), 1e-10);
  Tensor mean = loss(Reduction::mean);
  EXPECT_NEAR(mean.item(), want.at("mean").item(), 1e-10);
  mean.backward();
  test::expect_near(values(logits.grad()), values(want.at("gradient")), 1e-10);
}

}  // namespace
}  // namespace strata
