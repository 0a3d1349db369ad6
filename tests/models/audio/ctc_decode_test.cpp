// Decoding: a beam wide enough ranks labels as ctc_loss scores them.
#include "models/audio/ctc_decode.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/support/expect.h"

namespace strata::test {
namespace {

using Labels = std::vector<int64_t>;

double loss_of(const Tensor& y, const Labels& labels) {
  auto one = [](int64_t value) { return from_vector(Labels{value}, {1}); };
  const auto count = static_cast<int64_t>(labels.size());
  return ctc_loss(y.unsqueeze(0), from_vector(labels, {1, count}), one(y.size(0)), one(count),
                  {.reduction = Reduction::sum})
      .item();
}

TEST(CtcDecode, WideBeamsAreExact) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    Generator generator(seed);
    Tensor y = log_softmax(randn({4, 3}, 0, 1.5, DType::f64, &generator));
    auto found = ctc_beam_search(y, 1000);
    double total = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      EXPECT_NEAR(found[i].log_probability, -loss_of(y, found[i].labels), 1e-9);
      EXPECT_LE(found[i].log_probability, found[i > 0 ? i - 1 : 0].log_probability);
      total += std::exp(found[i].log_probability);
    }
    EXPECT_NEAR(total, 1, 1e-9);  // no labelling is missing
    // Greedy can be no better than the best.
    EXPECT_GE(-loss_of(y, found[0].labels), -loss_of(y, ctc_greedy(y).labels));
  }
}

// Two steps of (blank .6, a .4): the best alignment is empty (.36), the best labelling is a (.64).
TEST(CtcDecode, BeamsSumWhatGreedyOverlooks) {
  Tensor y = log(from_vector(std::vector<double>{0.6, 0.4, 0.6, 0.4}, {2, 2}));
  EXPECT_TRUE(ctc_greedy(y).labels.empty());
  EXPECT_NEAR(ctc_greedy(y).log_probability, std::log(0.36), 1e-12);
  auto found = ctc_beam_search(y, 2);
  EXPECT_EQ(found[0].labels, (Labels{1}));
  EXPECT_NEAR(found[0].log_probability, std::log(0.64), 1e-12);
}

TEST(CtcDecode, GreedyCollapses) {
  // a a - a b b -
  const Labels path = {1, 1, 0, 1, 2, 2, 0};
  Tensor y = log(one_hot(from_vector(path, {7}), 3, DType::f64) * 0.9 + 0.05);
  EXPECT_EQ(ctc_greedy(y).labels, (Labels{1, 1, 2}));
  Tensor other = log(one_hot(from_vector(Labels{2, 2, 0, 0, 2}, {5}), 3, DType::f64) * 0.9 + 0.05);
  EXPECT_EQ(ctc_greedy(other, 2).labels, (Labels{0}));
}

TEST(CtcDecode, EditDistance) {
  EXPECT_EQ(edit_distance({}, {}), 0);
  EXPECT_EQ(edit_distance({1, 2}, {}), 2);
  // kitten, sitting
  EXPECT_EQ(edit_distance({1, 2, 3, 3, 4, 5}, {6, 2, 3, 3, 2, 5, 7}), 3);
  EXPECT_EQ(edit_distance({1, 2, 3}, {2, 3, 4}), 2);
}

TEST(CtcDecode, SaysWhatItTakes) {
  EXPECT_FAILS(ctc_greedy(zeros({2, 3, 4})), R"(\[T, C\]; got f32\[2,3,4\])");
  EXPECT_FAILS(ctc_beam_search(zeros({2, 3}), 0), "width is 0");
  EXPECT_FAILS(ctc_beam_search(zeros({2, 3}), 2, 3), "blank is 3");
}

}  // namespace
}  // namespace strata::test
