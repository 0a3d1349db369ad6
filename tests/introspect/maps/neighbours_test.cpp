// Exact neighbours against the plain double loop, and the scores that stand on them.
#include "tools/introspect/maps/neighbours.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tests/support/expect.h"
#include "tools/introspect/maps/quality.h"

namespace strata::introspect {
namespace {

struct Found {
  std::vector<int32_t> index;
  std::vector<double> distance;
};
// The definition: all distances in f64, sorted by (distance, index).
Found plain(const Tensor& queries, const Tensor& x, int64_t k, bool self) {
  auto a = queries.to_vector<double>(), b = x.to_vector<double>();
  auto d = static_cast<size_t>(x.size(1)), n = static_cast<size_t>(x.size(0));
  Found found;
  for (size_t i = 0; i < a.size() / d; ++i) {
    std::vector<std::pair<double, int32_t>> all;
    for (size_t j = 0; j < n; ++j) {
      double total = 0;
      for (size_t c = 0; c < d; ++c) total += std::pow(a[i * d + c] - b[j * d + c], 2);
      if (!self || i != j) all.emplace_back(total, static_cast<int32_t>(j));
    }
    std::sort(all.begin(), all.end());
    for (size_t j = 0; j < static_cast<size_t>(k); ++j) {
      found.index.push_back(all[j].second);
      found.distance.push_back(std::sqrt(all[j].first));
    }
  }
  return found;
}

TEST(Neighbours, AreThoseOfTheDoubleLoop) {
  Generator generator(1);
  for (DType dtype : {DType::f32, DType::f64}) {
    Tensor x = randn({700, 7}, 0, 1, dtype, &generator);
    Neighbours found = nearest_neighbours(x, 13);
    Found want = plain(x, x, 13, true);
    EXPECT_EQ(found.index, want.index);
    test::expect_near(found.distance, want.distance, 1e-12);
    Tensor queries = randn({300, 7}, 0, 1, dtype, &generator);
    Neighbours others = nearest_neighbours(queries, x, 5);
    EXPECT_EQ(others.index, plain(queries, x, 5, false).index);
  }
}

// |q|^2 + |x|^2 - 2 q.x loses every digit here; the answer may not.
TEST(Neighbours, AreExactFarFromTheOriginAndAmongOutliers) {
  Generator generator(2);
  Tensor x = randn({400, 5}, 0, 1e-3, DType::f64, &generator) + 1000.0;
  x.data<double>()[0] = -50000;  // keeps the mean away from the cloud
  EXPECT_EQ(nearest_neighbours(x, 10).index, plain(x, x, 10, true).index);
  Tensor y = x.to(DType::f32);
  EXPECT_EQ(nearest_neighbours(y, 10).index, plain(y, y, 10, true).index);
}

TEST(Neighbours, BreakTiesByIndex) {
  Tensor x = randint(0, 3, {3000, 2}, DType::i64).to(DType::f32);  // nine places, 333 on each
  EXPECT_EQ(nearest_neighbours(x.slice(0, 0, 300), x, 40).index,
            plain(x.slice(0, 0, 300), x, 40, false).index);
  Neighbours same = nearest_neighbours(ones({50, 4}), 3);
  EXPECT_EQ(std::vector<int32_t>(same.index.end() - 3, same.index.end()),
            (std::vector<int32_t>{0, 1, 2}));
  for (double d : same.distance) EXPECT_EQ(d, 0);
}

TEST(Neighbours, AreTheSameForAnyThreadCount) {
  Generator generator(3);
  Tensor x = randn({900, 33}, 0, 1, DType::f32, &generator);
  int before = thread_count();
  set_thread_count(1);
  Neighbours one = nearest_neighbours(x, 20);
  for (int threads : {2, 8}) {
    set_thread_count(threads);
    Neighbours many = nearest_neighbours(x, 20);
    EXPECT_EQ(one.index, many.index);
    EXPECT_EQ(one.distance, many.distance);
  }
  set_thread_count(before);
}

TEST(Neighbours, RefuseWhatHasNoAnswer) {
  EXPECT_FAILS(nearest_neighbours(ones({4, 2}), 4), "k = 4 of f32\\[4,2\\].*not its own neighbour");
  EXPECT_FAILS(nearest_neighbours(ones({4, 2}), ones({4, 3}), 1), "f32\\[4,2\\].*f32\\[4,3\\]");
  EXPECT_FAILS(nearest_neighbours(full({4, 2}, NAN), 1), "NaN or infinite");
}

TEST(Quality, OfAMapThatKeepsAllOrNothing) {
  Generator generator(4);
  Tensor x = randn({60, 2}, 0, 1, DType::f64, &generator);
  Tensor turned = concatenate({x.slice(1, 1, 2) * -3.0, x.slice(1, 0, 1) * 3.0}, 1);
  EXPECT_EQ(trustworthiness(x, turned, 7), 1);
  EXPECT_EQ(continuity(x, turned, 7), 1);
  // Four points on a line, k = 1. Exchanged halves keep every nearest neighbour: 1 0 3 2.
  Tensor line = from_vector<double>({0, 1, 2.1, 3}, {4, 1});
  Tensor halves = from_vector<double>({2.2, 3, 0, 1}, {4, 1});
  EXPECT_EQ(trustworthiness(line, halves, 1), 1);
  // Here the nearest in the map are 2 3 0 1, of ranks 2 3 3 2 in the line: penalties 1 + 2 + 2 + 1,
  // and 1 - 2 * 6 / (4 * 1 * (8 - 3 - 1)) = 1 / 4.
  Tensor mixed = from_vector<double>({0, 3.3, 1, 2.2}, {4, 1});
  EXPECT_NEAR(trustworthiness(line, mixed, 1), 0.25, 1e-12);
  EXPECT_EQ(continuity(line, mixed, 1), trustworthiness(mixed, line, 1));
  EXPECT_FAILS(trustworthiness(x, turned, 40), "k = 40 of 60 points");
}

TEST(Quality, NeighbourAccuracyCountsVotes) {
  Tensor line = from_vector<float>({0, 1, 2, 10, 11, 12}, {6, 1});
  EXPECT_EQ(neighbour_accuracy(line, {0, 0, 0, 1, 1, 1}, 2), 1);
  EXPECT_NEAR(neighbour_accuracy(line, {0, 0, 1, 1, 1, 1}, 2), 5.0 / 6, 1e-12);
  EXPECT_FAILS(neighbour_accuracy(line, {0, 1}, 2), "2 labels for the 6 rows");
}

}  // namespace
}  // namespace strata::introspect
