// Attention rollout and gradient-weighted relevance: identities, and loops over small patterns.
#include "tools/introspect/attribution/transformer.h"

#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "models/language/gpt.h"
#include "models/vision/convnet.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/capture.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::expect_near;
using strata::test::values;

// [N, heads, T, T], rows sum to 1.
Tensor pattern(uint64_t seed, bool causal, int64_t n = 2, int64_t heads = 3, int64_t t = 5) {
  Tensor scores = random({n, heads, t, t}, seed);
  if (causal) scores = where(tril_mask(t, t), scores, scalar(-1e30, DType::f64));
  return softmax(scores);
}
double above_diagonal(const Tensor& map) {
  int64_t t = map.size(-1);
  return max(abs(where(tril_mask(t, t), scalar(0, map.dtype()), map))).item();
}

TEST(AttentionRollout, AgreesWithLoops) {
  std::vector<Tensor> patterns = {pattern(1, false, 1, 2, 3), pattern(2, false, 1, 2, 3)};
  std::vector<double> a = values(patterns[0]), b = values(patterns[1]), expected(9, 0);
  auto mixed = [](const std::vector<double>& p, size_t i, size_t j) {
    return 0.3 * (i == j ? 1 : 0) + 0.7 * (p[3 * i + j] + p[9 + 3 * i + j]) / 2;
  };
  for (size_t i = 0; i < 3; ++i) {
    for (size_t j = 0; j < 3; ++j) {
      for (size_t k = 0; k < 3; ++k) expected[3 * i + j] += mixed(b, i, k) * mixed(a, k, j);
    }
  }
  expect_near(values(attention_rollout(patterns, 0.3)), expected, 1e-14);
}

TEST(AttentionRollout, RowsSumToOneAndCausalStaysCausal) {
  for (bool causal : {false, true}) {
    std::vector<Tensor> patterns = {pattern(3, causal), pattern(4, causal), pattern(5, causal)};
    Tensor rollout = attention_rollout(patterns);
    EXPECT_EQ(rollout.shape(), (Dims{2, 5, 5}));
    EXPECT_LT(max(abs(sum(rollout, {2}) - 1.0)).item(), 1e-14);
    EXPECT_GE(min(rollout).item(), 0);
    EXPECT_EQ(above_diagonal(rollout) == 0, causal);
  }
}

TEST(AttentionRollout, OfIdentityAttentionIsTheIdentity) {
  Tensor identity = eye(4, DType::f64).expand({1, 2, 4, 4});
  Tensor rollout = attention_rollout(std::vector<Tensor>{identity, identity, identity});
  EXPECT_EQ(largest_difference(rollout, eye(4, DType::f64)), 0);
  // And of no attention at all, whatever the patterns.
  Tensor skipped = attention_rollout({pattern(6, true), pattern(7, true)}, 1);
  EXPECT_EQ(largest_difference(skipped, eye(5, DType::f64)), 0);
}

TEST(AttentionRelevance, AgreesWithLoops) {
  std::vector<Tensor> patterns = {pattern(8, false, 1, 2, 3), pattern(9, false, 1, 2, 3)};
  std::vector<Tensor> gradients = {random({1, 2, 3, 3}, 10), random({1, 2, 3, 3}, 11)};
  std::vector<double> r(9, 0);
  for (size_t i = 0; i < 3; ++i) r[4 * i] = 1;
  for (size_t l = 0; l < 2; ++l) {
    std::vector<double> a = values(patterns[l]), g = values(gradients[l]), next = r;
    for (size_t i = 0; i < 3; ++i) {
      for (size_t j = 0; j < 3; ++j) {
        for (size_t k = 0; k < 3; ++k) {
          double weight = 0;
          for (size_t h = 0; h < 2; ++h) {
            weight += std::max(0.0, a[9 * h + 3 * i + k] * g[9 * h + 3 * i + k]) / 2;
          }
          next[3 * i + j] += weight * r[3 * k + j];
        }
      }
    }
    r = next;
  }
  expect_near(values(attention_relevance(patterns, gradients)), r, 1e-14);
}

TEST(AttentionRelevance, HeadsThatDoNotMatterLeaveTheIdentity) {
  std::vector<Tensor> patterns = {pattern(12, true), pattern(13, true)};
  std::vector<Tensor> none = {zeros_like(patterns[0]), neg(abs(patterns[1]))};
  EXPECT_EQ(largest_difference(attention_relevance(patterns, none), eye(5, DType::f64)), 0);
}

