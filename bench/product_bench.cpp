// Products and convolutions, forward and backward, at the shapes of the networks that the project
// trains. Counters: GFLOP/s (2 operations a multiply-add), and for the row times matrix product the
// bytes a second, which is what bounds it.
//
//   cmake --build build/default --target product_bench
//   build/default/bench/product_bench --benchmark_filter=Conv
#include <benchmark/benchmark.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"

namespace strata {
namespace {

Tensor values(const Dims& shape) {
  Generator generator(1);
  return rand(shape, -1, 1, DType::f32, &generator);
}

void set_rate(benchmark::State& state, double operations) {
  state.counters["GFLOP/s"] = benchmark::Counter(
      operations * 1e-9 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

// a [M, K] x b [K, N]; `layout` 0: as they are, 1: b transposed, 2: a transposed.
void Matmul(benchmark::State& state) {
  NoGrad off;
  int64_t M = state.range(0), K = state.range(1), N = state.range(2), layout = state.range(3);
  Tensor a = layout == 2 ? values({K, M}).transpose(0, 1) : values({M, K});
  Tensor b = layout == 1 ? values({N, K}).transpose(0, 1) : values({K, N});
  for (auto _ : state) benchmark::DoNotOptimize(matmul(a, b));
  set_rate(state, 2.0 * static_cast<double>(M * K * N));
  state.SetBytesProcessed(state.iterations() * (M * K + K * N + M * N) * 4);
}
BENCHMARK(Matmul)
    ->ArgNames({"M", "K", "N", "layout"})
    ->Args({8, 8, 8, 0})
    ->Args({16, 16, 16, 0})
    ->Args({32, 32, 32, 0})
    ->Args({64, 64, 64, 0})
    ->Args({256, 256, 256, 0})
    ->Args({512, 512, 512, 0})
    ->Args({1024, 1024, 1024, 0})
    ->Args({2048, 2048, 2048, 0})
    ->Args({2048, 192, 768, 0})
    ->Args({2048, 192, 768, 1})
    ->Args({2048, 192, 768, 2})
    ->Args({4096, 64, 64, 0})
    ->Args({64, 4096, 64, 0})
    ->Args({1, 4096, 4096, 0})
    ->Args({1, 4096, 4096, 1})
    ->Args({8, 1024, 1024, 1})
    ->Args({32, 1024, 1024, 0})
    ->UseRealTime();

void MatmulF64(benchmark::State& state) {
  NoGrad off;
  int64_t n = state.range(0);
  Tensor a = values({n, n}).to(DType::f64), b = values({n, n}).to(DType::f64);
  for (auto _ : state) benchmark::DoNotOptimize(matmul(a, b));
  set_rate(state, 2.0 * static_cast<double>(n * n * n));
}
BENCHMARK(MatmulF64)->Arg(64)->Arg(256)->Arg(1024)->UseRealTime();

// The scores of attention as one batched product of strided views: [N, T, heads, D].
void MatmulHeads(benchmark::State& state) {
  NoGrad off;
  int64_t N = 16, T = 128, heads = 6, D = 32;
  Tensor q = values({N, T, heads, D}), k = values({N, T, heads, D});
  for (auto _ : state) {
    benchmark::DoNotOptimize(matmul(q.permute({0, 2, 1, 3}), k.permute({0, 2, 3, 1})));
  }
  set_rate(state, 2.0 * static_cast<double>(N * heads * T * T * D));
}
BENCHMARK(MatmulHeads)->UseRealTime();

// x [M, K], weight [N, K], with bias: forward, and forward and backward.
void Linear(benchmark::State& state) {
  int64_t M = state.range(0), K = state.range(1), N = state.range(2);
  bool train = state.range(3) != 0;
  GradMode mode(train);
  Tensor x = values({M, K}).set_requires_grad(), weight = values({N, K}).set_requires_grad(),
         bias = values({N}).set_requires_grad(), gradient = values({M, N});
  for (auto _ : state) {
    Tensor out = linear(x, weight, bias);
    if (train) backward(out, gradient);
    for (Tensor* leaf : {&x, &weight, &bias}) leaf->zero_grad();
    benchmark::DoNotOptimize(out);
  }
  set_rate(state, (train ? 6.0 : 2.0) * static_cast<double>(M * K * N));
}
BENCHMARK(Linear)
    ->ArgNames({"M", "K", "N", "train"})
    ->ArgsProduct({{128}, {784}, {512}, {0, 1}})
    ->ArgsProduct({{2048}, {192}, {768}, {0, 1}})
    ->UseRealTime();

// 3x3 (or R x R) convolution with padding R / 2 of N images of size x size.
enum Pass { forward, fused, step };
void Conv(benchmark::State& state) {
  int64_t N = state.range(0), size = state.range(1), C = state.range(2), O = state.range(3),
          R = state.range(4), stride = state.range(5), groups = state.range(6);
  auto pass = static_cast<Pass>(state.range(7));
  GradMode mode(pass == step);
  Tensor x = values({N, size, size, C}).set_requires_grad();
  Tensor weight = values({O, R, R, C / groups}).set_requires_grad();
  Conv2dOptions options{.stride = stride, .padding = R / 2, .groups = groups};
  Tensor like = conv2d(x, weight, {}, options), gradient = values(like.shape());
  Tensor bias = pass == fused ? values({O}) : Tensor();
  Tensor residual = pass == fused ? gradient : Tensor();
  options.relu = pass == fused;
  double products = static_cast<double>(like.numel() * R * R * C / groups);
  like = Tensor();
  for (auto _ : state) {
    Tensor out = conv2d(x, weight, bias, options, residual);
    if (pass == step) backward(out, gradient);
    x.zero_grad();
    weight.zero_grad();
    benchmark::DoNotOptimize(out);
  }
  set_rate(state, (pass == step ? 6.0 : 2.0) * products);
}
BENCHMARK(Conv)
    ->ArgNames({"N", "size", "C", "O", "R", "stride", "groups", "pass"})
    ->ArgsProduct({{128}, {32}, {64}, {64}, {3}, {1}, {1}, {forward, fused, step}})
    ->ArgsProduct({{128}, {32}, {3}, {16}, {3}, {1}, {1}, {forward, step}})
    ->ArgsProduct({{128}, {32}, {16}, {16}, {3}, {1}, {1}, {forward, fused, step}})
    ->ArgsProduct({{128}, {16}, {32}, {32}, {3}, {1}, {1}, {forward, fused, step}})
    ->ArgsProduct({{128}, {8}, {64}, {64}, {3}, {1}, {1}, {forward, step}})
    ->ArgsProduct({{128}, {32}, {16}, {32}, {3}, {2}, {1}, {forward, step}})
    ->ArgsProduct({{128}, {32}, {16}, {32}, {1}, {2}, {1}, {forward, step}})
    ->ArgsProduct({{128}, {32}, {64}, {64}, {3}, {1}, {64}, {forward, step}})
    ->ArgsProduct({{1}, {56}, {64}, {64}, {3}, {1}, {1}, {forward}})
    ->ArgsProduct({{1}, {7}, {512}, {512}, {3}, {1}, {1}, {forward}})
    ->UseRealTime();

void MaxPool(benchmark::State& state) {
  bool train = state.range(0) != 0;
  GradMode mode(train);
  Tensor x = values({128, 32, 32, 64}).set_requires_grad(), gradient = values({128, 16, 16, 64});
  for (auto _ : state) {
    Tensor out = max_pool2d(x);
    if (train) backward(out, gradient);
    x.zero_grad();
    benchmark::DoNotOptimize(out);
  }
  state.SetBytesProcessed(state.iterations() * x.numel() * 5);
}
BENCHMARK(MaxPool)->ArgName("train")->Arg(0)->Arg(1)->UseRealTime();

void GlobalAveragePool(benchmark::State& state) {
  NoGrad off;
  Tensor x = values({128, 8, 8, 64});
  for (auto _ : state) benchmark::DoNotOptimize(global_avg_pool2d(x));
  state.SetBytesProcessed(state.iterations() * x.numel() * 4);
}
BENCHMARK(GlobalAveragePool)->UseRealTime();

}  // namespace
}  // namespace strata

BENCHMARK_MAIN();
