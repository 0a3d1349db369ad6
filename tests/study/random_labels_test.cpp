// Labels that mean nothing: the same images, labels of their own.
#include "tools/study/random_labels.h"

#include <gtest/gtest.h>

#include "engine/data/terrace.h"
#include "engine/ops.h"

namespace strata::study {
namespace {

TEST(RandomLabels, KeepTheImagesAndTellNothing) {
  constexpr int64_t images = 2000;
  Terrace plain(terrace_task("outline"), 3, images);
  RandomLabels shuffled(std::make_unique<Terrace>(terrace_task("outline"), 3, images), 7);
  Batch a = plain.head(images), b = shuffled.head(images);
  EXPECT_EQ(max(abs(a.images - b.images)).item(), 0);
  EXPECT_EQ(max(abs(a.factors - b.factors)).item(), 0);
  auto truth = a.labels.to_vector<int64_t>(), drawn = b.labels.to_vector<int64_t>();
  std::vector<double> counts(4, 0);
  double same = 0;
  for (size_t i = 0; i < truth.size(); ++i) {
    ASSERT_LT(drawn[i], 4);
    ++counts[static_cast<size_t>(drawn[i])];
    same += truth[i] == drawn[i];
  }
  // Binomial with p = 1/4: a standard deviation of 19.4.
  for (double count : counts) EXPECT_NEAR(count, 500, 4 * 19.4);
  EXPECT_NEAR(same, 500, 4 * 19.4);
  // A function of the seed and the image.
  EXPECT_EQ(shuffled.head(10).labels.to_vector<int64_t>(),
            std::vector<int64_t>(drawn.begin(), drawn.begin() + 10));
}

}  // namespace
}  // namespace strata::study
