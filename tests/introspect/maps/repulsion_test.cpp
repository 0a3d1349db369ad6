// The three ways to the repulsion of t-SNE, and the transform that one of them stands on.
#include "tools/introspect/maps/repulsion.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <numeric>

#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tests/support/expect.h"
#include "tools/introspect/maps/fft2.h"

namespace strata::introspect {
namespace {

std::vector<double> uniform_map(int64_t n, double side) {
  Generator generator(1);
  return rand({n, 2}, -side / 2, side / 2, DType::f64, &generator).to_vector<double>();
}

double relative_error(const Repulsion& got, const Repulsion& want) {
  double off = 0, all = 0;
  for (size_t i = 0; i < want.force.size(); ++i) {
    off += std::pow(got.force[i] - want.force[i], 2);
    all += std::pow(want.force[i], 2);
  }
  return std::sqrt(off / all);
}

double sum_of(const std::vector<double>& force, size_t axis) {
  double total = 0;
  for (size_t i = axis; i < force.size(); i += 2) total += force[i];
  return total;
}

TEST(Fft2, IsTheDefinitionAndComesBack) {
  using Complex = Fft2::Complex;
  const int64_t m = 12, used = 5;
  Generator generator(7);
  auto values = randn({used * m * 2}, 0, 1, DType::f64, &generator).to_vector<double>();
  std::vector<Complex> in, out(m * m), back(used * m);
  for (size_t i = 0; i < values.size(); i += 2) in.emplace_back(values[i], values[i + 1]);
  Fft2(m).forward(in.data(), used, out.data());
  for (int64_t r : {0, 1, 7}) {
    for (int64_t c : {0, 3, 11}) {
      Complex want = 0;
      for (int64_t i = 0; i < used; ++i) {
        for (int64_t j = 0; j < m; ++j) {
          double turns = static_cast<double>(i * r + j * c) / m;
          want +=
              in[static_cast<size_t>(i * m + j)] * std::polar(1.0, -2 * std::numbers::pi * turns);
        }
      }
      EXPECT_NEAR(std::abs(out[static_cast<size_t>(c * m + r)] - want), 0, 1e-12);
    }
  }
  Fft2(m).inverse(out.data(), used, back.data());
  for (size_t i = 0; i < in.size(); ++i) {
    EXPECT_NEAR(std::abs(back[i] / double{m * m} - in[i]), 0, 1e-13);
  }
  EXPECT_EQ(fast_fft_size(7), 8);
  EXPECT_EQ(fast_fft_size(601), 640);
}

TEST(Repulsion, OfTwoPointsIsTheFormula) {
  Repulsion r = exact_repulsion({0, 0, 3, 4});
  test::expect_near(r.force, {-3.0 / 676, -4.0 / 676, 3.0 / 676, 4.0 / 676}, 1e-15);
  EXPECT_NEAR(r.z, 2.0 / 26, 1e-15);
}

TEST(Repulsion, OfTheTreeIsExactAtThetaZeroAndNearsItBefore) {
  auto y = uniform_map(1500, 40);
  Repulsion exact = exact_repulsion(y);
  Repulsion zero = tree_repulsion(y, 0);
  EXPECT_LT(relative_error(zero, exact), 1e-13);
  EXPECT_NEAR(zero.z, exact.z, 1e-12 * exact.z);
  double coarse = relative_error(tree_repulsion(y, 0.5), exact);
  double fine = relative_error(tree_repulsion(y, 0.2), exact);
  EXPECT_LT(coarse, 0.03);
  EXPECT_LT(fine, coarse / 5);
  EXPECT_GT(fine, 0);  // it did approximate
  EXPECT_FAILS(tree_repulsion(y, 0.9), "theta = 0.9: needs 0 \\(exact\\) to 0.7");
}

TEST(Repulsion, OfTheTreeBearsDuplicates) {
  auto y = uniform_map(300, 10);
  for (size_t i = 0; i < 200; ++i) y[2 * i] = y[2 * i + 1] = 1;  // a hundred points in one place
  Repulsion exact = exact_repulsion(y);
  EXPECT_LT(relative_error(tree_repulsion(y, 0), exact), 1e-13);
  EXPECT_LT(relative_error(tree_repulsion(y, 0.5), exact), 0.03);
  std::vector<double> one_place(200, 3.0);
  Repulsion none = tree_repulsion(one_place, 0.5);
  EXPECT_NEAR(none.z, 100 * 99, 1e-9);
  for (double f : none.force) EXPECT_EQ(f, 0);
}

TEST(Repulsion, OfTheGridNearsTheExactWithNodesAndSpacing) {
  auto y = uniform_map(1500, 30);
  Repulsion exact = exact_repulsion(y);
  double last = 1;
  for (int nodes : {2, 3, 4, 6, 8}) {
    double error = relative_error(GridRepulsion(nodes, 0.25)(y), exact);
    EXPECT_LT(error, last) << nodes << " nodes";
    last = error;
  }
  EXPECT_LT(last, 2e-4);
  last = 1;
  auto wide = uniform_map(1500, 90);
  Repulsion exact_wide = exact_repulsion(wide);
  for (double spacing : {1.0, 0.5, 0.25}) {
    double error = relative_error(GridRepulsion(4, spacing)(wide), exact_wide);
    EXPECT_LT(error, last / 3) << "spacing " << spacing;
    last = error;
  }
  Repulsion grid = GridRepulsion(6, 0.25)(y);
  EXPECT_LT(relative_error(grid, exact), 1e-3);
  EXPECT_NEAR(grid.z, exact.z, 1e-5 * exact.z);
  EXPECT_LT(relative_error(GridRepulsion()(y), exact), 0.05);  // what descent makes do with
  EXPECT_FAILS(GridRepulsion(1, 0.5), "1 nodes.*2 to 8");
}

// The start of a map is four orders of magnitude smaller than its end.
TEST(Repulsion, OfTheGridFollowsTheSizeOfTheMap) {
  GridRepulsion grid(4, 0.5);
  for (double side : {1e-4, 1.0, 25.0, 1e-4}) {
    auto y = uniform_map(400, side);
    EXPECT_LT(relative_error(grid(y), exact_repulsion(y)), 0.05) << side;
  }
  Repulsion none = grid(std::vector<double>(20, 1.0));
  for (double f : none.force) EXPECT_NEAR(f, 0, 1e-12);
}

TEST(Repulsion, SumsToZeroExceptByTheTree) {
  auto y = uniform_map(900, 25);
  for (size_t axis : {0u, 1u}) {
    EXPECT_NEAR(sum_of(exact_repulsion(y).force, axis), 0, 1e-10);
    EXPECT_NEAR(sum_of(GridRepulsion()(y).force, axis), 0, 1e-10);
    EXPECT_NEAR(sum_of(tree_repulsion(y, 0).force, axis), 0, 1e-10);
  }
}

TEST(Repulsion, IsTheSameForAnyThreadCount) {
  auto y = uniform_map(2000, 30);
  int before = thread_count();
  std::vector<std::vector<double>> seen;
  for (int threads : {1, 2, 8}) {
    set_thread_count(threads);
    Repulsion exact = exact_repulsion(y), tree = tree_repulsion(y, 0.5), grid = GridRepulsion()(y);
    std::vector<double> all{exact.z, tree.z, grid.z};
    for (const Repulsion* r : {&exact, &tree, &grid}) {
      all.insert(all.end(), r->force.begin(), r->force.end());
    }
    seen.push_back(all);
  }
  set_thread_count(before);
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[0], seen[2]);
}

}  // namespace
}  // namespace strata::introspect
