// Inference of ResNet-20 on 128 images of 32x32x3: as trained, and with the batch norms folded into
// the convolutions. One iteration is one batch.
#include "bench/step.h"
#include "engine/autograd/autograd.h"
#include "models/vision/cifar_resnet.h"

namespace strata {
namespace {

void infer(benchmark::State& state, bool fold) {
  manual_seed(1);
  CifarResNet model;
  model.eval();
  if (fold) fold_batch_norm(model);
  Tensor x = randn({128, 32, 32, 3});
  NoGrad off;
  time_steps(
      state, [&] { benchmark::DoNotOptimize(model(x).raw()); }, 128);
}

void resnet20_infer(benchmark::State& state) { infer(state, true); }
BENCHMARK(resnet20_infer)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

void resnet20_infer_unfolded(benchmark::State& state) { infer(state, false); }
BENCHMARK(resnet20_infer_unfolded)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace strata

BENCHMARK_MAIN();
