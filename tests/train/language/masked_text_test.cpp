// Gaps: how many, what stands in them, and that they depend on seed and step alone.
#include "tools/train/masked_text.h"

#include <cmath>

#include "engine/ops.h"
#include "tests/support/expect.h"

namespace strata::train {
namespace {

using test::values;

const MaskOptions options{.last = 12};

Tensor text() {
  Generator generator(1);
  return randint(2, 12, {100, 200}, DType::i64, &generator);
}

TEST(MaskedText, ChoosesAndReplacesInTheRightShares) {
  const Tensor tokens = text();
  const MaskedText masked = mask_text(tokens, options, 5, 7);
  const auto before = values(tokens), inputs = values(masked.inputs),
             targets = values(masked.targets);
  double chosen = 0, gaps = 0, kept = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    if (targets[i] == -100) {
      ASSERT_EQ(inputs[i], before[i]);
      continue;
    }
    ASSERT_EQ(targets[i], before[i]);
    ++chosen;
    gaps += inputs[i] == 1;
    kept += inputs[i] == before[i];
    ASSERT_TRUE(inputs[i] == 1 || (inputs[i] >= 2 && inputs[i] < 12)) << inputs[i];
  }
  auto near = [](double count, double n, double p) {
    EXPECT_NEAR(count, n * p, 4 * std::sqrt(n * p * (1 - p)));
  };
  near(chosen, 20000, 0.15);
  near(gaps, chosen, 0.8);
  near(kept, chosen, 0.1 + 0.1 / 10);  // a token at random is the same one in ten times
}

TEST(MaskedText, DependsOnSeedAndStepAlone) {
  const Tensor tokens = text();
  auto inputs = [&](uint64_t seed, uint64_t step) {
    return values(mask_text(tokens, options, seed, step).inputs);
  };
  EXPECT_EQ(inputs(5, 7), inputs(5, 7));
  EXPECT_NE(inputs(5, 7), inputs(5, 8));
  EXPECT_NE(inputs(5, 7), inputs(6, 7));
}

TEST(MaskedText, SaysWhatItTakes) {
  EXPECT_FAILS(mask_text(zeros({2, 3}), options, 1, 1), "contiguous i64 .* got f32\\[2,3\\]");
  EXPECT_FAILS(mask_text(text(), {.last = 2}, 1, 1), "no tokens at random in \\[2, 2\\)");
}

}  // namespace
}  // namespace strata::train
