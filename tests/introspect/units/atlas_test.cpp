// Grids, atlases and contact sheets against hand values.
#include "tools/introspect/units/atlas.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::expect_near;
using strata::test::values;

TEST(Grid, CellsAreMeansOfTheirPlaces) {
  Tensor activation = random({1, 4, 6, 3}, 1);
  Tensor cells = grid_directions(activation, 2, 3);
  ASSERT_EQ(cells.shape(), (Dims{6, 3}));
  Tensor block = activation.slice(1, 2, 4).slice(2, 4, 6);  // row 1, column 2
  expect_near(values(cells.select(0, 5)), values(mean(block, {0, 1, 2})));
  EXPECT_LT(largest_difference(grid_directions(activation, 4, 6), activation.reshape({24, 3})),
            1e-15);
  EXPECT_FAILS(grid_directions(activation, 5, 6), R"(5 x 6 cells of f64\[1,4,6,3\])");
}

TEST(Atlas, AveragesTheActivationsOfEachCell) {
  // Five points in a square of side 4, in 2 x 2 cells: y runs upwards.
  Tensor layout = from_vector(std::vector<double>{0, 0, 1, 1, 4, 4, 3, 0.5, 0, 3}, {5, 2});
  Tensor activations = from_vector(std::vector<double>{1, 10, 3, 30, 5, 50, 7, 70, 9, 90}, {5, 2});
  Atlas atlas = activation_atlas(activations, layout, 2);
  EXPECT_EQ(atlas.row, (std::vector<int64_t>{0, 0, 1, 1}));
  EXPECT_EQ(atlas.column, (std::vector<int64_t>{0, 1, 0, 1}));
  EXPECT_EQ(atlas.count, (std::vector<int64_t>{1, 1, 2, 1}));
  expect_near(values(atlas.directions), {9, 90, 5, 50, 2, 20, 7, 70});
  Atlas crowded = activation_atlas(activations, layout, 2, 2);
  EXPECT_EQ(crowded.count, (std::vector<int64_t>{2}));
  EXPECT_FAILS(activation_atlas(activations, layout, 2, 3), "none of the 2 x 2 cells holds 3");
  EXPECT_FAILS(activation_atlas(activations, layout.slice(0, 0, 4), 2), "expected .*M, 2");
}

TEST(Atlas, OneCellIsTheMean) {
  Tensor activations = random({50, 7}, 2), layout = random({50, 2}, 3);
  Atlas atlas = activation_atlas(activations, layout, 1);
  EXPECT_LT(largest_difference(atlas.directions.select(0, 0), mean(activations, {0})), 1e-12);
}

TEST(Atlas, TakesOnePlaceOfEachImage) {
  Tensor activation = random({6, 3, 3, 2}, 4);
  Generator generator(5), same(5);
  Tensor chosen = random_places(activation, generator);
  ASSERT_EQ(chosen.shape(), (Dims{6, 2}));
  for (int64_t n = 0; n < 6; ++n) {
    Tensor distance = abs(activation.select(0, n).reshape({9, 2}) - chosen.select(0, n));
    EXPECT_EQ(min(sum(distance, {1})).item(), 0) << n;
  }
  EXPECT_EQ(largest_difference(chosen, random_places(activation, same)), 0);
  Tensor flat = random({4, 3}, 6);
  EXPECT_EQ(largest_difference(random_places(flat, generator), flat), 0);
}

TEST(ContactSheet, PutsPicturesWhereTheyBelong) {
  Tensor images = from_vector(std::vector<double>{1, 2, 3, 4}, {2, 1, 2, 1});
  Tensor sheet = contact_sheet(images, {0, 1}, {1, 0}, 2, 2, 9);
  expect_near(values(sheet), {9, 9, 1, 2, 3, 4, 9, 9});
  EXPECT_FAILS(contact_sheet(images, {0, 2}, {1, 0}, 2, 2), R"(cell \(2, 0\) is outside)");
}

TEST(DirectionStimuli, EachExcitesItsOwnDirectionMost) {
  // Four channels that read four different colours: the picture for one excites it more than the
  // pictures for the others do.
  Tensor mix = eye(4, DType::f64);
  Scores model = [&](const Tensor& x) {
    return mean(show("colours", relu(matmul(x - 0.5, mix))), {1, 2});
  };
  StimulusSpace space{6, 6, 4, zeros({4}), ones({4}), {}};
  DirectionOptions options;
  options.batch = 3;
  options.stimulus.dtype = DType::f64;
  Stimulus found = direction_stimuli(model, "colours", mix, space, options);
  ASSERT_EQ(found.images.shape(), (Dims{4, 6, 6, 4}));
  ASSERT_EQ(found.activation.size(), 4u);
  Tensor answers = model(found.images);
  EXPECT_EQ(argmax(answers, 0).to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 2, 3}));
  EXPECT_EQ(argmax(answers, 1).to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 2, 3}));
}

}  // namespace
}  // namespace strata::introspect
