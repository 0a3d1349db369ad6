// Named barriers of a block, and mbarriers (sm_90 uses): objects in shared memory that count
// arrivals and bytes of asynchronous copies, phase by phase. A fresh mbarrier passes
// mbarrier_wait(barrier, 1) at once: the phase before the first one counts as complete. Source: PTX
// ISA, "barrier", "mbarrier".
#pragma once

#include "kernels/gpu/primitive.h"
#include "kernels/gpu/ptx/async_copy.h"
#ifndef __CUDACC__
#include "kernels/sim/mbarrier.h"
#endif

namespace strata::gpu {

// `threads` (a multiple of 32) threads meet at barrier id, 1 to 15; 0 is __syncthreads.
DEVICE void barrier_sync(int id, int threads SIM_SITE) {
  PTX(asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");)
  SIM(sim::block_barrier(id, threads, true, SIM_HERE);)
}
// Counts as one of them without waiting.
DEVICE void barrier_arrive(int id, int threads SIM_SITE) {
  PTX(asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");)
  SIM(sim::block_barrier(id, threads, false, SIM_HERE);)
}

// By one thread; the others see it after mbarrier_fence_init() and a barrier.
DEVICE void mbarrier_init(uint64_t* barrier, unsigned arrivals SIM_SITE) {
  PTX(asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)),
                   "r"(arrivals)
                   : "memory");)
  SIM(sim::mbarrier_init(barrier, arrivals, SIM_HERE);)
}
// Makes initialised mbarriers visible to the copy engine and to the cluster.
DEVICE void mbarrier_fence_init() {
  PTX_SM90(asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");)
}
DEVICE void mbarrier_arrive(uint64_t* barrier SIM_SITE) {
  PTX_SM90(asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
                        : "memory");)
  SIM(sim::mbarrier_arrive(barrier, 1, 0, SIM_HERE);)
}
// Announces bytes that copies will bring in this phase, and arrives.
DEVICE void mbarrier_expect(uint64_t* barrier, unsigned bytes SIM_SITE) {
  PTX_SM90(asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(
                            shared_address(barrier)),
                        "r"(bytes)
                        : "memory");)
  SIM(sim::mbarrier_arrive(barrier, 1, bytes, SIM_HERE);)
}
// Arrives on the mbarrier at the same place in the shared memory of block `rank` of the cluster. It
// tells that reads are over: what this thread wrote is ordered for its own block only. A release to
// the whole cluster would be a fence down to L2 at each arrival, which on an H100 took as long as
// the products of a stage; who hands over data uses cluster_sync.
DEVICE void mbarrier_arrive_remote(uint64_t* barrier, unsigned rank SIM_SITE) {
  PTX_SM90(asm volatile(
               "{.reg .b32 remote;\n"
               "mapa.shared::cluster.u32 remote, %0, %1;\n"
               "mbarrier.arrive.shared::cluster.b64 _, [remote];}" ::"r"(shared_address(barrier)),
               "r"(rank)
               : "memory");)
  SIM(sim::mbarrier_arrive_remote(barrier, rank, SIM_HERE);)
}
// Whether the phase of this parity is complete; may sleep for a while first.
DEVICE bool mbarrier_try_wait(uint64_t* barrier, unsigned parity SIM_SITE) {
  uint32_t complete = 0;
  PTX_SM90(asm volatile("{.reg .pred p;\n"
                        "mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\n"
                        "selp.b32 %0, 1, 0, p;}"
                        : "=r"(complete)
                        : "r"(shared_address(barrier)), "r"(parity)
                        : "memory");)
  SIM(complete = sim::mbarrier_try_wait(barrier, parity, false, SIM_HERE);)
  return complete;
}
DEVICE void mbarrier_wait(uint64_t* barrier, unsigned parity SIM_SITE) {
  PTX(while (!mbarrier_try_wait(barrier, parity)){})
  SIM(while (!sim::mbarrier_try_wait(barrier, parity, true, SIM_HERE)){})
}
// What this thread wrote to shared memory by ordinary stores becomes visible to the copy engine and
// to wgmma.
DEVICE void fence_async_shared(SIM_SITE0) {
  PTX_SM90(asm volatile("fence.proxy.async.shared::cta;" ::: "memory");)
  SIM(sim::proxy_fence(SIM_HERE);)
}

}  // namespace strata::gpu
