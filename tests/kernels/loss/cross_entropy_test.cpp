// Cross entropy and its gradient on the (simulated) GPU: the two ops, and every rung in place,
// against float64.
#include "kernels/loss/rung.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using test::DeviceBuffer;

struct Case {
  int64_t rows, classes;
  double smoothing = 0;
  size_t misalign = 0;
};
constexpr int64_t ignored = -100;

template <class T>
double value_of(T x) {
  return static_cast<double>(static_cast<Compute<T>>(x));
}
// Row 1 is ignored.
std::vector<int64_t> targets(const Case& c) {
  std::vector<int64_t> target;
  for (int64_t r = 0; r < c.rows; ++r)
    target.push_back(r == 1 ? ignored : (r * 37 + 11) % c.classes);
  return target;
}
struct Oracle {
  std::vector<double> loss, dx, p;
};
template <class T>
Oracle oracle(const Case& c, const std::vector<T>& x, const std::vector<double>& gradient) {
  Oracle o{{}, std::vector<double>(x.size()), std::vector<double>(x.size())};
  const std::vector<int64_t> target = targets(c);
  const auto n = static_cast<size_t>(c.classes);
  for (size_t r = 0; r < target.size(); ++r) {
    double largest = -INFINITY, sum = 0, mean = 0;
    for (size_t i = 0; i < n; ++i) largest = std::max(largest, value_of(x[r * n + i]));
    for (size_t i = 0; i < n; ++i) sum += std::exp(value_of(x[r * n + i]) - largest);
    for (size_t i = 0; i < n; ++i)
      mean += (value_of(x[r * n + i]) - largest - std::log(sum)) / static_cast<double>(n);
    const bool counts = target[r] != ignored;
    const auto t = static_cast<size_t>(counts ? target[r] : 0);
    const double sharp = value_of(x[r * n + t]) - largest - std::log(sum);
    o.loss.push_back(counts ? -(1 - c.smoothing) * sharp - c.smoothing * mean : 0);
    for (size_t i = 0; i < n && counts; ++i) {
      const double p = std::exp(value_of(x[r * n + i]) - largest) / sum;
      o.p[r * n + i] = p;
      o.dx[r * n + i] =
          gradient[r] * (p - (i == t ? 1 - c.smoothing : 0) - c.smoothing / static_cast<double>(n));
    }
  }
  return o;
}

template <class T>
struct Check {
  using C = Compute<T>;
  Case c;
  std::vector<T> x;
  std::vector<double> gradient;
  Oracle o;
  DeviceBuffer<T> logits;
  DeviceBuffer<int64_t> target;
  DeviceBuffer<double> dev_gradient;
  DeviceBuffer<C> loss;

  Check(const Case& of, uint64_t seed)
      : c(of),
        x(test::random_values<T>(static_cast<size_t>(c.rows * c.classes), seed, -8, 8)),
        gradient(test::random_values<double>(static_cast<size_t>(c.rows), seed + 1)),
        o(oracle(c, x, gradient)),
        logits(x, c.misalign),
        target(targets(c)),
        dev_gradient(gradient),
        loss(static_cast<size_t>(c.rows)) {}
  std::string trace(const char* what) const {
    return std::string(what) + " " + name_of(dtype_of<T>()) + " [" + std::to_string(c.rows) + "," +
           std::to_string(c.classes) + "] smoothing " + std::to_string(c.smoothing) +
           " misaligned by " + std::to_string(c.misalign);
  }
  double error() const {
    const double u = std::is_same_v<T, double> ? 0x1p-53 : 0x1p-24;
    return u * (40 + 8 * std::sqrt(static_cast<double>(c.classes)));
  }
  void expect_loss() {
    test::expect_within(
        loss.host(), o.loss, [&](size_t i) { return error() * (1 + std::abs(o.loss[i])); }, "loss");
  }
  void expect_gradient(const std::vector<T>& dx) {
    test::expect_within(
        dx, o.dx,
        [&](size_t i) {
          return error() * (o.p[i] + c.smoothing / static_cast<double>(c.classes)) +
                 0x1p-22 * std::abs(o.dx[i]) * (sizeof(C) == 4) +
                 1.01 * test::unit_roundoff<T>() * std::abs(o.dx[i]) + 1e-7 * (sizeof(T) == 2) +
                 1e-9 * (sizeof(T) == 4);
        },
        "dx");
  }
  CrossEntropyInPlaceArgs in_place() {
    return {logits.data(), target.data(), loss.data(), dev_gradient.data(), 1, c.rows,
            c.classes,     c.smoothing,   ignored,     dtype_of<T>()};
  }
};

