// How many clusters of a kernel the device holds at once. A cluster lies within one of the parts
// that a GPU's multiprocessors are grouped in (on an H100 of 16 or 18), so these are fewer than
// multiprocessors / cluster, and CUDA is asked. For kernels whose clusters stay: one more would run
// alone, after all others.
#pragma once

#include <atomic>

#include "kernels/gpu/launch.h"

namespace strata::gpu {

#ifdef __CUDACC__
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
// One block a multiprocessor, which is what kernels with much shared memory get.
template <auto Kernel>
unsigned resident_clusters(const LaunchConfig& config) {
  return static_cast<unsigned>(device().multiprocessors) / config.cluster.x;
}
#endif

}  // namespace strata::gpu
