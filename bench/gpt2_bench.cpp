// GPT-2 124M at its full size, one sequence of 64 tokens: a forward pass and a training step
// (bench/peers/torch_peer.py does the same work in PyTorch; script/bench runs the two in turns);
// the forward pass with the weights kept packed; and tokens a second in generation, with and
// without the cache of keys and values.
#include <optional>

#include "bench/step.h"
#include "engine/autograd/autograd.h"
#include "models/language/gpt.h"
#include "models/language/sampling.h"

namespace strata {
namespace {

constexpr int64_t time = 64;

void forward(benchmark::State& state, bool pack) {
  manual_seed(1);
  Gpt model(gpt2_options("gpt2"));
  model.eval();
  const Tensor x = randint(0, 50257, {1, time});
  NoGrad off;
  std::optional<PackedWeights> packed;
  if (pack) packed.emplace();
  time_steps(
      state, [&] { benchmark::DoNotOptimize(model(x).raw()); }, 1);
}
void gpt2_forward(benchmark::State& state) { forward(state, false); }
BENCHMARK(gpt2_forward)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

void gpt2_forward_packed(benchmark::State& state) { forward(state, true); }
BENCHMARK(gpt2_forward_packed)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

void gpt2_step(benchmark::State& state) {
  manual_seed(1);
  Gpt model(gpt2_options("gpt2"));
  AdamW optimizer(model.named_parameters(), {.learning_rate = 3e-4, .weight_decay = 0.1});
  const Tensor x = randint(0, 50257, {1, time}), target = randint(0, 50257, {1, time});
  auto step = [&] {
    optimizer.zero_grad();
    cross_entropy(model(x), target).backward();
    optimizer.step();
  };
  time_steps(state, step, 1);
}
BENCHMARK(gpt2_step)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

// Prompts of half a context and as many tokens after them. The counter is tokens a second.
void generation(benchmark::State& state, const GptOptions& size, int64_t length, bool cached) {
  manual_seed(1);
  Gpt model(size);
  GenerateOptions options;
  options.tokens = length / 2;
  options.cached = cached;
  const Tensor prompt = randint(0, size.vocabulary, {1, length / 2});
  generate(model, prompt, options);  // once to warm up
  for (auto _ : state) benchmark::DoNotOptimize(generate(model, prompt, options).raw());
  state.counters["tokens"] = benchmark::Counter(static_cast<double>(options.tokens),
                                                benchmark::Counter::kIsIterationInvariantRate);
}
void generate_small(benchmark::State& state) { generation(state, {}, 128, state.range(0) != 0); }
BENCHMARK(generate_small)
    ->ArgName("cached")
    ->Arg(1)
    ->Arg(0)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

void generate_gpt2(benchmark::State& state) {
  generation(state, gpt2_options("gpt2"), 64, state.range(0) != 0);
}
BENCHMARK(generate_gpt2)
    ->ArgName("cached")
    ->Arg(1)
    ->Arg(0)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace strata

BENCHMARK_MAIN();
