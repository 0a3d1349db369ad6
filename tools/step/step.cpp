// strata-step: one small matrix product on the simulated GPU, its kernel
// (kernels/gemm/03_shared_tile.cu) compiled without optimisation, to be stepped through in a
// debugger. kernels/README.md shows how.
#include <cstdio>
#include <vector>

#include "kernels/gemm/rung.h"
#include "kernels/gpu/runtime.h"
#include "kernels/sim/simulator.h"

int main() {
  using namespace strata;
  sim::config().host_threads = 1;  // one block at a time, on the thread that gdb looks at
  constexpr int64_t size = 64;
  std::vector<float> a(size * size), b(size * size), c(size * size);
  for (int64_t i = 0; i < size * size; ++i) {
    a[static_cast<size_t>(i)] = static_cast<float>(i % 7);
    b[static_cast<size_t>(i)] = static_cast<float>(i % 5);
  }
  const size_t bytes = a.size() * sizeof(float);
  void *device_a = gpu::allocate(bytes), *device_b = gpu::allocate(bytes),
       *device_c = gpu::allocate(bytes);
  gpu::copy_to_device(device_a, a.data(), bytes, nullptr);
  gpu::copy_to_device(device_b, b.data(), bytes, nullptr);
  GemmArguments product;
  product.M = product.N = product.K = size;
  product.a = device_a, product.a_row = size, product.a_column = 1;
  product.b = device_b, product.b_row = size, product.b_column = 1;
  product.c = device_c;
  gpu::gemm_ladder::shared_tile.run(product);
  gpu::copy_to_host(c.data(), device_c, bytes, nullptr);
  gpu::synchronize(nullptr);
  std::printf("C[2, 5] = %g\n", static_cast<double>(c[2 * size + 5]));
  for (void* memory : {device_a, device_b, device_c}) gpu::release(memory);
  return 0;
}
