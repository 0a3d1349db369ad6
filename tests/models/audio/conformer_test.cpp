// Conformer: counts, the shift of relative positions, gradients, stages.
#include "models/audio/conformer.h"

#include <gtest/gtest.h>

#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

ConformerOptions small(bool pooled = false) {
  return {.mels = 10,
          .classes = 5,
          .width = 8,
          .heads = 2,
          .blocks = 2,
          .kernel = 4,
          .pooled = pooled,
          .dropout = 0};
}

TEST(Conformer, CountsItsParameters) {
  for (ConformerOptions options : {small(), small(true)}) {
    EXPECT_EQ(Conformer(options).parameter_count(), conformer_parameter_count(options));
    options.mels = 17, options.kernel = 5, options.blocks = 1;
    EXPECT_EQ(Conformer(options).parameter_count(), conformer_parameter_count(options));
  }
}

// The encoders of the paper; what is left of its 10.3, 30.7 and 118.8 million is the decoder, an
// LSTM of 320 or 640 with an embedding of 1024 pieces and a joint network.
TEST(Conformer, PublishedSizes) {
  auto count = [](ConformerOptions options) {
    return conformer_parameter_count(options) - options.classes * (options.width + 1);
  };
  EXPECT_EQ(count(conformer_s()), 8'713'152);
  EXPECT_EQ(count(conformer_m()), 27'331'584);
  EXPECT_EQ(count(conformer_l()), 115'120'128);
}

TEST(Conformer, ShiftReadsDistances) {
  constexpr int64_t time = 5;
  // At [i, r] stands 100 i + the distance that r counts.
  std::vector<double> scores;
  for (int64_t i = 0; i < time; ++i) {
    for (int64_t r = 0; r < 2 * time - 1; ++r)
      scores.push_back(static_cast<double>(100 * i + time - 1 - r));
  }
  Tensor shifted = relative_shift(from_vector(scores, {1, 1, time, 2 * time - 1}));
  for (int64_t i = 0; i < time; ++i) {
    for (int64_t j = 0; j < time; ++j)
      EXPECT_EQ(shifted.select(2, i).select(2, j).item(), static_cast<double>(100 * i + i - j));
  }
}

TEST(Conformer, GradientsAreThoseOfDifferences) {
  for (bool pooled : {false, true}) {
    manual_seed(1);
    Conformer model(small(pooled));
    expect_gradients(model, random({2, 13, 10}, 1));
  }
}

TEST(Conformer, TakesEveryFourthFrame) {
  Conformer model(small());
  for (int64_t frames : {1, 4, 5, 13, 16, 17}) {
    EXPECT_EQ(model(random({2, frames, 10}, 1).to(DType::f32)).shape(),
              (Dims{2, conformer_steps(frames), 5}));
  }
}

TEST(Conformer, PatternIsShownAndTheResultStays) {
  manual_seed(1);
  Conformer model(small());
  model.eval();
  Tensor x = random({1, 13, 10}, 1).to(DType::f32);
  const std::vector<double> plain = values(model(x));
  Tensor pattern;
  ActivationObserver watch(
      [&](const std::string&, const Tensor& value) {
        pattern = value;
        return Tensor();
      },
      {"blocks.1.attention.pattern"});
  expect_near(values(model(x)), plain, 1e-5);
  ASSERT_EQ(pattern.shape(), (Dims{1, 2, 4, 4}));
  for (double total : values(sum(pattern, {3}))) EXPECT_NEAR(total, 1, 1e-6);
}

TEST(Conformer, StagesAndState) {
  Conformer model(small());
  model.eval();
  expect_stages(model, random({1, 13, 10}, 1).to(DType::f32),
                {"subsampling", "blocks.0", "blocks.1", "head"});
  expect_state_goes_round([] { return std::make_unique<Conformer>(small(true)); },
                          random({2, 13, 10}, 1).to(DType::f32));
}

TEST(Conformer, SaysWhatItTakes) {
  Conformer model(small());
  EXPECT_FAILS(model(zeros({2, 9})), R"(features \[N, T, 10\].*f32\[2,9\])");
  EXPECT_FAILS(model(zeros({2, 9, 12})), R"(f32\[2,9,12\])");
  EXPECT_FAILS(Conformer({.width = 10, .heads = 4}), "width 10 does not divide into 4 heads");
}

}  // namespace
}  // namespace strata::test
