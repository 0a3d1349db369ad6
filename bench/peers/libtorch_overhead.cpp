// The chains of bench/op_overhead_bench.cpp in libtorch (Debian's libtorch-dev): what an op costs
// besides its arithmetic, from C++. Built only where libtorch is found.
#include <benchmark/benchmark.h>
#include <torch/torch.h>

namespace {

constexpr int length = 1000;

torch::Tensor chain(torch::Tensor x, const torch::Tensor& y) {
  for (int i = 0; i < length / 2; ++i) x = (x + y) * y;
  return x;
}

void forward(benchmark::State& state) {
  torch::NoGradGuard off;
  auto x = torch::ones({8}), y = torch::full({8}, 0.999);
  for (auto _ : state) benchmark::DoNotOptimize(chain(x, y).data_ptr());
}
BENCHMARK(forward)->Unit(benchmark::kMicrosecond);

void forward_recorded(benchmark::State& state) {
  auto x = torch::ones({8}).requires_grad_(), y = torch::full({8}, 0.999);
  for (auto _ : state) benchmark::DoNotOptimize(chain(x, y).data_ptr());
}
BENCHMARK(forward_recorded)->Unit(benchmark::kMicrosecond);

void forward_and_backward(benchmark::State& state) {
  auto x = torch::ones({8}).requires_grad_(), y = torch::full({8}, 0.999), one = torch::ones({8});
  for (auto _ : state) {
    chain(x, y).backward(one);
    x.mutable_grad().reset();
  }
}
BENCHMARK(forward_and_backward)->Unit(benchmark::kMicrosecond);

void forward_and_backward_both(benchmark::State& state) {
  auto x = torch::ones({8}).requires_grad_(), y = torch::full({8}, 0.999).requires_grad_(),
       one = torch::ones({8});
  for (auto _ : state) {
    chain(x, y).backward(one);
    x.mutable_grad().reset();
    y.mutable_grad().reset();
  }
}
BENCHMARK(forward_and_backward_both)->Unit(benchmark::kMicrosecond);

}  // namespace

int main(int argc, char** argv) {
  torch::set_num_threads(1);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
