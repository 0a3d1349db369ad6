// Training steps: forward, loss, backward, update. bench/peers/torch_peer.py does the same work in
// PyTorch; script/bench runs the two in turns. One iteration is one step.
#include "bench/step.h"
#include "models/convnet.h"
#include "models/gpt.h"
#include "models/mlp.h"
#include "models/resnet.h"

namespace strata {
namespace {

void train(benchmark::State& state, Model& model, Optimizer& optimizer, const Tensor& x,
           const Tensor& target) {
  auto step = [&] {
    optimizer.zero_grad();
    cross_entropy(model(x), target).backward();
    optimizer.step();
  };
  time_steps(state, step, x.size(0));
}

void images(benchmark::State& state, Model& model) {
  manual_seed(1);
  Tensor x = randn({128, 32, 32, 3}), target = randint(0, 10, {128});
  SGD optimizer(model.named_parameters(), {.learning_rate = 0.01, .momentum = 0.9});
  train(state, model, optimizer, x, target);
}

void convnet(benchmark::State& state) {
  ConvNet model;
  images(state, model);
}
BENCHMARK(convnet)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

void resnet20(benchmark::State& state) {
  ResNet model;
  images(state, model);
}
BENCHMARK(resnet20)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

void mlp(benchmark::State& state) {
  manual_seed(1);
  Mlp model;
  Tensor x = randn({128, 784}), target = randint(0, 10, {128});
  SGD optimizer(model.named_parameters(), {.learning_rate = 0.01, .momentum = 0.9});
  train(state, model, optimizer, x, target);
}
BENCHMARK(mlp)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

// 6 layers, width 192, 6 heads, T 128, vocabulary 256 (the defaults), batch 16.
void gpt(benchmark::State& state) {
  manual_seed(1);
  Gpt model;
  Tensor x = randint(0, 256, {16, 128}), target = randint(0, 256, {16, 128});
  AdamW optimizer(model.named_parameters(), {.learning_rate = 3e-4, .weight_decay = 0.1});
  train(state, model, optimizer, x, target);
}
BENCHMARK(gpt)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
}  // namespace strata

BENCHMARK_MAIN();
