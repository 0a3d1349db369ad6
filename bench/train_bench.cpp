// Training steps: forward, loss, backward, update. bench/peers/torch_peer.py does the same work in
// PyTorch; script/bench runs the two in turns. One iteration is one step. STRATA_BENCH_DEVICE=gpu
// trains on the GPU, and with STRATA_BENCH_TF32=1 on its tensor cores, as PyTorch's convolutions
// do.
#include <cstdlib>

#include "bench/step.h"
#include "kernels/gpu/tf32.h"
#include "models/language/gpt.h"
#include "models/vision/cifar_resnet.h"
#include "models/vision/convnet.h"
#include "models/vision/mlp.h"

namespace strata {
namespace {

Device device() {
  if (std::getenv("STRATA_BENCH_TF32")) gpu::allow_tf32(true);
  const char* name = std::getenv("STRATA_BENCH_DEVICE");
  return name ? device_from(name) : Device::cpu;
}

// `make` makes the optimizer once the model lies where it is trained.
void train(benchmark::State& state, Model& model, Tensor x, Tensor target,
           const std::function<std::unique_ptr<Optimizer>()>& make) {
  model.to(device());
  x = x.to(device());
  target = target.to(device());
  const std::unique_ptr<Optimizer> optimizer = make();
  auto step = [&] {
    optimizer->zero_grad();
    cross_entropy(model(x), target).backward();
    optimizer->step();
  };
  time_steps(state, step, x.size(0), device());
}

std::unique_ptr<Optimizer> sgd(Model& model) {
  return std::make_unique<SGD>(model.named_parameters(),
                               SGDOptions{.learning_rate = 0.01, .momentum = 0.9});
}

void images(benchmark::State& state, Model& model) {
  manual_seed(1);
  Tensor x = randn({128, 32, 32, 3}), target = randint(0, 10, {128});
  train(state, model, x, target, [&] { return sgd(model); });
}

void convnet(benchmark::State& state) {
  ConvNet model;
  images(state, model);
}
BENCHMARK(convnet)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

void resnet20(benchmark::State& state) {
  CifarResNet model;
  images(state, model);
}
BENCHMARK(resnet20)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

void mlp(benchmark::State& state) {
  manual_seed(1);
  Mlp model;
  Tensor x = randn({128, 784}), target = randint(0, 10, {128});
  train(state, model, x, target, [&] { return sgd(model); });
}
BENCHMARK(mlp)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

// 6 layers, width 192, 6 heads, T 128, vocabulary 256 (the defaults), batch 16.
void gpt(benchmark::State& state) {
  manual_seed(1);
  Gpt model;
  Tensor x = randint(0, 256, {16, 128}), target = randint(0, 256, {16, 128});
  train(state, model, x, target, [&] {
    return std::make_unique<AdamW>(model.named_parameters(),
                                   AdamOptions{.learning_rate = 3e-4, .weight_decay = 0.1});
  });
}
BENCHMARK(gpt)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
}  // namespace strata

BENCHMARK_MAIN();