// The score is sum_s A[T - 1, s] v[s] with v = 1 at one position: only that position is relevant.
TEST(AttentionRelevance, FindsThePositionThatIsRead) {
  Tensor x = random({2, 4, 3}, 14);
  Tensor marked = zeros({1, 4, 1, 1}, DType::f64);
  marked.data<double>()[1] = 1;
  Scores model = [&](const Tensor& v) {
    Tensor q = v.unsqueeze(2);
    Tensor a = show("pattern", attention_pattern(q, q, {.causal = true}));
    return attention_mix(a, marked.expand({2, 4, 1, 1})).select(1, 3).select(1, 0);
  };
  Tensor last = attention_relevance(model, x, {0, 0}).select(1, 3);
  Capture capture({"pattern"});
  model(x);
  Tensor read = capture["pattern"].select(1, 0).select(1, 3);  // [N, T]
  for (int64_t n = 0; n < 2; ++n) {
    auto row = values(last.select(0, n));
    EXPECT_NEAR(row[1], values(read.select(0, n))[1], 1e-14);
    EXPECT_EQ(row[0], 0);
    EXPECT_EQ(row[2], 0);
    EXPECT_EQ(row[3], 1);  // its own residual stream
  }
}

TEST(AttentionRelevance, GradientsAreThoseOfThePatterns) {
  AttentionNetwork model;  // one block
  Tensor x = random({2, 6, 8}, 15);
  Tensor relevance = attention_relevance(model, x, {2, 1});
  Capture capture({"pattern"});
  Tensor leaf = x.detach().set_requires_grad();
  Tensor scores = model(leaf);
  Tensor a = capture["pattern"];
  Tensor g = grad(scores.select(0, 0).select(0, 2) + scores.select(0, 1).select(0, 1), a);
  Tensor expected = eye(6, DType::f64) + mean(relu(a.detach() * g), {1});
  EXPECT_LT(largest_difference(relevance, expected), 1e-14);
  EXPECT_GT(largest_difference(relevance, eye(6, DType::f64)), 1e-3);
}

TEST(Transformer, OfAGptNamesItsPatternsAndLooksBackOnly) {
  manual_seed(16);
  Gpt gpt({.vocabulary = 11, .context = 6, .width = 12, .heads = 3, .layers = 2});
  gpt.eval();
  Generator generator(17);
  Tensor tokens = randint(0, 11, {2, 6}, DType::i64, &generator);
  Scores last = [&](const Tensor& v) { return gpt(v).select(1, 5); };
  EXPECT_EQ(attention_patterns(last, tokens),
            (std::vector<std::string>{"blocks.0.attention.pattern", "blocks.1.attention.pattern"}));
  Tensor rollout = attention_rollout(last, tokens);
  EXPECT_LT(max(abs(sum(rollout, {2}) - 1.0)).item(), 1e-6);
  EXPECT_EQ(above_diagonal(rollout), 0);
  Tensor relevance = attention_relevance(last, tokens, {3, 7});
  EXPECT_EQ(above_diagonal(relevance), 0);
  EXPECT_GE(min(relevance).item(), 0);
  EXPECT_GT(largest_difference(relevance, eye(6)), 0);
  // By the names given, one block only, also where no parameter wants a gradient.
  for (auto& [name, parameter] : gpt.named_parameters()) parameter.set_requires_grad(false);
  Tensor frozen = attention_relevance(last, tokens, {3, 7});
  EXPECT_LT(largest_difference(frozen, relevance), 1e-6);
  Tensor one = attention_rollout(last, tokens, {"blocks.1.attention.pattern"}, 0);
  EXPECT_LT(max(abs(sum(one, {2}) - 1.0)).item(), 1e-6);
}

TEST(Transformer, RefusesWhatHasNoRollout) {
  EXPECT_FAILS(attention_rollout(std::vector<Tensor>{}), "no attention patterns");
  EXPECT_FAILS(attention_rollout({zeros({1, 2, 3, 4})}),
               R"(f32\[1,2,3,4\]; expected \[N, heads, T, T\])");
  EXPECT_FAILS(attention_rollout({pattern(18, true)}, 1.5), "from 0 to 1; got 1.5");
  EXPECT_FAILS(attention_relevance({pattern(19, true)}, std::vector<Tensor>{}),
               "0 gradients for 1 patterns");
  EXPECT_FAILS(attention_patterns(ConvNetwork{}, random({1, 8, 8, 2}, 20)),
               "no attention.*shows: conv1, conv2");
}

}  // namespace
}  // namespace strata::introspect
