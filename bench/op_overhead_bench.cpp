// What an op costs besides its arithmetic: chains of 1,000 adds and multiplies on 8 numbers,
// without gradients, recorded, and with a backward pass. The time shown is for a chain; /1000 for
// an op.
#include <benchmark/benchmark.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata {
namespace {

constexpr int length = 1000;

Tensor chain(Tensor x, const Tensor& y) {
  for (int i = 0; i < length / 2; ++i) x = (x + y) * y;
  return x;
}

void count_ops(benchmark::State& state) {
  state.counters["op"] = benchmark::Counter(
      length, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void forward(benchmark::State& state) {
  NoGrad off;
  Tensor x = ones({8}), y = full({8}, 0.999);
  for (auto _ : state) benchmark::DoNotOptimize(chain(x, y).raw());
  count_ops(state);
}
BENCHMARK(forward)->Unit(benchmark::kMicrosecond);

void forward_recorded(benchmark::State& state) {
  Tensor x = ones({8}), y = full({8}, 0.999);
  x.set_requires_grad();
  for (auto _ : state) benchmark::DoNotOptimize(chain(x, y).raw());
  count_ops(state);
}
BENCHMARK(forward_recorded)->Unit(benchmark::kMicrosecond);

void forward_and_backward(benchmark::State& state) {
  Tensor x = ones({8}), y = full({8}, 0.999), one = ones({8});
  x.set_requires_grad();
  for (auto _ : state) {
    backward(chain(x, y), one);
    x.zero_grad();
  }
  count_ops(state);
}
BENCHMARK(forward_and_backward)->Unit(benchmark::kMicrosecond);

// Both operands want a gradient, so that multiplies do twice the work on the way back.
void forward_and_backward_both(benchmark::State& state) {
  Tensor x = ones({8}), y = full({8}, 0.999), one = ones({8});
  x.set_requires_grad();
  y.set_requires_grad();
  for (auto _ : state) {
    backward(chain(x, y), one);
    x.zero_grad();
    y.zero_grad();
  }
  count_ops(state);
}
BENCHMARK(forward_and_backward_both)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace strata

BENCHMARK_MAIN();
