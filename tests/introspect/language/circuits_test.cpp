// Circuits: that the factored matrices are what the heads do, and what they say of known networks.
#include "tools/introspect/language/circuits.h"

#include <gtest/gtest.h>

#include "tests/introspect/language/induction_network.h"
#include "tests/introspect/language/random_gpt.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/capture.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;

Factored random_factors(int64_t m, int64_t r, int64_t n, uint64_t seed) {
  return {random({m, r}, seed), random({r, n}, seed + 1)};
}

TEST(Factored, AgreesWithTheProductMultipliedOut) {
  Factored a = random_factors(9, 3, 7, 1), b = random_factors(7, 2, 8, 3);
  Tensor dense = matmul(a.left, a.right);
  EXPECT_NEAR(frobenius_norm(a), norm(dense).item(), 1e-12);
  auto whole = singular_values(dense), part = svd(a).values;
  ASSERT_EQ(part.size(), 3u);
  for (size_t i = 0; i < part.size(); ++i) EXPECT_NEAR(part[i], whole[i], 1e-10);
  ThinSvd s = svd(a);
  Tensor scaled = s.left * from_vector(s.values, {1, 3});
  EXPECT_LT(largest_difference(matmul(scaled, s.right.transpose(0, 1)), dense), 1e-10);
  Tensor chain = matmul(dense, matmul(b.left, b.right));
  EXPECT_LT(largest_difference(product(chained(a, b)), chain), 1e-12);
  EXPECT_LT(largest_difference(product(transposed(a)), dense.transpose(0, 1)), 1e-12);
}

TEST(Factored, CopyingScoreIsTheSignOfTheEigenvalues) {
  Tensor identity = eye(4, DType::f64);
  EXPECT_NEAR(copying_score({identity, identity * 3.0}), 1, 1e-12);
  EXPECT_NEAR(copying_score({identity, -identity}), -1, 1e-12);
  Tensor turn = from_vector(std::vector<double>{0, 1, -1, 0}, {2, 2});  // eigenvalues i and -i
  EXPECT_NEAR(copying_score({eye(2, DType::f64), turn}), 0, 1e-12);
  EXPECT_EQ(copying_score({zeros({3, 2}, DType::f64), zeros({2, 3}, DType::f64)}), 0);
  EXPECT_FAILS(copying_score(random_factors(3, 2, 4, 5)), "not square");
}

// With biases at 0, a head's scores and what it moves are bilinear in the stream, up to the norm's
// scales, which are taken from the stream itself.
TEST(Circuits, AreWhatTheHeadsCompute) {
  RandomGpt model(1);
  {
    NoGrad off;
    for (auto& [name, tensor] : model.named_parameters()) {
      if (name.ends_with("norm1.bias") || name.ends_with("qkv.bias")) fill_(tensor, 0);
    }
  }
  NoGrad off;
  Tensor tokens = model.tokens(2);
  GptParts gpt(model);
  for (int64_t layer = 0; layer < 2; ++layer) {
    std::string block = fmt::format("blocks.{}.attention.", layer);
    std::string before = layer == 0 ? "embedding" : "blocks.0";
    Capture capture({before, block + "queries", block + "keys", block + "values"});
    model(tokens);
    Tensor stream = capture[before];
    Tensor x = stream * rsqrt(var(stream, {2}, true, 0) + 1e-5);
    for (int64_t head = 0; head < 3; ++head) {
      Tensor q = capture[block + "queries"].select(2, head),
             k = capture[block + "keys"].select(2, head),
             v = capture[block + "values"].select(2, head);
      Tensor scores = matmul(q, k.transpose(1, 2)) / std::sqrt(4.0);
      Tensor qk = product(qk_circuit(model, layer, head));
      EXPECT_LT(largest_difference(matmul(matmul(x, qk), x.transpose(1, 2)), scores), 1e-10);
      Tensor moved = matmul(v, gpt.output(layer, head));
      Tensor ov = product(ov_circuit(model, layer, head));
      EXPECT_LT(largest_difference(matmul(x, ov), moved), 1e-10);
    }
  }
  EXPECT_FAILS(qk_circuit(model, 0, 3), "head 3 of layer 0 is outside 2 layers of 3 heads");
}

