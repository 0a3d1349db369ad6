// The counting yardstick: probabilities by hand, and the four figures of the data's README.
#include "tools/train/count_model.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "tests/support/expect.h"
#include "tools/train/text_split.h"

namespace strata::train {
namespace {

// Text a b a a b with a = 0, b = 1, of 3 symbols, strength 2.
TEST(CountModel, DrawsCountsTowardsShorterContexts) {
  const std::vector<int64_t> text = {0, 1, 0, 0, 1};
  CountModel model(3, 1);
  model.fit(text);
  const double a = (3 + 2.0 / 3) / 7, b = (2 + 2.0 / 3) / 7;
  const std::vector<int64_t> after_a = {0, 1}, after_b = {1, 0}, after_unseen = {2, 0};
  EXPECT_NEAR(model.probability(after_a, 0), a, 1e-12);                      // no context yet
  EXPECT_NEAR(model.probability(after_a, 1), (2 + 2 * b) / (3 + 2), 1e-12);  // a a, a b, a b
  EXPECT_NEAR(model.probability(after_b, 1), (1 + 2 * a) / (1 + 2), 1e-12);  // b a
  EXPECT_NEAR(model.probability(after_unseen, 1), a, 1e-12);
  EXPECT_NEAR(model.bits(after_a), -(std::log2(a) + std::log2((2 + 2 * b) / 5)) / 2, 1e-12);
}

TEST(CountModel, SharesOutOneInAll) {
  const std::vector<int64_t> text = {0, 1, 2, 0, 2, 2, 1, 0, 1, 3, 0, 1};
  CountModel model(5, 3);
  model.fit(text);
  double sum = 0;
  for (int64_t next = 0; next < 5; ++next)
    sum += model.probability(std::vector<int64_t>{2, 0, 1, next}, 3);
  EXPECT_NEAR(sum, 1, 1e-12);
}

TEST(CountModel, RefusesWhatDoesNotFitItsKeys) {
  EXPECT_FAILS(CountModel(65536, 3), "contexts of 3 among 65536 symbols: they do not fit 64 bits");
  EXPECT_FAILS(CountModel(0, 3), "contexts of 3 among 0 symbols");
}

TEST(CountModel, GivesTheFiguresOfTheDataReadme) {
  const std::string path =
      std::string(STRATA_SOURCE_DIR) + "/../shared/data/text/tinyshakespeare.txt";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "needs the real text, which is not here";
  const TextSplit text = split_text(path);
  EXPECT_EQ(text.length(), 1'115'394);
  EXPECT_EQ(text.test_first, 1'003'854);
  EXPECT_EQ(text.vocabulary.size(), 65);
  for (auto [context, bits] :
       {std::pair(0, 4.829), std::pair(1, 3.592), std::pair(2, 2.977), std::pair(4, 2.499)}) {
    CountModel model(text.vocabulary.size(), context);
    model.fit(text.part(0, text.test_first));
    EXPECT_NEAR(model.bits(text.part(0, text.length()), static_cast<size_t>(text.test_first)), bits,
                5e-4)
        << context;
  }
}

}  // namespace
}  // namespace strata::train
