// How many blocks of a kernel, or clusters, the device holds at once: what a kernel that cuts its
// work into equal pieces, or whose blocks stay, wants to launch, for one more would run alone,
// after all others. A cluster lies within one of the parts that a GPU's multiprocessors are grouped
// in (on an H100 of 16 or 18), so there are fewer than multiprocessors / cluster.
#pragma once

#include <atomic>

#include "kernels/gpu/launch.h"

namespace strata::gpu {

#ifdef __CUDACC__
template <auto Kernel>
int64_t resident_blocks(int threads, size_t shared = 0) {
  int blocks = 0;
  detail::check_launch(
      cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, Kernel, threads, shared),
      detail::kernel_name<Kernel>(), {});
  return int64_t{device().multiprocessors} * blocks;
}

// Answers that were given already, by the blocks of a cluster: the question takes microseconds.
template <auto Kernel>
inline std::atomic<int> known_clusters[17] = {};

template <auto Kernel>
unsigned resident_clusters(const LaunchConfig& config) {
  int clusters = known_clusters<Kernel>[config.cluster.x];
  if (clusters > 0) return static_cast<unsigned>(clusters);
  cudaLaunchConfig_t cuda{};
  cuda.gridDim = config.cluster;
  cuda.blockDim = config.block;
  cuda.dynamicSmemBytes = config.shared;
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {config.cluster.x, 1, 1};
  cuda.attrs = &attribute;
  cuda.numAttrs = 1;
  detail::check_launch(cudaFuncSetAttribute(reinterpret_cast<const void*>(Kernel),
                                            cudaFuncAttributeMaxDynamicSharedMemorySize,
                                            static_cast<int>(config.shared)),
                       detail::kernel_name<Kernel>(), config);
  detail::check_launch(cudaOccupancyMaxActiveClusters(&clusters, Kernel, &cuda),
                       detail::kernel_name<Kernel>(), config);
  known_clusters<Kernel>[config.cluster.x] = clusters;
  return static_cast<unsigned>(clusters);
}
#elif !defined(STRATA_CUDA)
// The simulator does not know registers: as many as threads allow.
template <auto Kernel>
int64_t resident_blocks(int threads, size_t = 0) {
  return int64_t{device().multiprocessors} * (2048 / threads);
}
// One block a multiprocessor, which is what kernels with much shared memory get.
template <auto Kernel>
unsigned resident_clusters(const LaunchConfig& config) {
  return static_cast<unsigned>(device().multiprocessors) / config.cluster.x;
}
#endif

}  // namespace strata::gpu
