// What is lost without a unit, on a network whose units are known: unit u of "hidden" answers to
// class u alone, but for one that repeats another and one that does nothing.
#include "tools/study/unit_ablation.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/event.h"
#include "engine/ops.h"
#include "tests/support/expect.h"

namespace strata::study {
namespace {

// x [N, 3] one-hot. hidden [N, 5]: 0, 1, 2 the classes, 3 class 2 once more, 4 always 1 and unread.
// Class 0 is the answer when all logits are equal.
Tensor network(const Tensor& x) {
  Tensor hidden = concatenate({x, x.slice(1, 2, 3), ones({x.size(0), 1}, x.dtype())}, 1);
  hidden = ActivationObserver::emit("hidden", hidden);
  Tensor third = hidden.slice(1, 2, 3) + hidden.slice(1, 3, 4);
  return concatenate({hidden.slice(1, 0, 1) - 0.5, hidden.slice(1, 1, 2) - 0.6, third - 0.7}, 1);
}

struct Examples {
  Tensor x;
  std::vector<int64_t> labels;
};
Examples examples() {
  Examples e;
  std::vector<float> rows;
  for (int64_t i = 0; i < 600; ++i) {
    int64_t label = i % 6 < 3 ? 1 : i % 3;  // class 1 is four in six
    e.labels.push_back(label);
    for (int64_t c = 0; c < 3; ++c) rows.push_back(c == label ? 1 : 0);
  }
  e.x = from_vector(rows, {600, 3});
  return e;
}

TEST(UnitAblation, AUnitThatAloneKnowsAClassLosesThatClass) {
  Examples e = examples();
  auto found = ablate_each(network, "hidden", {1, 2, 4}, 5, 0, e.x, e.labels, 4, 1);
  EXPECT_EQ(found.intact.accuracy, 1);
  EXPECT_EQ(found.intact.classes[1], 1);
  EXPECT_TRUE(std::isnan(found.intact.classes[3]));  // no image of it
  // Without unit 1, class 1 (four images in six) is taken for class 0, and nothing else changes.
  const Answers& without = found.without.at(1);
  EXPECT_NEAR(without.accuracy, 2.0 / 6, 1e-12);
  EXPECT_EQ(without.classes[0], 1);
  EXPECT_EQ(without.classes[1], 0);
  EXPECT_EQ(without.classes[2], 1);
  // Unit 2 has a twin, unit 4 no reader.
  EXPECT_EQ(found.without.at(2).accuracy, 1);
  EXPECT_EQ(found.without.at(4).accuracy, 1);
  EXPECT_TRUE(found.random.empty());
  EXPECT_EQ(found.without.size(), 3u);
}

TEST(UnitAblation, TheControlIsDrawnFromTheWholeLayerBySeed) {
  Examples e = examples();
  auto draw = [&](int64_t count, uint64_t seed) {
    return ablate_each(network, "hidden", {1}, 5, count, e.x, e.labels, 3, seed);
  };
  auto three = draw(3, 1);
  EXPECT_EQ(three.random.size(), 3u);
  EXPECT_TRUE(std::is_sorted(three.random.begin(), three.random.end()));
  for (int64_t unit : three.random) EXPECT_TRUE(three.without.count(unit));
  EXPECT_EQ(draw(3, 1).random, three.random);
  bool other = false;
  for (uint64_t seed = 2; seed < 12; ++seed) other |= draw(3, seed).random != three.random;
  EXPECT_TRUE(other);
  EXPECT_EQ(draw(99, 1).random, (std::vector<int64_t>{0, 1, 2, 3, 4}));
}

TEST(UnitAblation, RefusesALayerThatIsNotThereAndLabelsThatDoNotFit) {
  Examples e = examples();
  EXPECT_FAILS(ablate_each(network, "hiden", {1}, 5, 0, e.x, e.labels, 3, 1),
               "no activation 'hiden'");
  EXPECT_FAILS(ablate_each(network, "hidden", {1}, 5, 0, e.x, {1, 2}, 3, 1), "2 labels for");
}

}  // namespace
}  // namespace strata::study
