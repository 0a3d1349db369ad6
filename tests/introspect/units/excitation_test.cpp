// The strongest places of a data set, what a place can see, and deconvnet projections of it.
#include "tools/introspect/units/excitation.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/units/projections.h"

namespace strata::introspect {
namespace {

using namespace test;

TEST(TopExcitations, AreTheLargestPlacesOfTheLargestImages) {
  // Two images of 2 x 2 places and one unit, and two more in another batch.
  TopExcitations top(3);
  top.add(from_vector(std::vector<double>{1, 5, 2, 0, 7, 3, 3, 3}, {2, 2, 2, 1}), 0);
  top.add(from_vector(std::vector<double>{5, 0, 0, 0, 0, 0, 0, 9}, {2, 2, 2, 1}), 2);
  const auto& best = top.of(0);
  ASSERT_EQ(best.size(), 3u);
  auto is = [&](size_t i, int64_t image, int64_t row, int64_t column, double value) {
    EXPECT_EQ(best[i].image, image);
    EXPECT_EQ(best[i].row, row);
    EXPECT_EQ(best[i].column, column);
    EXPECT_EQ(best[i].activation, value);
  };
  is(0, 3, 1, 1, 9);
  is(1, 1, 0, 0, 7);
  is(2, 0, 0, 1, 5);  // ties (image 2 has 5 too) go to the earlier image
  EXPECT_EQ(top.percentile(0, 7), 0.5);
  EXPECT_FAILS(top.add(random({2}, 1), 4), R"(f64\[2\] is not)");
}

TEST(TopExcitations, OfASequenceArePositions) {
  TopExcitations top(1);
  top.add(from_vector(std::vector<double>{1, 0, 2, 9, 3, 0}, {1, 3, 2}), 5);
  EXPECT_EQ(top.of(0)[0].row, 2);
  EXPECT_EQ(top.of(1)[0].row, 1);
  EXPECT_EQ(top.of(1)[0].image, 5);
}

TEST(ReceptiveField, OfTwoConvolutionsWithAStride) {
  // 3 x 3, then 3 x 3 at stride 2: 5 pixels wide, 2 apart.
  Tensor first = random({2, 3, 3, 1}, 2), second = random({1, 3, 3, 2}, 3);
  auto layer = [&](const Tensor& x) {
    return conv2d(conv2d(x, first, {}, {.padding = 1}), second, {}, {.stride = 2, .padding = 1});
  };
  ReceptiveField field = receptive_field(layer, random({2, 16, 16, 1}, 4));
  EXPECT_EQ(field.height, 5);
  EXPECT_EQ(field.width, 5);
  EXPECT_EQ(field.stride_y, 2);
  auto corner = field.window(0, 0), last = field.window(7, 7);
  EXPECT_EQ(corner.top, 0);
  EXPECT_EQ(last.bottom, 16);
  EXPECT_EQ(last.right - last.left, 5);
}

TEST(Projections, OfAConvolutionsUnitAreItsFilterTimesItsResponse) {
  Tensor kernels = random({2, 3, 3, 2}, 5);
  Scores model = [&](const Tensor& x) {
    return mean(show("conv", relu(conv2d(x, kernels, {}, {.padding = 1}))), {1, 2});
  };
  Tensor images = random({6, 8, 8, 2}, 6);
  Capture capture({"conv"});
  model(images);
  TopExcitations top(4);
  top.add(capture["conv"], 0);
  auto layer = [&](const Tensor& x) {
    Capture inside({"conv"});
    model(x);
    return inside["conv"];
  };
  ReceptiveField field = receptive_field(layer, images);
  auto found = project_patches(model, images, "conv", 1, top.of(1), field);
  ASSERT_EQ(found.patches.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    const Excitation& e = top.of(1)[i];
    if (e.row < 1 || e.row > 6 || e.column < 1 || e.column > 6) continue;  // clipped at the border
    Tensor filter = kernels.select(0, 1) * e.activation;
    EXPECT_LT(largest_difference(found.projections[i], filter), 1e-5);  // responses are kept in f32
    // The patch answers with the activation: <patch, filter>.
    EXPECT_NEAR(sum(found.patches[i] * kernels.select(0, 1)).item(), e.activation, 1e-5);
  }
}

}  // namespace
}  // namespace strata::introspect
