// Softmax, norms, cross entropy and attention, forward and backward, at the sizes of the table in
// the documentation. Run with --benchmark_filter=attention and the like.
#include <benchmark/benchmark.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata {
namespace {

using Inputs = std::vector<Tensor>;
using Function = std::function<Tensor(const Inputs&)>;

// The forward pass alone, or a forward and a backward pass for every input.
void run(benchmark::State& state, const Function& f, Inputs inputs) {
  bool with_backward = state.range(0) != 0;
  for (Tensor& x : inputs) x.set_requires_grad(with_backward);
  Tensor gradient;
  for (auto _ : state) {
    Tensor out = f(inputs);
    if (with_backward) {
      if (!gradient.defined()) gradient = full(out.shape(), 1e-3);
      benchmark::DoNotOptimize(grad({out}, inputs, {gradient}));
    }
    benchmark::DoNotOptimize(out);
  }
}

void softmax_rows(benchmark::State& state) {
  run(state, [](const Inputs& t) { return softmax(t[0]); }, {randn({8192, 1024})});
}
void layer_norm_rows(benchmark::State& state) {
  run(state, [](const Inputs& t) { return layer_norm(t[0], t[1], t[2]); },
      {randn({8192, 768}), randn({768}), randn({768})});
}
void batch_norm_images(benchmark::State& state) {
  run(state, [](const Inputs& t) { return batch_norm(t[0], t[1], t[2], {}, {}); },
      {randn({128, 32, 32, 64}), randn({64}), randn({64})});
}
void batch_norm_residual_relu(benchmark::State& state) {
  run(state,
      [](const Inputs& t) { return batch_norm(t[0], t[1], t[2], {}, {}, {.relu = true}, t[3]); },
      {randn({128, 32, 32, 64}), randn({64}), randn({64}), randn({128, 32, 32, 64})});
}
void group_norm_images(benchmark::State& state) {
  run(state, [](const Inputs& t) { return group_norm(t[0], 8, t[1], t[2]); },
      {randn({128, 32, 32, 64}), randn({64}), randn({64})});
}
void cross_entropy_rows(benchmark::State& state) {
  Tensor target = full({8192}, 7, DType::i64);
  run(state, [=](const Inputs& t) { return cross_entropy(t[0], target); }, {randn({8192, 1024})});
}
void attention(benchmark::State& state) {
  Dims shape{state.range(1), state.range(3), state.range(2), state.range(4)};
  bool causal = state.range(5) != 0;
  run(state,
      [=](const Inputs& t) {
        return scaled_dot_product_attention(t[0], t[1], t[2], {.causal = causal});
      },
      {randn(shape), randn(shape), randn(shape)});
}
// The same as separate ops, for comparison.
void attention_chain(benchmark::State& state) {
  Dims shape{state.range(1), state.range(2), state.range(3), state.range(4)};
  double scale = 1 / std::sqrt(static_cast<double>(state.range(4)));
  run(state,
      [=](const Inputs& t) {
        return matmul(softmax(matmul(t[0], t[1].transpose(2, 3)) * scale), t[2]);
      },
      {randn(shape), randn(shape), randn(shape)});
}

#define STRATA_BENCH(name) \
  BENCHMARK(name)->ArgName("backward")->Arg(0)->Arg(1)->UseRealTime()->Unit(benchmark::kMillisecond)
STRATA_BENCH(softmax_rows);
STRATA_BENCH(layer_norm_rows);
STRATA_BENCH(batch_norm_images);
STRATA_BENCH(batch_norm_residual_relu);
STRATA_BENCH(group_norm_images);
STRATA_BENCH(cross_entropy_rows);
BENCHMARK(attention)
    ->ArgNames({"backward", "B", "H", "T", "D", "causal"})
    ->ArgsProduct({{0, 1}, {4}, {8}, {512}, {64}, {0, 1}})
    ->ArgsProduct({{0, 1}, {16}, {6}, {128}, {32}, {0, 1}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(attention_chain)
    ->ArgNames({"backward", "B", "H", "T", "D"})
    ->ArgsProduct({{0, 1}, {4}, {8}, {512}, {64}})
    ->ArgsProduct({{0, 1}, {16}, {6}, {128}, {32}})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace strata

BENCHMARK_MAIN();
