// gpu::gemm: which rung it picks on which device, that what it picks is right, what it refuses; and
// the epilogues of the CPU twin.
#include "kernels/gemm/rung.h"
#include "tests/kernels/gemm/problem.h"

namespace strata::test {
namespace {

using Axis = Layout::Axis;

std::string choice(DType dtype, int64_t M, int64_t N, int64_t K, bool tf32 = false,
                   int64_t pad = 0) {
  GemmArguments g;  // the choice reads no memory
  g.dtype = dtype, g.M = M, g.N = N, g.K = K, g.allow_tf32 = tf32;
  g.a_row = K + pad, g.a_column = 1, g.b_row = 1, g.b_column = K + pad;
  return gpu::gemm_choice(simplify(g)).name;
}

TEST(GemmChoice, OnAnA100) {
  SKIP_ON_A_GPU();
  Pretend pretend(gpu::a100());
  EXPECT_EQ(choice(DType::bf16, 4, 4096, 4096), "skinny");
  EXPECT_EQ(choice(DType::bf16, 4096, 1, 4096), "skinny");
  EXPECT_EQ(choice(DType::f16, 64, 256, 8192), "split_k");
  EXPECT_EQ(choice(DType::f32, 128, 128, 4096), "split_k");
  EXPECT_EQ(choice(DType::bf16, 8192, 8192, 8192), "09_pipelined");
  EXPECT_EQ(choice(DType::f32, 8192, 8192, 8192, true), "09_pipelined");
  EXPECT_EQ(choice(DType::bf16, 2048, 2048, 2048), "stream_k");  // 256 tiles, 216 at a time
  EXPECT_EQ(choice(DType::f32, 2048, 2048, 2048), "stream_k");
  EXPECT_EQ(choice(DType::bf16, 4096, 4096, 4095), "08_tensor_core");
  EXPECT_EQ(choice(DType::f32, 4096, 4096, 256), "07_warp_tile");
  EXPECT_EQ(choice(DType::f64, 4096, 4096, 4096), "05_register_tile_2d");
  EXPECT_EQ(choice(DType::i64, 1, 64, 64), "05_register_tile_2d");
}

TEST(GemmChoice, OnAnRtx4090) {
  SKIP_ON_A_GPU();
  Pretend pretend(gpu::rtx4090());
  EXPECT_EQ(choice(DType::bf16, 8192, 8192, 8192), "09_pipelined");
  EXPECT_EQ(choice(DType::bf16, 8192, 8192, 8192, false, 1), "08_tensor_core");
  EXPECT_EQ(choice(DType::f32, 1, 4096, 4096), "skinny");
}

TEST(GemmChoice, OnAnH100) {
  Pretend pretend(gpu::h100());
  EXPECT_EQ(choice(DType::bf16, 8192, 8192, 8192)[0], '1');  // one of Hopper's rungs
  EXPECT_EQ(choice(DType::bf16, 8192, 8192, 8192, false, 1), "20_repacked");
  EXPECT_EQ(choice(DType::f32, 8192, 8192, 8192, true, 1), "20_repacked");
  EXPECT_EQ(choice(DType::bf16, 128, 128, 128, false, 1), "08_tensor_core");
  EXPECT_EQ(choice(DType::bf16, 8, 8192, 8192), "19_hopper_skinny");
  EXPECT_EQ(choice(DType::bf16, 1, 8192, 8192), "skinny");
  EXPECT_EQ(choice(DType::bf16, 8, 8192, 8192, false, 1), "skinny");
  EXPECT_EQ(choice(DType::i32, 4096, 4096, 4096), "05_register_tile_2d");
}

TEST(GemmChoice, BeforeTensorCores) {
  SKIP_ON_A_GPU();
  gpu::DeviceInfo device = gpu::a100();
  device.arch = 75;
  Pretend pretend(device);
  EXPECT_EQ(choice(DType::bf16, 256, 256, 256), "05_register_tile_2d");
}

TEST(GemmLauncher, ComputesWhatItPicksOnEveryDevice) {
  gpu::DeviceInfo tiny = gpu::a100();
  tiny.multiprocessors = 2;
  for (const gpu::DeviceInfo& device : {gpu::a100(), gpu::rtx4090(), gpu::h100(), tiny}) {
    SCOPED_TRACE(device.name);
    Pretend pretend(device);
    auto run = []<class T>(Type<T>, const ProblemOptions& o) {
      SCOPED_TRACE(to_string(o));
      Problem<T> problem(o);
      gpu::gemm(problem.arguments());
      problem.check();
    };
    for (Axis b : {Axis::columns, Axis::rows}) {
      run(Type<float>{}, {.M = 70, .N = 50, .K = 30, .b = {b}, .bias = true});
      run(Type<float>{}, {.M = 72, .N = 48, .K = 520, .b = {b}, .tf32 = true});
      run(Type<bf16>{}, {.M = 72, .N = 136, .K = 64, .b = {b}, .activation = Activation::gelu});
      run(Type<bf16>{}, {.M = 72, .N = 135, .K = 63, .b = {b}, .residual = true});
      run(Type<f16>{}, {.M = 2, .N = 48, .K = 64, .batch = {3}, .b = {b}, .accumulate = true});
      run(Type<double>{}, {.M = 33, .N = 18, .K = 20, .batch = {2, 2}, .share_b = true, .b = {b}});
      run(Type<int64_t>{}, {.M = 5, .N = 18, .K = 20, .b = {b}, .bias = true});
    }
  }
}

TEST(GemmLauncher, StreamsOnAFewMultiprocessors) {
  SKIP_ON_A_GPU();
  gpu::DeviceInfo device = gpu::a100();
  device.multiprocessors = 2;  // 4 blocks at a time, 6 tiles
  Pretend pretend(device);
  Problem<bf16> problem(ProblemOptions{.M = 256, .N = 384, .K = 512, .bias = true});
  ASSERT_STREQ(gpu::gemm_choice(problem.arguments()).name, "stream_k");
  gpu::gemm(problem.arguments());
  problem.check();
}

TEST(GemmLauncher, LeavesEmptyProductsAlone) {
  for (auto [M, N, K] : {std::tuple{0, 5, 5}, {5, 0, 5}, {0, 0, 0}}) {
    Problem<float> problem({.M = M, .N = N, .K = K});
    gpu::gemm(problem.arguments());
    EXPECT_TRUE(problem.result().empty());
  }
  Problem<float> no_batch({.M = 2, .N = 2, .K = 2, .batch = {0}});
  gpu::gemm(no_batch.arguments());
  Problem<float> no_sum({.M = 3, .N = 4, .K = 0, .bias = true});
  gpu::gemm(no_sum.arguments());
  no_sum.check();
}

// The message of the error that `body` throws.
std::string error_of(const std::function<void()>& body) {
  try {
    body();
  } catch (const gpu::Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(GemmLauncher, SaysWhatItDoesNotDo) {
  GemmArguments g;
  g.M = g.N = g.K = 2, g.a_row = g.b_row = 2, g.a_column = g.b_column = 1;
  g.dtype = DType::u8;
  EXPECT_NE(error_of([&] { gpu::gemm(g); }).find("no product of u8"), std::string::npos);
  g.dtype = DType::i32;
  g.epilogue.activation = Activation::relu;
  EXPECT_NE(error_of([&] { gpu::gemm(g); }).find("an activation of i32"), std::string::npos);
  g.dtype = DType::f32;
  g.epilogue.gradient = true;
  EXPECT_NE(error_of([&] { gpu::gemm(g); }).find("preactivation"), std::string::npos);
  g.epilogue = {};
  g.N = int64_t{1} << 31;
  EXPECT_NE(error_of([&] { gpu::gemm(g); }).find("below 2^31"), std::string::npos);
  EXPECT_NE(error_of([&] { gpu::gemm_rung("08_wmma"); }).find("01_naive, 02_coalesced"),
            std::string::npos);
}

// The CPU twin computes the same epilogues.
TEST(GemmTwin, HasTheSameEpilogues) {
  auto run = []<class T>(Type<T>, const ProblemOptions& o, double bound) {
    SCOPED_TRACE(to_string(o));
    Problem<T> problem(o);
    gpu::gemm(problem.arguments());
    GemmArguments g = problem.arguments();
    std::vector<T> c = problem.c, preactivation = problem.preactivation;
    g.a = problem.a.data(), g.b = problem.b.data(), g.c = c.data();
    if (o.bias) g.epilogue.bias = problem.bias.data();
    if (o.residual) g.epilogue.residual = problem.residual.data();
    if (o.accumulate) g.epilogue.residual = c.data();
    if (g.epilogue.preactivation) g.epilogue.preactivation = preactivation.data();
    cpu::gemm(g);
    const std::vector<T> device = problem.result();
    const std::vector<double> expected(device.begin(), device.end());
    expect_within<T>(c, expected, [&](size_t) { return bound; });
  };
  for (Activation activation :
       {Activation::none, Activation::relu, Activation::gelu, Activation::gelu_tanh})
    for (bool gradient : {false, true}) {
      const ProblemOptions o = {.M = 20,
                                .N = 30,
                                .K = 40,
                                .alpha = 0.5,
                                .beta = 2,
                                .activation = activation,
                                .gradient = gradient,
                                .bias = true,
                                .residual = true,
                                .preactivation = true};
      run(Type<float>{}, o, 2e-5);
      run(Type<double>{}, o, 1e-13);
    }
  run(Type<float>{}, {.M = 20, .N = 30, .K = 40, .accumulate = true}, 2e-5);
  run(Type<int32_t>{}, {.M = 20, .N = 30, .K = 40, .alpha = -2, .bias = true, .accumulate = true},
      0);
  GemmArguments g;
  g.dtype = DType::bf16, g.M = g.N = g.K = 1;
  EXPECT_THROW(cpu::gemm(g), std::invalid_argument);
}

}  // namespace
}  // namespace strata::test
