// t-SNE: affinities, gradient, determinism, and that its maps show what is there.
#include "tools/introspect/maps/tsne.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tests/support/expect.h"
#include "tools/introspect/maps/align.h"
#include "tools/introspect/maps/pca.h"
#include "tools/introspect/maps/repulsion.h"

namespace strata::introspect {
namespace {

// `count` clouds of 40 points in 10 dimensions.
Tensor clouds(int64_t count, double distance, DType dtype = DType::f32) {
  Generator generator(1);
  Tensor x = randn({count * 40, 10}, 0, 1, DType::f32, &generator);
  for (int64_t i = 0; i < count * 40; ++i) {
    x.data<float>()[i * 10 + i / 40] += static_cast<float>(distance);
  }
  return x.to(dtype);
}

double entropy(const double* row, int64_t count) {
  double total = 0;
  for (int64_t j = 0; j < count; ++j) total -= row[j] > 0 ? row[j] * std::log(row[j]) : 0;
  return total;
}

std::vector<double> dense(const SparseMatrix& p) {
  auto n = static_cast<size_t>(p.rows());
  std::vector<double> full(n * n, 0.0);
  for (size_t i = 0; i < n; ++i) {
    for (auto e = static_cast<size_t>(p.start[i]); e < static_cast<size_t>(p.start[i + 1]); ++e) {
      full[i * n + static_cast<size_t>(p.column[e])] = p.value[e];
    }
  }
  return full;
}

TEST(Tsne, AffinitiesAreSymmetricAndSumToOne) {
  auto p = tsne_affinities(clouds(2, 5), 15);
  EXPECT_NEAR(std::accumulate(p.begin(), p.end(), 0.0), 1, 1e-12);
  for (size_t i = 0; i < 80; ++i) {
    EXPECT_EQ(p[i * 80 + i], 0);
    for (size_t j = 0; j < i; ++j) EXPECT_EQ(p[i * 80 + j], p[j * 80 + i]);
  }
}

TEST(Tsne, RowsHaveTheEntropyOfThePerplexity) {
  Generator generator(5);
  for (double perplexity : {2.0, 7.5, 30.0}) {
    for (double scale : {1e-6, 1.0, 1e6}) {
      auto squared =
          (square(randn({100}, 0, 1, DType::f64, &generator)) * scale).to_vector<double>();
      std::vector<double> row(100);
      fill_conditional(squared.data(), 100, std::log(perplexity), row.data());
      EXPECT_NEAR(entropy(row.data(), 100), std::log(perplexity), 1e-5);
      EXPECT_NEAR(std::accumulate(row.begin(), row.end(), 0.0), 1, 1e-12);
    }
  }
  std::vector<double> duplicates(20, 0.0), row(20);
  duplicates.push_back(9), row.push_back(0);
  fill_conditional(duplicates.data(), 21, std::log(5.0), row.data());
  for (size_t j = 0; j < 20; ++j) EXPECT_NEAR(row[j], 0.05, 1e-12);
  EXPECT_NEAR(row[20], 0, 1e-12);
}

TEST(Tsne, SparseAffinitiesOverAllNeighboursAreTheDenseOnes) {
  Tensor x = clouds(1, 0, DType::f64);
  auto want = tsne_affinities(x, 8);
  auto got = dense(tsne_affinities(nearest_neighbours(x, 39), 8));
  // Rows are summed in another order, so the bisection ends elsewhere within its 1e-6.
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 1e-7);
  SparseMatrix few = tsne_affinities(nearest_neighbours(x, 24), 8);
  EXPECT_NEAR(std::accumulate(few.value.begin(), few.value.end(), 0.0), 1, 1e-12);
  auto p = dense(few);
  for (size_t i = 0; i < 40; ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_EQ(p[i * 40 + j], p[j * 40 + i]);
  }
  EXPECT_FAILS(tsne_affinities(nearest_neighbours(x, 5), 8), "perplexity 8 of 5 neighbours");
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

TEST(Tsne, DivergenceIsZeroWhereQIsP) {
  Generator generator(6);
  Tensor map = randn({30, 2}, 0, 1, DType::f64, &generator);
  auto y = map.to_vector<double>();
  double z = exact_repulsion(y).z, divergence;
  std::vector<double> q(900, 0.0);
  SparseMatrix sparse;
  sparse.start.push_back(0);
  for (size_t i = 0; i < 30; ++i) {
    for (size_t j = 0; j < 30; ++j) {
      if (i == j) continue;
      double dx = y[2 * i] - y[2 * j], dy = y[2 * i + 1] - y[2 * j + 1];
      q[i * 30 + j] = 1 / (1 + dx * dx + dy * dy) / z;
      sparse.column.push_back(static_cast<int32_t>(j));
      sparse.value.push_back(q[i * 30 + j]);
    }
    sparse.start.push_back(static_cast<int64_t>(sparse.column.size()));
  }
  auto gradient = tsne_gradient(q, y, &divergence);
  EXPECT_NEAR(divergence, 0, 1e-12);
  EXPECT_NEAR(tsne_divergence(sparse, map), 0, 1e-12);
  for (double g : gradient) EXPECT_NEAR(g, 0, 1e-12);
}

class TsneBy : public testing::TestWithParam<TsneMethod> {};

TEST_P(TsneBy, SeparatesCloudsAndKeepsNeighbours) {
  Tensor x = clouds(3, 12);
  auto result =
      tsne(x, {.perplexity = 15, .iterations = 250, .learning_rate = 10, .method = GetParam()});
  EXPECT_EQ(result.method, GetParam());
  EXPECT_GT(trustworthiness(x, result.map, 10), 0.9);
  EXPECT_GT(continuity(x, result.map, 10), 0.9);
  EXPECT_GE(result.divergence, 0);
  std::vector<int64_t> cloud;
  for (int64_t i = 0; i < 120; ++i) cloud.push_back(i / 40);
  EXPECT_EQ(neighbour_accuracy(result.map, cloud, 1), 1);
  EXPECT_EQ(neighbour_accuracy(result.map, cloud, 10), 1);
}

// All descend to maps of about the same divergence, measured alike: rounding alone leads to other
// minima, which differ by some percent on so few points.
TEST_P(TsneBy, IsAsGoodAsTheExactOne) {
  Tensor x = clouds(4, 6);
  TsneOptions options{.perplexity = 12, .iterations = 250, .learning_rate = 10};
  SparseMatrix p = tsne_affinities(nearest_neighbours(x, 36), 12);
  options.method = TsneMethod::exact;
  double exact = tsne_divergence(p, tsne(x, options).map);
  options.method = GetParam();
  EXPECT_LT(tsne_divergence(p, tsne(x, options).map), exact * 1.1);
}

TEST_P(TsneBy, HasTheSameBitsForAnyThreadCount) {
  Tensor x = clouds(5, 4);
  int before = thread_count();
  std::vector<std::vector<float>> maps;
  for (int threads : {1, 2, 8}) {
    set_thread_count(threads);
    TsneOptions options{
        .perplexity = 10, .iterations = 20, .exaggerated = 10, .method = GetParam()};
    maps.push_back(tsne(x, options).map.to_vector<float>());
  }
  set_thread_count(before);
  EXPECT_EQ(maps[0], maps[1]);
  EXPECT_EQ(maps[0], maps[2]);
}

TEST_P(TsneBy, SurvivesDuplicates) {
  Tensor x = concatenate({ones({20, 10}), clouds(1, 0)});
  for (float v :
       tsne(x, {.perplexity = 5, .iterations = 60, .exaggerated = 30, .method = GetParam()})
           .map.to_vector<float>()) {
    EXPECT_TRUE(std::isfinite(v));
  }
  Tensor same = ones({20, 3});
  for (float v : tsne(same, {.perplexity = 5, .iterations = 20, .method = GetParam()})
                     .map.to_vector<float>()) {
    EXPECT_TRUE(std::isfinite(v));
  }
}

INSTANTIATE_TEST_SUITE_P(Methods, TsneBy,
                         testing::Values(TsneMethod::exact, TsneMethod::barnes_hut, TsneMethod::fft,
                                         TsneMethod::tiles));

// The kernels of the (simulated) gpu against their twins: f32 sums in another order, so maps agree
// for as long as rounding has not grown.
TEST(Tsne, OnTheGpuIsThatOfTheCpu) {
  Tensor x = clouds(4, 5);
  TsneOptions options{.perplexity = 12, .iterations = 40, .exaggerated = 20, .learning_rate = 5};
  auto gpu = tsne(x.to(Device::gpu), options);
  EXPECT_EQ(gpu.method, TsneMethod::tiles);
  options.method = TsneMethod::tiles;
  auto cpu = tsne(x, options);
  EXPECT_LT(max(abs(gpu.map - cpu.map)).item(), 1e-3 * max(abs(cpu.map)).item());
  options.method = TsneMethod::barnes_hut;
  options.theta = 0;
  EXPECT_LT(max(abs(cpu.map - tsne(x, options).map)).item(), 1e-3 * max(abs(cpu.map)).item());
}

// Like images of digits: ten classes in 64 dimensions, each varying along a few directions.
TEST(Tsne, IsTrustworthyOnDigitsLikeData) {
  Generator generator(8);
  std::vector<Tensor> classes;
  std::vector<int64_t> labels;
  for (int64_t digit = 0; digit < 10; ++digit) {
    Tensor centre = randn({1, 64}, 0, 1, DType::f32, &generator);
    Tensor directions = randn({3, 64}, 0, 0.5, DType::f32, &generator);
    Tensor along = randn({50, 3}, 0, 1, DType::f32, &generator);
    classes.push_back(centre + matmul(along, directions) +
                      randn({50, 64}, 0, 0.1, DType::f32, &generator));
    labels.insert(labels.end(), 50, digit);
  }
  Tensor x = concatenate(classes);
  TsneOptions options{.perplexity = 20, .iterations = 500, .method = TsneMethod::barnes_hut};
  Tensor map = tsne(x, options).map;
  EXPECT_GE(trustworthiness(x, map, 10), 0.99);
  EXPECT_GE(neighbour_accuracy(map, labels, 10), 0.98);
  Tensor plane = fit_pca(x, 2).transform(x);  // which two directions alone are not
  EXPECT_LT(trustworthiness(x, plane, 10), 0.95);
}

// A rotation of the input changes rounding alone: with small steps, which do not
// amplify it, maps agree up to turning.
TEST(Tsne, DoesNotSeeARotationOfItsInput) {
  Tensor x = clouds(2, 4, DType::f64);
  Tensor turned = concatenate({x.slice(1, 5, 10), x.slice(1, 0, 5) * -1.0}, 1);
  TsneOptions options{.perplexity = 10, .iterations = 60, .learning_rate = 2};
  auto a = tsne(x, options), b = tsne(turned, options);
  Tensor difference = align(b.map, a.map) - a.map;
  EXPECT_LT(max(abs(difference)).item(), 1e-3 * max(abs(a.map)).item());
}

TEST(Tsne, EarlyExaggerationDoesNotCollapseASmallMap) {
  auto result = tsne(clouds(3, 3), {.perplexity = 30, .iterations = 100, .exaggerated = 100});
  auto y = result.map.to_vector<double>();
  double spread = 0;
  for (double v : y) spread += v * v / 120;
  EXPECT_GT(spread, 0.1);
  EXPECT_TRUE(std::isfinite(spread));
}

TEST(Tsne, ShowsFramesAndGoesOnFromOne) {
  Tensor x = clouds(3, 12);
  std::vector<int> seen;
  TsneOptions options{.perplexity = 15, .iterations = 250, .every = 100};
  options.on_frame = [&](int iteration, const Tensor& map) {
    seen.push_back(iteration);
    EXPECT_EQ(map.shape(), (Dims{120, 2}));
  };
  auto first = tsne(x, options);
  EXPECT_EQ(seen, (std::vector<int>{0, 100, 200, 250}));
  // The next frame of slightly moved data: where the last one ended, not somewhere new.
  Generator generator(9);
  Tensor moved = x + randn(x.shape(), 0, 0.02, DType::f32, &generator);
  TsneOptions onward{.perplexity = 15, .iterations = 40, .exaggerated = 0};
  Tensor second = tsne(moved, onward, first.map).map;
  auto step = [&](const Tensor& map) { return sum(square(map - first.map)).item(); };
  double size = sum(square(first.map)).item();
  EXPECT_LT(step(align(second, first.map)), 0.1 * size);
  onward.anchor = 1;
  EXPECT_LT(step(tsne(moved, onward, first.map).map), 0.5 * step(second));
}

TEST(Tsne, RefusesWhatItCannotMap) {
  EXPECT_FAILS(tsne(ones({20, 3}), {.perplexity = 10}), "perplexity 10 needs.*6.3");
  EXPECT_FAILS(tsne(ones({3, 3})), "f32\\[3,3\\] must be \\[N, D\\]");
  EXPECT_FAILS(tsne(ones({20, 3}), {.perplexity = 5}, ones({19, 2})),
               "start f32\\[19,2\\] of f32\\[20,3\\]");
}

TEST(Align, UndoesARotationAReflectionAndAShift) {
  Generator generator(4);
  Tensor map = randn({50, 2}, 0, 1, DType::f64, &generator);
  double c = std::cos(2.0), s = std::sin(2.0);
  Tensor rotation = from_vector<double>({c, s, -s, c}, {2, 2});
  Tensor mirror = from_vector<double>({c, s, s, -c}, {2, 2});
  for (const Tensor& turn : {rotation, mirror}) {
    Tensor away = matmul(map, turn) + from_vector<double>({3, -7}, {2});
    EXPECT_LT(max(abs(align(away, map) - map)).item(), 1e-12);
  }
  EXPECT_FAILS(align(map, ones({50, 3}, DType::f64)), "of the same points");
}

}  // namespace
}  // namespace strata::introspect
