// The residual stream as a sum, and what the unembedding reads of it.
#include "tools/introspect/language/stream.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/introspect/language/induction_network.h"
#include "tests/introspect/language/random_gpt.h"
#include "tests/support/expect.h"
#include "tools/introspect/capture.h"

namespace strata::introspect {
namespace {

using namespace test;

double gap(const Tensor& a, const Tensor& b) {
  NoGrad off;
  return max(abs(a - b)).item();
}

TEST(Stream, IsTheSumOfItsPartsAfterEachBlock) {
  RandomGpt model(1, 0.3);  // in training mode, with dropout: the views run in evaluation
  Tensor tokens = model.tokens(2);
  for (int64_t layers : {0, 1, 2, -1}) {
    StreamParts found = stream_parts(model, tokens, layers);
    EXPECT_LT(gap(sum(found.parts, {0}), found.stream), 1e-12) << layers;
    int64_t blocks = layers < 0 ? 2 : layers;
    EXPECT_EQ(static_cast<int64_t>(found.names.size()), 2 + blocks * 5);
    EXPECT_EQ(found.parts.size(0), 2 + blocks * 5);
  }
  EXPECT_TRUE(model.training());
  EXPECT_EQ(stream_parts(model, tokens, 1).names,
            (std::vector<std::string>{"token", "position", "blocks.0.attention.head.0",
                                      "blocks.0.attention.head.1", "blocks.0.attention.head.2",
                                      "blocks.0.attention.bias", "blocks.0.mlp"}));
  EXPECT_FAILS(stream_parts(model, tokens, 3), "3 layers of a model with 2");
}

TEST(Stream, IsTheSumInSinglePrecisionToo) {
  manual_seed(3);
  Gpt model({.vocabulary = 30, .context = 16, .width = 32, .heads = 4, .layers = 4});
  StreamParts found = stream_parts(model, randint(0, 30, {2, 16}));
  EXPECT_LT(gap(sum(found.parts, {0}), found.stream), 1e-6);
}

TEST(Stream, HeadsSumToTheAttentionsOutput) {
  RandomGpt model(4);
  Tensor tokens = model.tokens(5);
  Capture capture({"blocks.1.attention"});
  StreamParts found = stream_parts(model, tokens);
  auto first = std::find(found.names.begin(), found.names.end(), "blocks.1.attention.head.0") -
               found.names.begin();
  Tensor heads = sum(found.parts.slice(0, first, first + 4), {0});  // three heads and the bias
  EXPECT_LT(gap(heads, capture["blocks.1.attention"]), 1e-12);
  EXPECT_GT(max(abs(found.parts.select(0, first))).item(), 1e-2);
}

TEST(LogitLens, AtTheLastLayerIsTheLogits) {
  RandomGpt model(6);
  Tensor tokens = model.tokens(7);
  auto lens = logit_lens(model, tokens);
  ASSERT_EQ(lens.size(), 3u);
  EXPECT_EQ(lens[0].name, "embedding");
  EXPECT_EQ(lens[2].name, "blocks.1");
  EXPECT_LT(gap(lens[2].tensor, model(tokens)), 1e-12);
  EXPECT_GT(gap(lens[1].tensor, model(tokens)), 1e-2);
}

TEST(LogitLens, SeesInductionInTheSecondLayerOnly) {
  InductionNetwork model;
  Tensor tokens = model.tokens({3, 8, 1, 5}, 9), current = tokens.slice(1, 5, 8),
         next = tokens.slice(1, 6, 9);
  auto lens = logit_lens(model, tokens);
  auto said = [&](size_t stage) {
    return argmax(lens[stage].tensor, 2).slice(1, 5, 8).to_vector<int64_t>();
  };
  EXPECT_EQ(said(0), current.to_vector<int64_t>());
  EXPECT_EQ(said(1), current.to_vector<int64_t>());
  EXPECT_EQ(said(2), next.to_vector<int64_t>());
}

TEST(LogitAttribution, SumsToTheLogitAndToDifferences) {
  RandomGpt model(8);
  Tensor tokens = model.tokens(9);
  std::vector<int64_t> answers = {0, 5, 13}, others = {1, 5, 2};
  for (int64_t position : {0, 3, -1}) {
    NoGrad off;
    Tensor logits = model(tokens).select(1, position);
    Tensor answer = gather(logits, 1, from_vector(answers, {3, 1})).squeeze(1);
    Tensor other = gather(logits, 1, from_vector(others, {3, 1})).squeeze(1);
    auto one = direct_logit_attribution(model, tokens, position, answers);
    EXPECT_LT(gap(sum(one.values, {1}), answer), 1e-12);
    auto difference = direct_logit_attribution(model, tokens, position, answers, others);
    EXPECT_LT(gap(sum(difference.values, {1}), answer - other), 1e-12);
    EXPECT_EQ(max(abs(difference.values.select(0, 1))).item(), 0);  // a token against itself
    EXPECT_EQ(one.names.back(), "norm.bias");
    EXPECT_EQ(static_cast<int64_t>(one.names.size()), one.values.size(1));
  }
  EXPECT_FAILS(direct_logit_attribution(model, tokens, 0, {1}), "1 tokens for 3 sequences");
}

TEST(LogitAttribution, NamesTheInductionHead) {
  InductionNetwork model;
  Tensor tokens = model.tokens({3, 8, 1, 5}, 7);  // ends in 3, 8: the next is 1
  auto found = direct_logit_attribution(model, tokens, -1, {1}, {5});
  auto values = found.values.to_vector<double>();
  for (size_t i = 0; i < values.size(); ++i) {
    if (found.names[i] == "blocks.1.attention.head.0") {
      EXPECT_GT(values[i], 1);
    } else {
      EXPECT_NEAR(values[i], 0, 1e-6) << found.names[i];
    }
  }
}

}  // namespace
}  // namespace strata::introspect
