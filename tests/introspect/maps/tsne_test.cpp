// t-SNE: affinities, gradient, determinism, and that it separates what is separate.
#include "tools/introspect/maps/tsne.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/ops.h"
#include "kernels/common/parallel.h"

namespace strata::introspect {
namespace {

// `count` clouds of 40 points in 10 dimensions.
Tensor clouds(int64_t count, double distance) {
  Generator generator(1);
  Tensor x = randn({count * 40, 10}, 0, 1, DType::f32, &generator);
  for (int64_t i = 0; i < count * 40; ++i) {
    x.data<float>()[i * 10 + i / 40] += static_cast<float>(distance);
  }
  return x;
}

TEST(Tsne, AffinitiesAreSymmetricAndSumToOne) {
  auto p = tsne_affinities(clouds(2, 5), 15);
  EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1, 1e-12);
  for (size_t i = 0; i < 80; ++i) {
    EXPECT_EQ(p[i * 80 + i], 0);
    for (size_t j = 0; j < i; ++j) EXPECT_EQ(p[i * 80 + j], p[j * 80 + i]);
  }
}

TEST(Tsne, GradientIsTheDifferenceQuotientAndSumsToZero) {
  auto p = tsne_affinities(clouds(1, 0), 8);
  Generator generator(2);
  auto y = randn({40, 2}, 0, 1, DType::f64, &generator).to_vector<double>();
  auto gradient = tsne_gradient(p, y, nullptr);
  double x_sum = 0;
  for (size_t i = 0; i < y.size(); i += 2) x_sum += gradient[i];
  EXPECT_NEAR(x_sum, 0, 1e-13);
  for (size_t i : {0u, 7u, 31u, 79u}) {
    const double h = 1e-5;
    auto up = y, down = y;
    up[i] += h;
    down[i] -= h;
    double above, below;
    tsne_gradient(p, up, &above);
    tsne_gradient(p, down, &below);
    EXPECT_NEAR(gradient[i], (above - below) / (2 * h), 1e-9);
  }
}

TEST(Tsne, SeparatesCloudsAndKeepsNeighbours) {
  Tensor x = clouds(3, 12);
  auto result = tsne(x, {.perplexity = 15, .iterations = 300});
  EXPECT_GT(trustworthiness(x, result.map, 10), 0.9);
  EXPECT_GE(result.divergence, 0);
  auto y = result.map.to_vector<double>();
  int right = 0;
  for (size_t i = 0; i < 120; ++i) {  // the nearest point in the map is of the same cloud
    double best = INFINITY;
    size_t nearest = 0;
    for (size_t j = 0; j < 120; ++j) {
      double d = std::hypot(y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1]);
      if (j != i && d < best) best = d, nearest = j;
    }
    right += nearest / 40 == i / 40;
  }
  EXPECT_EQ(right, 120);
}

TEST(Tsne, HasTheSameBitsForAnyThreadCount) {
  Tensor x = clouds(2, 4);
  int before = thread_count();
  set_thread_count(1);
  auto one = tsne(x, {.perplexity = 10, .iterations = 60}).map.to_vector<float>();
  set_thread_count(3);
  auto three = tsne(x, {.perplexity = 10, .iterations = 60}).map.to_vector<float>();
  set_thread_count(before);
  EXPECT_EQ(one, three);
}

TEST(Tsne, SurvivesDuplicatesAndRefusesTooLargeAPerplexity) {
  Tensor same = ones({20, 3});
  auto map = tsne(same, {.perplexity = 5, .iterations = 20}).map.to_vector<float>();
  for (float v : map) EXPECT_TRUE(std::isfinite(v));
  EXPECT_THROW(tsne(same, {.perplexity = 10}), Error);
}

}  // namespace
}  // namespace strata::introspect
