#include "tools/introspect/maps/tsne_tiles.h"

#include <utility>

#include "engine/ops.h"
#include "kernels/embedding/embedding.h"

namespace strata::introspect {
namespace {

Tensor centred(const Tensor& y) {
  Tensor map = y.to(Device::cpu).to(DType::f64);
  return (map - mean(map, {0})).to(DType::f32);
}

}  // namespace

Tensor descend_by_tiles(const SparseMatrix& p, const Tensor& start, double rate,
                        const TsneOptions& options, Device device) {
  int64_t n = p.rows(), entries = static_cast<int64_t>(p.column.size());
  Tensor starts = from_vector(p.start, {n + 1}).to(device);
  Tensor columns = from_vector(p.column, {entries}).to(device);
  Tensor values = from_vector(p.value, {entries}).to(DType::f32).to(device);
  Tensor y = start.to(DType::f32).contiguous().to(device), origin = y.clone(), next = empty_like(y);
  Tensor velocity = zeros({n, 2}, DType::f32, device), gain = full({n, 2}, 1, DType::f32, device);
  Tensor force = empty_like(y), weight = empty({n}, DType::f32, device);
  Tensor z = empty({1}, DType::f64, device);
  auto floats = [](const Tensor& t) { return static_cast<float*>(t.raw()); };
  for (int iteration = 0; iteration < options.iterations; ++iteration) {
    if (options.on_frame && options.every > 0 && iteration % options.every == 0) {
      options.on_frame(iteration, centred(y));
    }
    bool early = iteration < options.exaggerated;
    auto* sum = static_cast<double*>(z.raw());
    on(device, "tsne", Caller{}, cpu::repulsion, gpu::repulsion,
       RepulsionArgs{n, floats(y), floats(force), floats(weight)});
    on(device, "tsne", Caller{}, cpu::total_weight, gpu::total_weight, n,
       static_cast<const float*>(floats(weight)), sum);
    on(device, "tsne", Caller{}, cpu::map_step, gpu::map_step,
       MapStepArgs{.n = n,
                   .start = static_cast<const int64_t*>(starts.raw()),
                   .column = static_cast<const int32_t*>(columns.raw()),
                   .value = floats(values),
                   .force = floats(force),
                   .z = sum,
                   .origin = floats(origin),
                   .exaggeration = early ? early_exaggeration : 1.0f,
                   .anchor = static_cast<float>(options.anchor / static_cast<double>(n)),
                   .rate = static_cast<float>(rate),
                   .momentum = early ? 0.5f : 0.8f,
                   .y = floats(y),
                   .next = floats(next),
                   .velocity = floats(velocity),
                   .gain = floats(gain)});
    std::swap(y, next);
  }
  return centred(y);
}

}  // namespace strata::introspect