TEST(Circuits, ThroughTheEmbeddingAreWhatAttendingToATokenAddsToTheLogits) {
  RandomGpt model(3);
  NoGrad off;
  GptParts gpt(model);
  Tensor token = gpt.token;
  auto read = [](const LayerNorm& norm, const Tensor& x) {
    return (x - mean(x, {-1}, true)) * norm.weight.detach();
  };
  Tensor seen = read(gpt.norm_before_attention(1), token);
  Tensor moved = matmul(matmul(seen, gpt.value(1, 2)), gpt.output(1, 2));
  Tensor direct = matmul(read(gpt.norm, moved), token.transpose(0, 1));
  EXPECT_LT(largest_difference(product(full_ov_circuit(model, 1, 2)), direct), 1e-10);
  Tensor q = matmul(seen, gpt.query(1, 2)), k = matmul(seen, gpt.key(1, 2));
  Tensor scores = matmul(q, k.transpose(0, 1)) / 2.0;
  EXPECT_LT(largest_difference(product(full_qk_circuit(model, 1, 2)), scores), 1e-10);
}

TEST(Circuits, OfTheInductionHeadCopy) {
  InductionNetwork model;
  Factored moves = full_ov_circuit(model, 1, 0);
  EXPECT_GT(copying_score(moves), 0.99);
  auto best = argmax(product(moves), 1).to_vector<int64_t>();
  for (int64_t v = 0; v < 12; ++v) EXPECT_EQ(best[static_cast<size_t>(v)], v);
  // The head at the first layer looks by position: no token likes any token more than another.
  Tensor likes = product(full_qk_circuit(model, 0, 0));
  EXPECT_LT(largest_difference(max(likes, {1}), min(likes, {1})), 1e-9);
  Tensor matches = product(full_qk_circuit(model, 1, 0));  // nor the second layer's, alone
  EXPECT_LT(largest_difference(max(matches, {1}), min(matches, {1})), 1e-9);
  EXPECT_EQ(copying_score(full_ov_circuit(model, 1, 1)), 0);  // the head that writes nothing
}

TEST(Composition, IsTheNormOfTheProducts) {
  RandomGpt model(5);
  for (auto kind : {Composition::query, Composition::key, Composition::value}) {
    Tensor scores = composition_scores(model, kind);
    ASSERT_EQ(scores.shape(), (Dims{2, 3, 2, 3}));
    Tensor write = product(ov_circuit(model, 0, 1)), qk = product(qk_circuit(model, 1, 2)),
           ov = product(ov_circuit(model, 1, 2));
    Tensor read = kind == Composition::value ? ov : qk;
    Tensor joined =
        kind == Composition::key ? matmul(qk, write.transpose(0, 1)) : matmul(write, read);
    double wanted = norm(joined).item() / norm(write).item() / norm(read).item();
    EXPECT_NEAR(scores.select(0, 0).select(0, 1).select(0, 1).select(0, 2).item(), wanted, 1e-10);
    EXPECT_EQ(max(scores.select(0, 1)).item(), 0);               // from the last layer
    EXPECT_EQ(max(scores.select(0, 0).select(1, 0)).item(), 0);  // within a layer
    EXPECT_LE(max(scores).item(), 1);
  }
}

TEST(Composition, ShowsThatTheInductionHeadsKeysAreMadeByThePreviousTokenHead) {
  InductionNetwork model;
  auto of = [&](Composition kind) {
    return composition_scores(model, kind)
        .select(0, 0)
        .select(0, 0)
        .select(0, 1)
        .select(0, 0)
        .item();
  };
  double key = of(Composition::key);
  EXPECT_GT(key, 0.2);
  EXPECT_LT(of(Composition::query), 0.2 * key);
  EXPECT_LT(of(Composition::value), 0.2 * key);
}

}  // namespace
}  // namespace strata::introspect
