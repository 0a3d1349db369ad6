// E6: the solutions of theory by their own definitions, training against them, the verdict's
// thresholds one by one, and a planted lie.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "tests/support/expect.h"
#include "tools/experiments/implicit_bias.h"
#include "tools/experiments/list.h"

namespace strata::experiments {
namespace {

constexpr DType f64 = DType::f64;

struct Equations : testing::Test {
  Generator generator{7};
  Regression problem = sparse_regression(20, 60, 3, generator);
  Tensor zero = zeros({60}, f64);
  double l1(const Tensor& w) const { return sum(abs(w)).item(); }
  // A step along the solutions: orthogonal to the rows of X.
  Tensor along_solutions() {
    const Tensor any = randn({60}, 0, 1, f64, &generator);
    return any - nearest_solution({problem.x, matmul(problem.x, any), {}}, zero);
  }
};

TEST_F(Equations, NearestSolutionIsASolutionAndNearest) {
  const Tensor start = randn({60}, 0, 1, f64, &generator);
  const Tensor w = nearest_solution(problem, start);
  EXPECT_LE(relative_residual(problem, w), 1e-13);
  for (int i = 0; i < 3; ++i) {
    const Tensor step = along_solutions();
    EXPECT_LE(relative_residual(problem, w + step), 1e-12);
    EXPECT_NEAR(dot(w - start, step).item(), 0, 1e-10);
  }
}

TEST_F(Equations, SmallestL1FindsTheSparseTruth) {
  const Tensor w = smallest_l1(problem);
  EXPECT_LE(relative_distance(w, problem.truth), 1e-8);
  EXPECT_LE(l1(w), l1(nearest_solution(problem, zero)));
}

TEST_F(Equations, DiagonalLimitMinimisesQ) {
  for (double a : {1e-3, 0.1, 1.0}) {
    const Tensor w = diagonal_limit(problem, a);
    EXPECT_LE(relative_residual(problem, w), 1e-7);
    // Q' = asinh(w / 2 a^2) has no component along the solutions.
    const Tensor t = w / (2 * a * a);
    const Tensor slope = sign(t) * log(abs(t) + sqrt(square(t) + 1));
    for (int i = 0; i < 3; ++i) {
      const Tensor step = along_solutions();
      EXPECT_NEAR(dot(slope, step).item() / (norm(slope) * norm(step)).item(), 0, 1e-8) << a;
    }
  }
  EXPECT_LE(relative_distance(diagonal_limit(problem, 30), nearest_solution(problem, zero)), 1e-6);
  const double least = l1(smallest_l1(problem));
  double before = 1;
  for (double a : {1e-8, 1e-3, 1e-2, 0.1, 1.0}) {
    const double ratio = l1(diagonal_limit(problem, a)) / least;
    EXPECT_GT(ratio, before) << a;
    before = ratio;
  }
  EXPECT_LE(l1(diagonal_limit(problem, 1e-8)) / least, 1.01);
}

TEST_F(Equations, TrainingEndsAtTheLimit) {
  for (double a : {0.1, 1.0})
    EXPECT_LE(relative_distance(train_diagonal(problem, a, 0.01, 6000), diagonal_limit(problem, a)),
              0.005)
        << a;
  // A wrong scale is another solution.
  EXPECT_GE(relative_distance(train_diagonal(problem, 1, 0.01, 6000), diagonal_limit(problem, 0.1)),
            0.1);
}

TEST_F(Equations, GradientDescentKeepsTheNullSpaceOfItsStart) {
  for (const Tensor& start : {zero, randn({60}, 0, 1, f64, &generator)}) {
    const Tensor w = start.clone().set_requires_grad();
    SGD sgd(std::vector<Tensor>{w}, {.learning_rate = 0.005});
    const double end = descend(
        sgd, [&] { return sum(square(matmul(problem.x, w) - problem.y)) * 0.5; }, 5000, 1e-24);
    EXPECT_LE(end, 1e-24);
    EXPECT_LE(relative_distance(w.detach(), nearest_solution(problem, start)), 1e-8);
  }
}

TEST(HardMargin, OfThreePoints) {
  // Rows with labels multiplied in: the margin is set by (1, 1) and (1, -1), the third is far.
  const Tensor z = from_vector<double>({1, 1, 1, -1, 5, 2}, {3, 2});
  test::expect_near(test::values(hard_margin(z)), {1, 0}, 1e-9);
  EXPECT_FAILS(hard_margin(from_vector<double>({1, 1, -1, -1}, {2, 2})),
               "no direction separates the 2 points");
}

TEST(HardMargin, SlowestPull) {
  // Support vectors (1, 1) and (1, -1) with a = 1/2 each: sum a z z' = 1, eigenvalues 1 and 1.
  const Tensor direction = from_vector<double>({1, 0}, {2});
  auto pull = [&](double further) {
    return slowest_pull(from_vector<double>({1, 1, 1, -1, further, 2}, {3, 2}), direction);
  };
  EXPECT_NEAR(pull(5), 1, 1e-12);
  EXPECT_NEAR(pull(1.25), 0.25, 1e-12);  // a point 1.25 times the margin away
  // Support vectors (1, 2) and (1, -1/2), a = 1/5 and 4/5: eigenvalues 1 and 1.
  const Tensor z = from_vector<double>({1, 2, 1, -0.5}, {2, 2});
  EXPECT_NEAR(slowest_pull(z, direction), 1, 1e-12);
  // (1, 1) and (1, -1/100): diagonal(1, 1/100), for 1/101 + 100/101 / 10^4 = 1/100.
  const Tensor lopsided = from_vector<double>({1, 1, 1, -0.01}, {2, 2});
  EXPECT_NEAR(slowest_pull(lopsided, direction), 0.01, 1e-12);
}

TEST(HardMargin, AnglesFallAsOneOverLogT) {
  // Support vectors of unequal number per side: the limit is approached from outside.
  const Tensor z = from_vector<double>({1, 1, 1, 1, 1, 1, 1, -1}, {4, 2});
  const AngleCurve curve = margin_angles(z, from_vector<double>({1, 0}, {2}), 4000);
  EXPECT_GT(curve.log_time.back(), 60);
  // w2 tends to log(3) / 2, w1 to log t: exactly, 3 exp(-w1 - w2) = exp(-w1 + w2).
  const size_t end = curve.angle.size() - 1;
  const double w1 = std::log(3.0) / 2 / std::tan(curve.angle[end]);
  EXPECT_NEAR(w1 / curve.log_time[end], 1, 0.05);
}

TEST(Completion, ASmallStartGivesALowRank) {
  Generator generator(3);
  const Completion problem = completion(20, 2, 0.5, generator);
  const Tensor small = train_factors(problem, 1e-3, 0.01, 3000, generator);
  const Tensor large = train_factors(problem, 1, 0.01, 3000, generator);
  EXPECT_LE(relative_distance(small * problem.seen, problem.matrix * problem.seen), 5e-3);
  EXPECT_LE(relative_distance(large * problem.seen, problem.matrix * problem.seen), 5e-3);
  EXPECT_LE(relative_distance(small, problem.matrix), 0.1);
  EXPECT_GE(relative_distance(large, problem.matrix), 0.5);
  EXPECT_LE(effective_rank_of(small), 2.5);
  EXPECT_GE(effective_rank_of(large), 8);
  EXPECT_NEAR(effective_rank_of(eye(5, f64)), 5, 1e-12);
}

Json good_seed() {
  return Json::parse(R"({
    "margin": {"draws": 2, "log_time": [50, 100], "angle": [0.1, 0.05], "slope": -1.02, "r2": 0.99},
    "least_squares": {"from_zero": 1e-11, "from_start": 1e-11, "adam": 0.3},
    "diagonal": {"l1": [1.004, 1.043, 1.395, 1.998], "l1_predicted": [1.004, 1.043, 1.395, 1.998],
                 "to_l2": [1.4, 1.2, 0.6, 0.003], "to_limit": [0.004, 0.002, 0.002, 0.001],
                 "residual": [1e-3, 1e-4, 1e-6, 1e-9]},
    "factors": {"true_rank": 2, "rank": [2.0, 2.2, 4, 9, 14], "seen": [1e-3, 1e-3, 1e-4, 0, 0],
                "all": [0, 0, 0, 0, 0]},
    "rectifiers": {"norm": [8, 9, 10, 11], "distance": [4, 5, 6, 7],
                   "loss": [0.01, 0.01, 0.01, 0.01], "test": [0.6, 0.5, 0.4, 0.25]}})");
}

Result judged(const std::function<void(Json&)>& change = [](Json&) {}) {
  Json second = good_seed();
  change(second);
  return implicit_bias().judge({good_seed(), second}, Budget::small);
}

TEST(Judge, EachThresholdCounts) {
  EXPECT_EQ(judged().verdict, Verdict::supported) << judged().why;
  const std::vector<std::pair<const char*, std::function<void(Json&)>>> changes = {
      {"least squares from 0", [](Json& s) { s["least_squares"]["from_zero"] = 1e-7; }},
      {"least squares from w0", [](Json& s) { s["least_squares"]["from_start"] = 1e-7; }},
      {"distance to the predicted minimum", [](Json& s) { s["diagonal"]["to_limit"][2] = 0.02; }},
      {"L1 norm at a = .001", [](Json& s) { s["diagonal"]["l1"][0] = 1.1; }},
      {"L1 norm at a = 1", [](Json& s) { s["diagonal"]["l1"][3] = 1.2; }},
      {"distance to L2 at a = 1", [](Json& s) { s["diagonal"]["to_l2"][3] = 0.1; }},
      {"line through the angles", [](Json& s) { s["margin"]["r2"] = 0.9; }},
      {"slope off -1", [](Json& s) { s["margin"]["slope"] = -0.7; }},
      {"rank and scale", [](Json& s) { s["factors"]["rank"][1] = 1.9; }},
      {"distance and test accuracy", [](Json& s) { s["rectifiers"]["distance"][3] = 3; }}};
  for (const auto& [name, change] : changes) {
    const Result r = judged(change);
    EXPECT_EQ(r.verdict, Verdict::in_part) << name;
    EXPECT_NE(r.why.find(std::string("9 of 10 thresholds met; missed: ") + name), std::string::npos)
        << name << ": " << r.why;
  }
}

TEST(Judge, AControlThatFailsExcludesNothing) {
  const std::vector<std::function<void(Json&)>> changes = {
      [](Json& s) { s["diagonal"]["residual"][0] = 0.1; },
      [](Json& s) { s["factors"]["seen"][0] = nullptr; },  // not a number: training diverged
      [](Json& s) { s["rectifiers"]["loss"][3] = 0.5; },
      [](Json& s) { s["least_squares"]["adam"] = 1e-6; },
      [](Json& s) { s["rectifiers"]["test"][0] = 0.15; }};
  for (size_t i = 0; i < changes.size(); ++i)
    EXPECT_EQ(judged(changes[i]).verdict, Verdict::not_supported) << i;
}

TEST(Lies, AreCaught) {
  Context context;
  context.lie = Lie::shuffled_labels;
  EXPECT_FAILS(implicit_bias().run_seed(context), "no direction separates the 40 points");
  context.lie = Lie::moving_layers;
  EXPECT_FAILS(implicit_bias().run_seed(context), "freezes no layers");
  context.lie = Lie::untrained;
  const Json seed = implicit_bias().run_seed(context);
  const Result r = implicit_bias().judge({seed}, Budget::small);
  EXPECT_EQ(r.verdict, Verdict::not_supported) << r.why;
}

}  // namespace
}  // namespace strata::experiments
