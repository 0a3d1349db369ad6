// Clusters (sm_90): blocks that run at the same time on neighbouring multiprocessors, with a
// barrier of their own and access to each other's shared memory. Source: PTX ISA,
// "barrier.cluster", "mapa", "st.async".
#pragma once

#include "kernels/gpu/memory.h"
#include "kernels/gpu/primitive.h"
#include "kernels/gpu/ptx/async_copy.h"
#ifndef __CUDACC__
#include "kernels/sim/tma.h"
#endif

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

// Stores 8 or 16 bytes at the place of `mine` in the shared memory of block `rank`, and reports
// them to its mbarrier at the place of `barrier`: who waits for that barrier sees the value. Unlike
// cluster_sync it is no fence: cluster_arrive waits until all that the thread has stored is in L2.
template <class V>
DEVICE void store_async(V* mine, const V& value, uint64_t* barrier, unsigned rank SIM_SITE) {
  static_assert(sizeof(V) == 8 || sizeof(V) == 16);
  uint64_t words[sizeof(V) / 8];
  memcpy(words, &value, sizeof words);
  PTX_SM90(
      constexpr int last = sizeof(V) / 8 - 1; if constexpr (last == 0) asm volatile(
          "{.reg .b32 place, object;\n"
          "mapa.shared::cluster.u32 place, %0, %3;\n"
          "mapa.shared::cluster.u32 object, %1, %3;\n"
          "st.async.shared::cluster.mbarrier::complete_tx::bytes.b64 [place], %2, [object];}" ::"r"(
              shared_address(mine)),
          "r"(shared_address(barrier)), "l"(words[0]), "r"(rank)
          : "memory");
      else asm volatile(
          "{.reg .b32 place, object;\n"
          "mapa.shared::cluster.u32 place, %0, %4;\n"
          "mapa.shared::cluster.u32 object, %1, %4;\n"
          "st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.b64 [place], {%2, %3}, "
          "[object];}" ::"r"(shared_address(mine)),
          "r"(shared_address(barrier)), "l"(words[0]), "l"(words[last]), "r"(rank)
          : "memory");)
  SIM(sim::store_async(mine, words, sizeof words, barrier, rank, SIM_HERE);)
}

}  // namespace strata::gpu
