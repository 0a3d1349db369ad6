// Inference: ResNet-20 on 128 images of 32x32x3, as trained and with the batch norms folded into
// the convolutions; ResNet-50 on one image of 224x224x3, folded, with its weights kept packed
// (engine/ops/packed_weights.h) and without. One iteration is one batch.
#include <optional>

#include "bench/step.h"
#include "engine/autograd/autograd.h"
#include "models/vision/cifar_resnet.h"
#include "models/vision/resnet.h"

namespace strata {
namespace {

struct Mode {
  bool fold = true;
  bool pack = false;
};

void infer(benchmark::State& state, Model& model, const Dims& shape, Mode mode) {
  model.eval();
  if (mode.fold) fold_batch_norm(model);
  Tensor x = randn(shape);
  NoGrad off;
  std::optional<PackedWeights> packed;
  if (mode.pack) packed.emplace();
  time_steps(
      state, [&] { benchmark::DoNotOptimize(model(x).raw()); }, shape[0]);
}

void resnet20(benchmark::State& state, Mode mode) {
  manual_seed(1);
  CifarResNet model;
  infer(state, model, {128, 32, 32, 3}, mode);
}
void resnet50(benchmark::State& state, Mode mode) {
  manual_seed(1);
  ResNet model;
  infer(state, model, {1, 224, 224, 3}, mode);
}

void resnet20_infer(benchmark::State& state) { resnet20(state, {}); }
BENCHMARK(resnet20_infer)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

void resnet20_infer_unfolded(benchmark::State& state) { resnet20(state, {.fold = false}); }
BENCHMARK(resnet20_infer_unfolded)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

void resnet50_infer(benchmark::State& state) { resnet50(state, {.pack = true}); }
BENCHMARK(resnet50_infer)->Unit(benchmark::kMillisecond)->UseRealTime()->MeasureProcessCPUTime();

void resnet50_infer_unpacked(benchmark::State& state) { resnet50(state, {}); }
BENCHMARK(resnet50_infer_unpacked)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime()
    ->MeasureProcessCPUTime();

}  // namespace
}  // namespace strata

BENCHMARK_MAIN();
