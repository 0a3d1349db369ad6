// BERT under its three heads as PyTorch trains it: first gradients, the loss of 20 steps with
// padding and token types, and the logits after them. Fixtures: make_bert.py.
#include "models/language/bert.h"

#include "tests/parity/follow.h"

namespace strata {
namespace {

using test::distance;
using test::fixture;
using test::values;

constexpr BertOptions options{
    .vocabulary = 24, .context = 10, .width = 16, .heads = 2, .layers = 2};

void follow_typed(BertModel& model, const std::string& head) {
  const StateDict wanted = fixture("bert_" + head);
  for (auto& [name, parameter] : model.named_parameters()) {
    ASSERT_TRUE(wanted.count("weight/" + name)) << name;
    NoGrad off;
    ASSERT_EQ(parameter.shape(), wanted.at("weight/" + name).shape()) << name;
    copy_(parameter, wanted.at("weight/" + name));
  }
  AdamW optimizer(model.named_parameters(), {.learning_rate = 3e-3, .weight_decay = 0.1});
  const Tensor &inputs = wanted.at("inputs"), &types = wanted.at("types");
  const auto losses = values(wanted.at("losses"));
  ASSERT_EQ(losses.size(), 20u);
  for (size_t step = 0; step < losses.size(); ++step) {
    const int64_t batch = static_cast<int64_t>(step) % inputs.size(0);
    Tensor loss = cross_entropy(model(inputs.select(0, batch), types.select(0, batch)),
                                wanted.at("targets").select(0, batch));
    EXPECT_NEAR(loss.item(), losses[step], 1e-4 * losses[step]) << "step " << step;
    optimizer.zero_grad();
    loss.backward();
    for (auto& [name, parameter] : model.named_parameters()) {
      if (step > 0) break;
      ASSERT_TRUE(parameter.grad().defined()) << name;
      EXPECT_LT(distance(parameter.grad(), wanted.at("gradient/" + name)), 1e-4) << name;
    }
    optimizer.step();
  }
  NoGrad off;
  EXPECT_LT(distance(model(inputs.select(0, 0), types.select(0, 0)), wanted.at("logits")), 1e-3);
}

TEST(Parity, BertFillsGaps) {
  BertMaskedLm model(options);
  follow_typed(model, "masked");
}

TEST(Parity, BertTellsClasses) {
  BertClassifier model(options, 3);
  follow_typed(model, "classes");
}

TEST(Parity, BertTagsTokens) {
  BertTagger model(options, 5);
  follow_typed(model, "tags");
}

}  // namespace
}  // namespace strata
