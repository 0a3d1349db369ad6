// How many blocks of a kernel the device holds at once: what a kernel that cuts its work into equal
// pieces wants to launch, for one more block would run alone, after all others.
#pragma once

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
#elif !defined(STRATA_CUDA)
// The simulator does not know registers: as many as threads allow.
template <auto Kernel>
int64_t resident_blocks(int threads, size_t = 0) {
  return int64_t{device().multiprocessors} * (2048 / threads);
}
#endif

}  // namespace strata::gpu
