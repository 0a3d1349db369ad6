// Anomaly mode: the first NaN or infinity, by op and line.
#include <gtest/gtest.h>

#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tests/support/expect.h"

namespace strata {
namespace {

using test::error_of;
using test::leaf;
using test::vector_of;

std::string here(int line) { return fmt::format(R"(.*\(anomaly_test\.cpp:{}\)$)", line); }

TEST(Anomaly, NamesTheOpOfTheForwardPass) {
  Tensor x = vector_of({1, 0, 2});
  EXPECT_NO_THROW(log(x)) << "off by default";
  AnomalyMode mode;
  const int line = __LINE__ + 1;
  std::string said = error_of([&] { log(x); });
  std::string made =
      R"(\[log\] anomaly mode: the forward pass made an infinity in the result f64\[3\])";
  EXPECT_TRUE(std::regex_search(said, std::regex(made + here(line)))) << said;
  EXPECT_FAILS(sqrt(vector_of({-1})), R"(\[sqrt\].*a NaN)" + here(__LINE__));
  NoGrad off;
  EXPECT_FAILS(log(x), R"(\[log\])");
}

TEST(Anomaly, NamesTheOpOfTheBackwardPass) {
  AnomalyMode mode;
  Tensor x = leaf({4, 0});
  Tensor y = sqrt(x);  // fine forward; 1 / (2 sqrt(0)) backward
  int line = __LINE__ - 1;
  Tensor loss = sum(y * 2.0);
  EXPECT_FAILS(backward(loss),
               R"(\[sqrt\] anomaly mode: the backward pass made an infinity in the )"
               R"(gradient f64\[2\] of input 0)" +
                   here(line));
}

TEST(Anomaly, NamesTheOpUnderCreateGraphToo) {
  AnomalyMode mode;
  Tensor x = leaf({4, 0});
  Tensor loss = sum(sqrt(x));
  int line = __LINE__ - 1;
  EXPECT_FAILS(grad(loss, x, {.create_graph = true}), R"(\[sqrt\].*backward pass)" + here(line));
}

// An infinity inside a vjp that never reaches a gradient is no anomaly.
TEST(Anomaly, IgnoresWhatAVjpThrowsAway) {
  AnomalyMode mode;
  Tensor x = leaf({1, 2});
  Tensor y = record(x.detach().clone(), "masked", Caller::here(), {x}, {},
                    [](const Tensor& g, const Saved&) {
                      Tensor infinite = exp(g * 1e6);
                      return Gradients{where(greater(infinite, g), g, infinite)};
                    });
  EXPECT_NO_THROW(backward(sum(y)));
  test::expect_near(test::values(x.grad()), {1, 1});
}

TEST(Anomaly, NestsAndEnds) {
  Tensor x = vector_of({0});
  {
    AnomalyMode outer;
    {
      AnomalyMode inner;
      EXPECT_TRUE(AnomalyMode::active());
    }
    EXPECT_FAILS(log(x), "anomaly");
  }
  EXPECT_FALSE(AnomalyMode::active());
  EXPECT_NO_THROW(log(x));
}

TEST(Anomaly, SurvivesAnError) {
  Tensor x = leaf({0});
  {
    AnomalyMode mode;
    EXPECT_FAILS(backward(sum(sqrt(x))), "anomaly");
    EXPECT_FAILS(log(x), "forward pass") << "the forward checks are back after the error";
  }
  x.zero_grad();
  backward(sum(x * x));
  EXPECT_EQ(x.grad().item(), 0);
}

TEST(Anomaly, LooksIntoCheckpoints) {
  AnomalyMode mode;
  Tensor x = leaf({0});
  Tensor y = checkpoint([](const std::vector<Tensor>& in) { return sqrt(in[0]); }, {x});
  EXPECT_FAILS(backward(sum(y)), R"(\[sqrt\].*anomaly_test)");
}

TEST(Anomaly, SeesSixteenBitOverflow) {
  AnomalyMode mode;
  Tensor x = full({2}, 300, DType::f16);
  EXPECT_FAILS(x * x, R"(\[mul\].*infinity.*f16\[2\])");
}

}  // namespace
}  // namespace strata
