// Products of operands that the copy engine cannot read: 20_repacked against float64, in any
// layout.
#include "kernels/gemm/hopper.h"
#include "tests/kernels/gemm/problem.h"
#include "tests/kernels/gemm_hopper/hopper_product.h"

namespace strata::test {
namespace {

using Axis = Layout::Axis;
using HopperRepacked = OnHopper;

template <class T>
void run_and_check(const ProblemOptions& options) {
  SCOPED_TRACE(std::string(name_of(dtype_of<T>())) + " " + to_string(options));
  Problem<T> problem(options);
  ASSERT_TRUE(gpu::gemm_ladder::repacked.supports(problem.arguments()));
  gpu::gemm_ladder::repacked.run(problem.arguments());
  problem.check();
}

TEST_F(HopperRepacked, EqualsFloat64InEveryLayout) {
  gpu::DeviceInfo device = gpu::h100();
  device.multiprocessors = 4;
  Pretend pretend(device);
  for (Axis a : {Axis::columns, Axis::rows, Axis::neither})
    for (Axis b : {Axis::columns, Axis::rows, Axis::neither}) {
      ProblemOptions o{.M = 133, .N = 67, .K = 45, .a = {a}, .b = {b}, .bias = true};
      run_and_check<bf16>(o);
      run_and_check<f16>(o);
      o.tf32 = true, o.N = 68;  // its C goes by the copy engine
      run_and_check<float>(o);
    }
}

// One operand fits; addresses that do not; batches, and one matrix for all of a batch.
TEST_F(HopperRepacked, CopiesWhatDoesNotFit) {
  run_and_check<bf16>({.M = 72, .N = 40, .K = 64, .a = {Axis::columns, 3}, .exact = true});
  run_and_check<bf16>({.M = 72, .N = 40, .K = 64, .b = {Axis::rows, 5}, .exact = true});
  run_and_check<f16>({.M = 72, .N = 40, .K = 64, .a = {Axis::columns, 0, 1}, .exact = true});
  run_and_check<f16>({.M = 70, .N = 41, .K = 9, .batch = {3}, .residual = true});
  run_and_check<bf16>({.M = 70, .N = 48, .K = 9, .batch = {3}, .share_a = true, .exact = true});
  run_and_check<bf16>(
      {.M = 70, .N = 48, .K = 9, .batch = {3}, .share_b = true, .activation = Activation::gelu});
}

TEST_F(HopperRepacked, IsExactUnderEverySchedule) {
  for_each_schedule([] {
    run_and_check<bf16>({.M = 137, .N = 265, .K = 201, .a = {Axis::rows}, .exact = true});
  });
}

TEST_F(HopperRepacked, TakesOnlyWhatMustBeCopied) {
  Problem<bf16> fits({.M = 72, .N = 40, .K = 64});
  EXPECT_FALSE(gpu::gemm_ladder::repacked.supports(fits.arguments()));
  Problem<float> plain({.M = 72, .N = 40, .K = 63});
  EXPECT_FALSE(gpu::gemm_ladder::repacked.supports(plain.arguments())) << "f32 without tf32";
  Problem<bf16> two_axes({.M = 72, .N = 40, .K = 63, .batch = {2, 3}, .share_a = true});
  EXPECT_FALSE(gpu::gemm_ladder::repacked.supports(two_axes.arguments())) << "they do not merge";
}

}  // namespace
}  // namespace strata::test