template <class T>
void check_rung(const gpu::CrossEntropyRung& rung, const Case& c, uint64_t seed) {
  Check<T> check(c, seed);
  SCOPED_TRACE(check.trace(rung.name));
  ASSERT_TRUE(rung.takes(check.in_place()));
  rung.run(check.in_place());
  check.expect_loss();
  check.expect_gradient(check.logits.host());
}

// Forward and backward apart, into a buffer of its own that lies elsewhere modulo 16 bytes.
template <class T>
void check_ops(const Case& c, uint64_t seed) {
  using C = Compute<T>;
  Check<T> check(c, seed);
  SCOPED_TRACE(check.trace("apart"));
  const auto rows = static_cast<size_t>(c.rows);
  DeviceBuffer<C> largest(rows), log_sum(rows);
  DeviceBuffer<T> dx(check.x.size(), c.misalign + 1);
  gpu::cross_entropy({check.logits.data(), check.target.data(), check.loss.data(), largest.data(),
                      log_sum.data(), c.rows, c.classes, c.smoothing, ignored, dtype_of<T>()});
  gpu::cross_entropy_gradient({check.logits.data(), check.target.data(), largest.data(),
                               log_sum.data(), check.dev_gradient.data(), 1, dx.data(), c.rows,
                               c.classes, c.smoothing, ignored, dtype_of<T>()});
  check.expect_loss();
  check.expect_gradient(dx.host());
}

template <class T>
class CrossEntropy : public ::testing::Test {};
using Types = ::testing::Types<double, float, bf16, f16>;
TYPED_TEST_SUITE(CrossEntropy, Types);

const Case cases[] = {{1, 1}, {3, 10}, {5, 10, 0.1, 1}, {2, 257}, {3, 1032, 0.2}, {2, 2011, 0, 3}};

TYPED_TEST(CrossEntropy, TheTwoOpsMatchFloat64) {
  for (const Case& c : cases) check_ops<TypeParam>(c, 61);
}
TYPED_TEST(CrossEntropy, EveryRungMatchesFloat64) {
  for (const gpu::CrossEntropyRung& rung : gpu::cross_entropy_rungs)
    for (const Case& c : cases) check_rung<TypeParam>(rung, c, 62);
}
TYPED_TEST(CrossEntropy, UnderEverySchedule) {
  test::for_each_schedule([] {
    for (const gpu::CrossEntropyRung& rung : gpu::cross_entropy_rungs)
      check_rung<TypeParam>(rung, {3, 301, 0.1, 1}, 63);
  });
}

TEST(CrossEntropyRows, AVocabularySpansBlocksAndClusters) {
  for (int64_t classes : {5000, 17000, 50257}) {
    const Case c{2, classes, classes == 17000 ? 0.1 : 0};
    Check<bf16> of(c, 64);
    check_rung<bf16>(gpu::pick_cross_entropy(of.in_place()), c, 64);
    check_rung<float>(gpu::cross_entropy_rungs[3], {1, classes, 0.1, 1}, 65);
  }
}

// 37 and 24 have no common factor: 48 rows have their targets at every one of 24 classes.
TEST(CrossEntropyRows, AnyPlaceOfAChunkMayHoldTheTarget) {
  for (const gpu::CrossEntropyRung& rung : gpu::cross_entropy_rungs)
    for (size_t misalign : {0, 3}) {
      check_rung<bf16>(rung, {48, 24, 0, misalign}, 70);
      check_rung<f16>(rung, {48, 24, 0.1, misalign}, 71);
      check_rung<float>(rung, {48, 24, 0.1, misalign}, 72);
    }
}
TEST(CrossEntropyRows, WholeChunks) {
  for (int64_t classes : {2048, 32768, 50304}) {
    Check<bf16> of({2, classes}, 73);
    check_rung<bf16>(gpu::pick_cross_entropy(of.in_place()), {2, classes}, 73);
  }
  check_rung<float>(gpu::cross_entropy_rungs[3], {2, 1024, 0.1}, 74);
}

