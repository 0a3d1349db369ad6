// Initialisations: bounds, moments, orthogonality; the same seed gives the same bits.
#include "engine/nn/init.h"

#include <cmath>

#include "engine/nn.h"
#include "engine/ops/create.h"
#include "engine/ops/product.h"
#include "engine/ops/random.h"
#include "engine/ops/reduce.h"
#include "tests/support/expect.h"

namespace strata::test {
namespace {

struct Moments {
  double mean, deviation, low, high;
};
Moments moments(const Tensor& t) {
  return {mean(t).item(), std::sqrt(var(t).item()), min(t).item(), max(t).item()};
}
// Mean and deviation within five standard errors.
void expect_moments(const Tensor& t, double mean, double deviation) {
  Moments m = moments(t);
  double error = 5 * deviation / std::sqrt(static_cast<double>(t.numel()));
  EXPECT_NEAR(m.mean, mean, error);
  EXPECT_NEAR(m.deviation, deviation, error);
}

TEST(Init, FansOfConvolutionsCountPositions) {
  init::Fans fans = init::fans_of(zeros({8, 3, 5, 4}));
  EXPECT_EQ(fans.in, 60);
  EXPECT_EQ(fans.out, 120);
  EXPECT_FAILS(init::fans_of(zeros({3})), "f32\\[3\\] has no fan in");
}

TEST(Init, MomentsAreThePapers) {
  manual_seed(3);
  Tensor w = zeros({200, 300});
  init::uniform_(w, -1, 3);
  expect_moments(w, 1, 4 / std::sqrt(12.0));
  init::normal_(w, 2, 0.5);
  expect_moments(w, 2, 0.5);
  init::kaiming_normal_(w);
  expect_moments(w, 0, std::sqrt(2.0 / 300));
  init::kaiming_normal_(w, 0, init::Fan::out);
  expect_moments(w, 0, std::sqrt(2.0 / 200));
  init::kaiming_uniform_(w, 1);
  expect_moments(w, 0, std::sqrt(1.0 / 300));
  EXPECT_LE(moments(w).high, std::sqrt(3.0 / 300));
  init::xavier_normal_(w, 2);
  expect_moments(w, 0, 2 * std::sqrt(2.0 / 500));
  init::xavier_uniform_(w);
  expect_moments(w, 0, std::sqrt(2.0 / 500));
  init::constant_(w, 0.25);
  expect_moments(w, 0.25, 0);
}

TEST(Init, TruncatedNormalIsCut) {
  manual_seed(4);
  Tensor w = zeros({50'000}, DType::f64);
  init::truncated_normal_(w, 0, 1, -2, 2);
  EXPECT_GE(moments(w).low, -2);
  EXPECT_LE(moments(w).high, 2);
  EXPECT_GT(moments(w).high, 1.9);
  expect_moments(w, 0, 0.87962566);            // sqrt(1 - 4 phi(2) / (2 Phi(2) - 1))
  init::truncated_normal_(w, 1, 0.5, 1.5, 9);  // one tail: mean 1 + 0.5 phi(1) / (1 - Phi(1))
  EXPECT_NEAR(moments(w).mean, 1 + 0.5 * 1.5251353, 0.01);
  EXPECT_FAILS(init::truncated_normal_(w, 0, 1, 2, 1), "low < high");
}

TEST(Init, OrthogonalRowsOrColumns) {
  manual_seed(5);
  for (Dims shape : {Dims{6, 10}, Dims{10, 6}, Dims{4, 3, 3, 2}}) {
    Tensor w = zeros(shape, DType::f64);
    init::orthogonal_(w, 2);
    Tensor m = w.reshape({w.size(0), -1});
    Tensor t = m.transpose(0, 1);
    Tensor gram = m.size(0) <= m.size(1) ? matmul(m, t) : matmul(t, m);
    expect_near(values(gram), values(eye(gram.size(0), DType::f64) * 4.0), 1e-12);
  }
}

TEST(Init, DefaultsArePyTorchs) {
  manual_seed(6);
  Conv2d conv(16, 64, 3);
  double bound = 1 / std::sqrt(16 * 9.0);
  expect_moments(conv.weight, 0, bound / std::sqrt(3.0));
  EXPECT_LE(moments(conv.weight).high, bound);
  EXPECT_LE(moments(conv.bias).high, bound);
  EXPECT_GT(moments(conv.bias).high, 0.8 * bound);
  expect_moments(Embedding(100, 50).weight, 0, 1);
}

TEST(Init, TheSameSeedGivesTheSameNetwork) {
  auto make = [] {
    manual_seed(7);
    return values(Linear(5, 5).weight);
  };
  EXPECT_EQ(make(), make());
}

}  // namespace
}  // namespace strata::test
