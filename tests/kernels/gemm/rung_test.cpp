// Every rung of the ladder below Hopper against float64, over layouts, ragged sizes, batches and
// epilogues.
#include "kernels/gemm/rung.h"

#include "tests/kernels/gemm/problem.h"

namespace strata::test {
namespace {

using Axis = Layout::Axis;

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

template <class T>
int run_shapes(const gpu::GemmRung& rung) {
  int taken = 0;
  for (Axis a : {Axis::columns, Axis::rows, Axis::neither})
    for (Axis b : {Axis::columns, Axis::rows, Axis::neither}) {
      taken += run_and_check<T>(rung, {.M = 40, .N = 72, .K = 24, .a = {a}, .b = {b}});
      taken += run_and_check<T>(rung, {.M = 133, .N = 131, .K = 37, .a = {a}, .b = {b}});
      taken += run_and_check<T>(
          rung, {.M = 70, .N = 67, .K = 45, .a = {a, a == Axis::rows ? 2 : 3}, .b = {b, 3}});
    }
  return taken;
}

class Rungs : public ::testing::TestWithParam<gpu::GemmRung> {};

TEST_P(Rungs, EqualFloat64) {
  const gpu::GemmRung& rung = GetParam();
  int taken = run_shapes<float>(rung) + run_shapes<bf16>(rung) + run_shapes<f16>(rung) +
              run_shapes<double>(rung) + run_shapes<int32_t>(rung) + run_shapes<int64_t>(rung);
  EXPECT_GE(taken, 4);
}

INSTANTIATE_TEST_SUITE_P(Gemm, Rungs,
                         ::testing::ValuesIn(gpu::gemm_rungs().begin(), gpu::gemm_rungs().end()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace strata::test
