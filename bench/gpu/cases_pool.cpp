// Pooling: windows of 3x3 and 2x2 in steps of 2 over what leaves the first layer of ResNet-50, 128
// images of 112x112x64. The library's pooling takes f32. Bytes: image and result once, and a byte
// for each maximum's place.
#include <fmt/format.h>

#include "bench/gpu/memory_case.h"
#include "kernels/pool/pool.h"

namespace strata::bench {

namespace {

int64_t side_of_result(const PoolCase& c) {
  return (c.H + 2 * c.padding - c.window) / c.stride + 1;
}
int64_t image_elements(const PoolCase& c) { return c.N * c.H * c.H * c.C; }
int64_t pooled_elements(const PoolCase& c) {
  return c.N * side_of_result(c) * side_of_result(c) * c.C;
}

cpu::PoolShape shape_of(const PoolCase& c) {
  const cpu::PoolAxis axis =
      cpu::sliding_axis(c.H, side_of_result(c), c.window, c.stride, c.padding, false);
  return {DType::f32, c.N, c.C, axis, axis, true};
}

std::function<void()> run_of(const PoolCase& c, xray::Operands& o) {
  const cpu::PoolShape shape = shape_of(c);
  const void* x = c.backward && !c.largest ? nullptr : o.random(image_elements(c), DType::f32);
  void* pooled = o.random(pooled_elements(c), DType::f32);
  if (!c.largest) {
    if (!c.backward) return [=] { gpu::mean_pool(shape, x, pooled); };
    void* image = o.empty(image_elements(c), DType::f32);
    return [=] { gpu::mean_pool_adjoint(shape, pooled, image); };
  }
  void* switches = o.empty(pooled_elements(c), DType::u8);
  if (!c.backward) return [=] { gpu::max_pool(shape, x, pooled, switches); };
  gpu::max_pool(shape, x, pooled, switches);
  void* image = o.empty(image_elements(c), DType::f32);
  return [=] { gpu::pool_scatter(shape, pooled, switches, image); };
}

}  // namespace

Case pool_case(const PoolCase& c) {
  const double bytes = xray::bytes_of(image_elements(c) + pooled_elements(c), DType::f32) +
                       (c.largest ? xray::bytes_of(pooled_elements(c), DType::u8) : 0);
  const std::string name =
      fmt::format("{} {}x{} stride {}, {}", c.largest ? "max" : "mean", c.window, c.window,
                  c.stride, c.backward ? "backward" : "forward");
  return memory_case({"pool", c.set, name, fmt::format("{}x{}x{}x{}", c.N, c.H, c.H, c.C),
                      DType::f32, bytes, [c](xray::Operands& o) { return run_of(c, o); }});
}

std::vector<Case> pool_cases() {
  std::vector<Case> cases;
  for (bool largest : {true, false})
    for (int64_t window : {3, 2})
      for (bool backward : {false, true})
        cases.push_back(pool_case(
            {"ResNet-50", 128, 112, 64, window, 2, window == 3 ? 1 : 0, largest, backward}));
  return cases;
}

}  // namespace strata::bench
