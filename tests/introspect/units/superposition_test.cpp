// Superposition: dimensionality of known geometries, and the toy model's two regimes.
#include "tools/introspect/units/superposition.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::expect_near;

double total(const std::vector<double>& x) { return std::accumulate(x.begin(), x.end(), 0.0); }

// n unit vectors spread evenly around the circle.
Tensor polygon(int64_t n) {
  std::vector<double> rows;
  for (int64_t i = 0; i < n; ++i) {
    double angle = 2 * std::numbers::pi * static_cast<double>(i) / static_cast<double>(n);
    rows.push_back(std::cos(angle));
    rows.push_back(std::sin(angle));
  }
  return from_vector(rows, {n, 2});
}

TEST(Dimensionality, OfKnownGeometries) {
  expect_near(feature_dimensionality(eye(3, DType::f64)), {1, 1, 1});
  expect_near(feature_dimensionality(from_vector(std::vector<double>{2, 0, -2, 0, 0, 1}, {3, 2})),
              {0.5, 0.5, 1});  // an antipodal pair beside one alone
  for (int64_t n : {3, 5, 8}) {
    for (double d : feature_dimensionality(polygon(n))) {
      EXPECT_NEAR(d, 2.0 / static_cast<double>(n), 1e-12) << n;
    }
  }
  Tensor with_nothing = concatenate({eye(2, DType::f64), zeros({1, 2}, DType::f64)}, 0);
  expect_near(feature_dimensionality(with_nothing), {1, 1, 0});
  EXPECT_NEAR(dimensions_per_feature(polygon(5)), 2.0 / 5, 1e-12);
}

TEST(Dimensionality, SumsToAtMostTheUnits) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    int64_t features = 3 + static_cast<int64_t>(seed), units = 4;
    double sum = total(feature_dimensionality(random({features, units}, seed)));
    EXPECT_LE(sum, static_cast<double>(std::min(features, units)) + 1e-6);
    EXPECT_GT(sum, 0);
  }
  EXPECT_FAILS(feature_dimensionality(random({3}, 1)), R"(f64\[3\] must be \[features, units\])");
}

TEST(Interference, IsTheGramMatrixOfTheFeatures) {
  Tensor w = random({5, 3}, 1), found = interference(w);
  EXPECT_LT(largest_difference(found, matmul(w, w.transpose(0, 1))), 1e-15);
}

TEST(ToyModel, LinearIsPca) {
  // Correlated data of six features with distinct variances, the same at every step: W W' is the
  // projector on the two leading principal components, and the loss what the others hold.
  Tensor scales = from_vector(std::vector<double>{2, 1.5, 1, 0.5, 0.4, 0.2}, {6});
  Tensor turned = matmul(random({40, 6}, 2) * scales,
                         orthonormal_basis(random({6, 6}, 3).to(DType::f32)).to(DType::f64));
  Tensor data = turned + 0.7;
  ToyOptions options;
  options.hidden = 2;
  options.linear = true;
  options.steps = 800;
  ToyModel model = train_toy_model([&](int) { return data; }, options);
  Tensor centred = data - mean(data, {0});
  EigenPairs pairs = symmetric_eigen(matmul(centred.transpose(0, 1), centred) / 40.0);
  Tensor leading = pairs.vectors.slice(1, 0, 2);
  Tensor projector = matmul(leading, leading.transpose(0, 1));
  EXPECT_LT(largest_difference(interference(model.weight), projector), 1e-6);
  double rest = pairs.values[2] + pairs.values[3] + pairs.values[4] + pairs.values[5];
  EXPECT_NEAR(model.loss, rest, 1e-6);
}

TEST(ToyModel, DenseFeaturesAreKeptOneToAUnit) {
  // Without sparsity the ReLU model does as PCA: the two most important features, orthogonal.
  ToyOptions options;
  options.importance = {1, 0.7, 0.5, 0.35, 0.25};
  options.steps = 500;
  ToyModel model = train_toy_model(sparse_features(5, 0), options);
  auto dimensions = feature_dimensionality(model.weight);
  Tensor represented = interference(model.weight);
  for (size_t i = 0; i < 5; ++i) {
    double size =
        represented.select(0, static_cast<int64_t>(i)).select(0, static_cast<int64_t>(i)).item();
    if (i < 2) {
      EXPECT_NEAR(dimensions[i], 1, 0.05) << i;
      EXPECT_NEAR(size, 1, 0.1) << i;
    } else {
      EXPECT_LT(size, 0.1) << i;
    }
  }
}

TEST(ToyModel, SparseFeaturesAreStoredInSuperposition) {
  // Rare features share two units: all five, as a pentagon, 2/5 of a dimension each.
  ToyOptions options;
  options.steps = 800;
  ToyModel model = train_toy_model(sparse_features(5, 0.95), options);
  for (double d : feature_dimensionality(model.weight)) EXPECT_NEAR(d, 0.4, 0.05);
  EXPECT_LT(dimensions_per_feature(model.weight), 0.5);
}

TEST(ToyModel, IsDeterminedByTheSeed) {
  ToyOptions options;
  options.steps = 20;
  auto train = [&](uint64_t seed) {
    options.seed = seed;
    return train_toy_model(sparse_features(4, 0.5), options).weight;
  };
  EXPECT_EQ(largest_difference(train(1), train(1)), 0);
  EXPECT_GT(largest_difference(train(1), train(2)), 1e-3);
  options.importance = {1, 2};
  EXPECT_FAILS(train(1), "2 importances for 4 features");
}

}  // namespace
}  // namespace strata::introspect