// A block of a device that is full goes on to the next row.
TEST(CrossEntropyRows, BlocksStayForSeveralRows) {
  gpu::DeviceInfo device = gpu::h100();
  device.multiprocessors = 1;
  test::Pretend pretend(device);
  const gpu::CrossEntropyRung& cluster = gpu::cross_entropy_rungs[3];
  ASSERT_STREQ(cluster.name, "cluster");
  test::for_each_schedule(
      [&] {
        check_rung<bf16>(cluster, {19, 1033, 0.1, 3}, 67);
        check_rung<float>(cluster, {19, 1032}, 68);
        check_rung<bf16>(cluster, {5, 30003}, 69);
      },
      2);
}

TEST(CrossEntropyLauncher, PicksByShapeAndArchitecture) {
  if (!gpu::simulated()) GTEST_SKIP() << "needs a device that can be pretended";
  auto picked = [](DType dtype, int64_t classes) {
    return std::string(gpu::pick_cross_entropy(
                           {nullptr, nullptr, nullptr, nullptr, 0, 4, classes, 0, ignored, dtype})
                           .name);
  };
  EXPECT_EQ(picked(DType::f32, 10), "registers");
  EXPECT_EQ(picked(DType::bf16, 50257), "cluster");
  EXPECT_EQ(picked(DType::f32, 128000), "cluster");
  EXPECT_EQ(picked(DType::f64, 1 << 20), "online");
  test::Pretend pretend(gpu::a100());
  EXPECT_EQ(picked(DType::bf16, 50257), "cluster");
  EXPECT_EQ(picked(DType::f32, 128000), "online");
}
TEST(CrossEntropyLauncher, RunsOnADeviceWithoutClusters) {
  test::Pretend pretend(gpu::a100());
  for (int64_t classes : {20000, 45000}) {
    Check<float> of({1, classes}, 66);
    check_rung<float>(gpu::pick_cross_entropy(of.in_place()), {1, classes}, 66);
  }
}
TEST(CrossEntropyLauncher, EmptyArraysAreFine) {
  gpu::cross_entropy({});
  gpu::cross_entropy_gradient({});
  gpu::cross_entropy_in_place({});
  gpu::synchronize(nullptr);
}

// What the CPU makes of infinities, NaN and large logits, every rung makes too.
TEST(CrossEntropyRows, SpecialValuesAsTheCpu) {
  const size_t n = 300;
  std::vector<float> x = test::random_values<float>(6 * n, 67);
  for (size_t i = 0; i < n; ++i) x[i] = -INFINITY;
  x[n + 299] = NAN;
  x[2 * n + 17] = INFINITY;
  for (size_t i = 1; i < n; ++i) x[3 * n + i] = -INFINITY;
  for (size_t i = 0; i < n; ++i) x[4 * n + i] += 1e6f;
  x[5 * n + 250] = -INFINITY;
  const std::vector<int64_t> target = {3, 4, 5, 0, 7, 250};
  const std::vector<double> gradient(6, 1);
  for (double smoothing : {0.0, 0.1}) {
    std::vector<float> loss(6), dx = x;
    cpu::cross_entropy_in_place({dx.data(), target.data(), loss.data(), gradient.data(), 1, 6, 300,
                                 smoothing, ignored, DType::f32});
    const std::vector<double> wanted(loss.begin(), loss.end()), wanted_dx(dx.begin(), dx.end());
    for (const gpu::CrossEntropyRung& rung : gpu::cross_entropy_rungs) {
      SCOPED_TRACE(rung.name);
      DeviceBuffer<float> logits(x), dev_loss(6);
      DeviceBuffer<int64_t> dev_target(target);
      DeviceBuffer<double> dev_gradient(gradient);
      rung.run({logits.data(), dev_target.data(), dev_loss.data(), dev_gradient.data(), 1, 6, 300,
                smoothing, ignored, DType::f32});
      test::expect_within(
          dev_loss.host(), wanted, [&](size_t i) { return 1e-5 * std::abs(wanted[i]) + 1e-5; },
          "loss");
      test::expect_within(
          logits.host(), wanted_dx, [](size_t) { return 1e-5; }, "dx");
    }
  }
}

TEST(CrossEntropyRows, EqualBitsRunToRun) {
  for (const gpu::CrossEntropyRung& rung : gpu::cross_entropy_rungs) {
    std::vector<std::vector<bf16>> results;
    test::for_each_schedule(
        [&] {
          Check<bf16> check({3, 1999, 0.1}, 68);
          rung.run(check.in_place());
          results.push_back(check.logits.host());
        },
        2);
    for (size_t run = 1; run < results.size(); ++run)
      test::expect_same_bits(results[0], results[run], rung.name);
  }
}

}  // namespace
}  // namespace strata
