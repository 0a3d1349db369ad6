// Head detectors: on patterns made by hand, on a network made by hand, on random ones, and on a
// network that learns induction.
#include "tools/introspect/language/patterns.h"

#include <gtest/gtest.h>

#include "engine/optim.h"
#include "models/vision/convnet.h"
#include "tests/introspect/language/induction_network.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;

// One head that puts all attention of query t on key look[t].
Tensor looking_at(const std::vector<int64_t>& look) {
  int64_t t = static_cast<int64_t>(look.size());
  return one_hot(from_vector(look, {1, 1, t}), t, DType::f64);
}

TEST(HeadScores, AreOneOnPatternsMadeByHand) {
  Tensor tokens = from_vector(std::vector<int64_t>{5, 7, 9, 5, 7, 9}, {1, 6});
  Tensor previous = looking_at({0, 0, 1, 2, 3, 4}), duplicate = looking_at({0, 0, 0, 0, 1, 2}),
         induction = looking_at({0, 0, 0, 1, 2, 3});
  EXPECT_EQ(previous_token_score(previous).item(), 1);
  EXPECT_EQ(duplicate_token_score(duplicate, tokens).item(), 1);
  EXPECT_EQ(induction_score(induction, tokens).item(), 1);
  EXPECT_EQ(previous_token_score(induction).item(), 0.2);  // query 1 looks at key 0
  EXPECT_EQ(induction_score(duplicate, tokens).item(), 0);
  EXPECT_EQ(duplicate_token_score(induction, tokens).item(), 0);
  // Query 5 has one earlier key of its token and looks there with a half.
  Tensor half = duplicate * 0.5 + previous * 0.5;
  EXPECT_EQ(duplicate_token_score(half, tokens).item(), 0.5);
}

TEST(HeadScores, OfAHeadThatLooksEverywhereAreTheShareOfMarkedKeys) {
  int64_t t = 8;
  Tensor mask = tril_mask(t, t).to(DType::f64);
  Tensor uniform = (mask / sum(mask, {1}, true)).reshape({1, 1, t, t});
  Tensor tokens = from_vector(std::vector<int64_t>{1, 2, 3, 4, 1, 2, 3, 4}, {1, t});
  double previous = 0, induction = 0;
  for (int q = 1; q < t; ++q) previous += 1.0 / (q + 1) / (t - 1);
  for (int q = 4; q < t; ++q) induction += 1.0 / (q + 1) / 4;
  EXPECT_NEAR(previous_token_score(uniform).item(), previous, 1e-12);
  EXPECT_NEAR(induction_score(uniform, tokens).item(), induction, 1e-12);
  EXPECT_NEAR(duplicate_token_score(uniform, tokens).item(), induction, 1e-12);
}

TEST(HeadScores, FindTheHeadsOfANetworkMadeByHand) {
  InductionNetwork model;
  Tensor tokens =
      concatenate({model.tokens({3, 8, 1, 5, 11}, 11), model.tokens({2, 4, 9, 7, 10}, 11)}, 0);
  auto patterns = attention_patterns(model, tokens);
  ASSERT_EQ(patterns.size(), 2u);
  EXPECT_EQ(patterns[1].name, "blocks.1.attention");
  auto previous0 = values(previous_token_score(patterns[0].tensor));
  auto induction1 = values(induction_score(patterns[1].tensor, tokens));
  EXPECT_GT(previous0[0], 0.999);
  EXPECT_GT(induction1[0], 0.999);
  EXPECT_LT(previous0[1], 0.3);
  EXPECT_LT(induction1[1], 0.2);
  EXPECT_LT(values(induction_score(patterns[0].tensor, tokens))[0], 0.01);
  EXPECT_LT(values(previous_token_score(patterns[1].tensor))[0], 0.3);
  EXPECT_LT(values(duplicate_token_score(patterns[1].tensor, tokens))[0], 0.01);
  NoGrad off;
  Tensor said = argmax(model(tokens), 2);  // from the first repetition on, the token that follows
  EXPECT_EQ(said.slice(1, 6, 10).to_vector<int64_t>(), tokens.slice(1, 7, 11).to_vector<int64_t>());
}

TEST(Patterns, AreDistributionsOverThePast) {
  manual_seed(5);
  Gpt model(
      {.vocabulary = 20, .context = 24, .width = 32, .heads = 4, .layers = 3, .dropout = 0.1});
  Tensor tokens = repeated_random_tokens(20, {.length = 12, .sequences = 4});
  EXPECT_EQ(tokens.slice(1, 0, 12).to_vector<int64_t>(),
            tokens.slice(1, 12, 24).to_vector<int64_t>());
  for (auto& [name, pattern] : attention_patterns(model, tokens)) {
    EXPECT_LT(max(abs(sum(pattern, {3}) - 1.0)).item(), 1e-6) << name;
    EXPECT_EQ(max(abs(where(tril_mask(24, 24), scalar(0), pattern))).item(), 0) << name;
  }
  EXPECT_TRUE(model.training());
  EXPECT_TRUE(model.find("blocks.1.dropout").training());
}

TEST(HeadScores, AreLowForRandomWeights) {
  manual_seed(6);
  Gpt model({.vocabulary = 64, .context = 32, .width = 32, .heads = 4, .layers = 2});
  HeadScores scores = head_scores(model, 64);
  EXPECT_EQ(scores.layers, (std::vector<std::string>{"blocks.0.attention", "blocks.1.attention"}));
  EXPECT_EQ(scores.induction.shape(), (Dims{2, 4}));
  EXPECT_LT(max(scores.induction).item(), 0.1);
  EXPECT_LT(max(scores.duplicate).item(), 0.1);
  EXPECT_LT(max(scores.previous).item(), 0.2);
}

TEST(Patterns, RefuseWhatDoesNotFit) {
  ConvNet model({.channels = 1, .classes = 3, .widths = {4}, .halve = {}});
  EXPECT_FAILS(attention_patterns(model, zeros({1, 8, 8, 1})), "has no attention layers");
  Tensor pattern = looking_at({0, 0, 1});
  EXPECT_FAILS(induction_score(pattern, zeros({1, 4}, DType::i64)), "does not fit tokens");
  EXPECT_FAILS(induction_score(pattern, from_vector(std::vector<int64_t>{1, 2, 3}, {1, 3})),
               "no query has a marked key");
}

}  // namespace
}  // namespace strata::introspect
