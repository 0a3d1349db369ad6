// Every rung of the ladder below Hopper against float64, over layouts, ragged sizes, batches and
// epilogues.
#include "kernels/gemm/rung.h"

#include <algorithm>

#include "kernels/gemm/hopper.h"
#include "tests/kernels/gemm/problem.h"

namespace strata::test {
namespace {

using Axis = Layout::Axis;

// The rungs before Hopper's, which have tests of their own.
std::vector<gpu::GemmRung> rungs() {
  const auto all = gpu::gemm_rungs();
  std::vector<gpu::GemmRung> ours;
  for (const gpu::GemmRung& rung : all)
    if (std::ranges::none_of(gpu::hopper_gemm_rungs(),
                             [&](const gpu::GemmRung& other) { return other.run == rung.run; }))
      ours.push_back(rung);
  return ours;
}

// Runs the rung on the problem and checks it; false: the rung does not take it.
template <class T>
bool run_and_check(const gpu::GemmRung& rung, const ProblemOptions& options) {
  SCOPED_TRACE(std::string(rung.name) + " " + name_of(dtype_of<T>()) + " " + to_string(options));
  Problem<T> problem(options);
  if (!rung.supports(problem.arguments())) return false;
  rung.run(problem.arguments());
  problem.check();
  return true;
}
// In all types, f32 also as tf32; returns how many the rung takes.
int run_types(const gpu::GemmRung& rung, ProblemOptions options) {
  int taken = run_and_check<float>(rung, options) + run_and_check<bf16>(rung, options) +
              run_and_check<f16>(rung, options) + run_and_check<double>(rung, options);
  if (options.activation == Activation::none && !options.preactivation && !options.gradient)
    taken += run_and_check<int32_t>(rung, options) + run_and_check<int64_t>(rung, options);
  options.tf32 = true;
  return taken + run_and_check<float>(rung, options);
}

// A shape that the rung takes whatever the layout: few rows for the skinny one.
ProblemOptions small(const gpu::GemmRung& rung) {
  const bool skinny = std::string(rung.name) == "skinny";
  return {.M = skinny ? 5 : 40, .N = 72, .K = 48};
}

class Rungs : public ::testing::TestWithParam<gpu::GemmRung> {};

TEST_P(Rungs, EqualFloat64InEveryLayout) {
  const gpu::GemmRung& rung = GetParam();
  ProblemOptions o = small(rung);
  int taken = 0;
  for (Axis a : {Axis::columns, Axis::rows, Axis::neither})
    for (Axis b : {Axis::columns, Axis::rows, Axis::neither}) {
      o.a = {a}, o.b = {b};
      taken += run_types(rung, o);
    }
  EXPECT_GE(taken, 4);
}

TEST_P(Rungs, EqualFloat64WithRaggedSizes) {
  const gpu::GemmRung& rung = GetParam();
  for (Axis a : {Axis::columns, Axis::rows})
    for (Axis b : {Axis::columns, Axis::rows}) {
      // Lines of 8 n + 3 or + 5 elements, then lines padded to whole vectors.
      run_types(rung, {.M = 133, .N = 67, .K = 45, .a = {a}, .b = {b}});
      run_types(rung,
                {.M = 67, .N = 133, .K = 45, .a = {a, a == Axis::columns ? 3 : 5}, .b = {b, 3}});
      run_types(rung,
                {.M = 3, .N = 133, .K = 300, .a = {a, a == Axis::columns ? 4 : 5}, .b = {b, 3}});
      run_types(rung, {.M = 70, .N = 7, .K = 300, .a = {a}, .b = {b}});
    }
  run_types(rung, {.M = 1, .N = 1, .K = 1});
  run_types(rung, {.M = 1, .N = 200, .K = 1});
  run_types(rung, {.M = 200, .N = 1, .K = 3});
}

// With one multiprocessor every product is large, and with many K is cut.
TEST_P(Rungs, EqualFloat64OnDevicesOfAnySize) {
  const gpu::GemmRung& rung = GetParam();
  for (int multiprocessors : {1, 3, 132}) {
    gpu::DeviceInfo device = gpu::a100();
    device.multiprocessors = multiprocessors;
    Pretend pretend(device);
    for (Axis a : {Axis::columns, Axis::rows})
      for (Axis b : {Axis::columns, Axis::rows}) {
        const ProblemOptions o = {.M = 136, .N = 264, .K = 136, .a = {a}, .b = {b}, .bias = true};
        run_and_check<float>(rung, o);
        run_and_check<bf16>(rung, o);
      }
    for (Axis b : {Axis::columns, Axis::rows}) {
      ProblemOptions deep = {.M = 8, .N = 40, .K = 2056, .b = {b}};
      run_and_check<f16>(rung, deep);
      deep.tf32 = true;
      run_and_check<float>(rung, deep);
    }
  }
}

TEST_P(Rungs, AreExactOnSmallIntegers) {
  const gpu::GemmRung& rung = GetParam();
  ProblemOptions o = small(rung);
  o.exact = o.bias = o.residual = true;
  o.alpha = 2, o.beta = -1;
  EXPECT_GE(run_types(rung, o), 1);
  o.M = std::min<int64_t>(o.M, 70), o.N = 131, o.K = 37;
  run_types(rung, o);
}

TEST_P(Rungs, WalkBatches) {
  const gpu::GemmRung& rung = GetParam();
  ProblemOptions o = small(rung);
  o.M = std::min<int64_t>(o.M, 24), o.N = 24, o.K = 16, o.bias = o.residual = true;
  o.batch = {2, 3};
  EXPECT_GE(run_types(rung, o), 1);
  o.share_a = true;
  run_types(rung, o);
  o.share_a = false, o.share_b = true, o.a = {Axis::rows, 8};
  run_types(rung, o);
  o.batch = {2, 1, 2, 1, 1, 2};
  run_types(rung, o);
}

TEST_P(Rungs, ApplyEpilogues) {
  const gpu::GemmRung& rung = GetParam();
  for (int64_t N : {72, 29}) {
    ProblemOptions plain = small(rung);
    plain.N = N, plain.K = 24;
    auto run = [&](auto change) {
      ProblemOptions o = plain;
      change(o);
      EXPECT_GE(run_types(rung, o), N == 72 ? 1 : 0);
    };
    run([](auto& o) { o.alpha = -3, o.bias = true; });
    run([](auto& o) { o.accumulate = true; });
    run([](auto& o) { o.residual = true, o.beta = -2; });
    for (Activation activation : {Activation::relu, Activation::gelu, Activation::gelu_tanh}) {
      run([&](auto& o) { o.activation = activation, o.bias = o.preactivation = true; });
      run([&](auto& o) { o.activation = activation, o.residual = true; });
      run([&](auto& o) { o.activation = activation, o.gradient = true, o.alpha = 1.5; });
    }
  }
}

TEST_P(Rungs, TakeAnyAddressOrRefuse) {
  const gpu::GemmRung& rung = GetParam();
  ProblemOptions o = small(rung);
  o.bias = true;
  for (int operand = 0; operand < 3; ++operand) {
    ProblemOptions shifted = o;
    (operand == 0   ? shifted.a.misalign
     : operand == 1 ? shifted.b.misalign
                    : shifted.c_misalign) = 1;
    run_types(rung, shifted);
  }
}

TEST_P(Rungs, GiveTheEpilogueOfZeroForNoK) {
  const gpu::GemmRung& rung = GetParam();
  ProblemOptions o = small(rung);
  o.K = 0, o.bias = o.residual = true;
  run_types(rung, o);
}

TEST_P(Rungs, CarryNaNAndInfinity) {
  const gpu::GemmRung& rung = GetParam();
  ProblemOptions o = small(rung);
  o.N = 69;
  for (bool tf32 : {false, true}) {
    o.tf32 = tf32;
    Problem<float> problem(o);
    if (!rung.supports(problem.arguments())) continue;
    problem.a[3] = NAN;
    problem.b[69 * 7 + 5] = INFINITY;
    problem.a[static_cast<size_t>(2 * o.K + 9)] = -INFINITY;
    problem.upload();
    rung.run(problem.arguments());
    problem.check();
    const std::vector<float> c = problem.result();
    EXPECT_TRUE(std::isnan(c[0]) && std::isinf(c[69 + 5]) && std::isinf(c[2 * 69]));
    EXPECT_TRUE(std::isfinite(c[69 + 4]));
  }
}

// The same bits whatever the order in which threads and blocks run.
TEST_P(Rungs, GiveTheSameBitsUnderEverySchedule) {
  const gpu::GemmRung& rung = GetParam();
  gpu::DeviceInfo device = gpu::h100();
  device.multiprocessors = 3;
  Pretend pretend(device);
  ProblemOptions o = small(rung);
  o.bias = true, o.K = 40, o.activation = Activation::relu;
  if (std::string(rung.name) == "split_k" || std::string(rung.name) == "stream_k") o.K = 520;
  auto run = [&]<class T>(Type<T>, bool tf32) {
    o.tf32 = tf32;
    std::vector<T> first;
    for_each_schedule([&] {
      Problem<T> problem(o);
      if (!rung.supports(problem.arguments())) return;
      rung.run(problem.arguments());
      problem.check();
      if (first.empty()) first = problem.result();
      expect_same_bits(first, problem.result());
    });
  };
  run(Type<float>{}, false);
  run(Type<float>{}, true);
  run(Type<bf16>{}, false);
}

INSTANTIATE_TEST_SUITE_P(Gemm, Rungs, ::testing::ValuesIn(rungs()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace strata::test
