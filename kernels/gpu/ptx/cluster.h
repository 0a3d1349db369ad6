// Clusters (sm_90): blocks that run at the same time on neighbouring multiprocessors, with a
// barrier of their own and access to each other's shared memory. Source: PTX ISA,
// "barrier.cluster", "mapa".
#pragma once

#include "kernels/gpu/primitive.h"
#include "kernels/gpu/ptx/async_copy.h"

namespace strata::gpu {

DEVICE unsigned cluster_rank() {
  unsigned rank = 0;
  PTX_SM90(asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));)
  SIM(rank = sim::cluster_rank();)
  return rank;
}
DEVICE unsigned cluster_size() {
  unsigned size = 1;
  PTX_SM90(asm volatile("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));)
  SIM(size = sim::cluster_size();)
  return size;
}
DEVICE void cluster_arrive(SIM_SITE0) {
  PTX_SM90(asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");)
  SIM(sim::cluster_arrive(SIM_HERE);)
}
DEVICE void cluster_wait(SIM_SITE0) {
  PTX_SM90(asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");)
  SIM(sim::cluster_wait(SIM_HERE);)
}
DEVICE void cluster_sync(SIM_SITE0) {
  cluster_arrive(SIM_PASS0);
  cluster_wait(SIM_PASS0);
}
// The address of block rank's copy of what lies at `mine` in this block's shared memory.
template <class T>
DEVICE T* cluster_shared(T* mine, unsigned rank SIM_SITE) {
  T* theirs = mine;
  PTX_SM90(asm volatile("mapa.u64 %0, %1, %2;" : "=l"(theirs) : "l"(mine), "r"(rank));)
  SIM(theirs = static_cast<T*>(sim::cluster_shared(mine, rank, SIM_HERE));)
  return theirs;
}

}  // namespace strata::gpu
