// Launching kernels, by CUDA or by the simulator:
//
//   launch<saxpy_kernel<float>>({.grid = blocks, .block = 256, .stream = stream}, n, a, x, y);
//
// The kernel is a template argument, so its name is known to profiles, to reports and to observers.
// Errors of the launch itself are thrown at once (gpu::Error, with the kernel's name); what goes
// wrong while it runs is thrown where the stream is synchronised.
#pragma once

#include <atomic>
#include <functional>
#include <string_view>
#include <tuple>
#include <utility>

#include "kernels/gpu/primitive.h"
#include "kernels/gpu/runtime.h"

namespace strata::gpu {

struct LaunchConfig {
  dim3 grid = 1;
  dim3 block = 1;
  size_t shared = 0;  // dynamic shared memory, bytes
  Stream stream = current_stream();
  dim3 cluster = 1;  // blocks of a cluster (sm_90); divides the grid
};

namespace detail {

// "saxpy_kernel<float>" out of the compiler's name for launch<saxpy_kernel<float>>.
template <auto Kernel>
constexpr std::string_view kernel_name() {
  constexpr std::string_view whole = __PRETTY_FUNCTION__;
  constexpr size_t begin = whole.find("Kernel = ") + 9;
  constexpr size_t end = whole.find_first_of(";]", begin);
  return whole.substr(begin, end - begin);
}

void launching(std::string_view name, const LaunchConfig& config);  // tells the observer

#ifdef __CUDACC__
void check_launch(cudaError_t status, std::string_view name, const LaunchConfig& config);
// The most dynamic shared memory that the kernel was allowed so far. Without asking, it gets 48 KiB
// less what it declares statically.
template <auto Kernel>
inline std::atomic<size_t> allowed_shared = 0;

template <auto Kernel, class... P, class... A>
void launch_as(void (*kernel)(P...), const LaunchConfig& config, A&&... arguments) {
  cudaLaunchConfig_t cuda{};
  cuda.gridDim = config.grid;
  cuda.blockDim = config.block;
  cuda.dynamicSmemBytes = config.shared;
  cuda.stream = reinterpret_cast<cudaStream_t>(config.stream);
  cudaLaunchAttribute attribute{};
  if (config.cluster.x * config.cluster.y * config.cluster.z > 1) {
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {config.cluster.x, config.cluster.y, config.cluster.z};
    cuda.attrs = &attribute;
    cuda.numAttrs = 1;
  }
  if (config.shared > allowed_shared<Kernel>) {
    check_launch(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                                      cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      static_cast<int>(config.shared)),
                 kernel_name<Kernel>(), config);
    allowed_shared<Kernel> = config.shared;
  }
  check_launch(cudaLaunchKernelEx(&cuda, kernel, std::forward<A>(arguments)...),
               kernel_name<Kernel>(), config);
}
#elif !defined(STRATA_CUDA)
// Puts the launch at the end of the stream.
void enqueue_launch(std::string_view name, const LaunchConfig& config, std::function<void()> entry);

template <auto Kernel, class... P, class... A>
void launch_as(void (*kernel)(P...), const LaunchConfig& config, A&&... arguments) {
  std::tuple<std::remove_cv_t<P>...> values(std::forward<A>(arguments)...);
  enqueue_launch(kernel_name<Kernel>(), config, [kernel, values]() { std::apply(kernel, values); });
}
#endif

}  // namespace detail

#if defined(__CUDACC__) || !defined(STRATA_CUDA)  // in a CUDA build, only nvcc launches
template <auto Kernel, class... A>
void launch(const LaunchConfig& config, A&&... arguments) {
  if (config.grid.x == 0 || config.grid.y == 0 || config.grid.z == 0) return;
  detail::launching(detail::kernel_name<Kernel>(), config);
  detail::launch_as<Kernel>(Kernel, config, std::forward<A>(arguments)...);
}
#endif

constexpr unsigned divide_up(int64_t total, int64_t size) {
  return static_cast<unsigned>((total + size - 1) / size);
}

}  // namespace strata::gpu
