// Flags in device memory: what a block has stored before it raises one is seen by blocks that wait
// for it. Who waits must know that the block it waits for has started; blocks start in any order,
// so those that wait take tickets (atomicAdd) and wait for lower ones only. Source: PTX ISA,
// "Memory Consistency Model", release and acquire at the scope of the GPU.
#pragma once

#include "kernels/gpu/primitive.h"
#ifndef __CUDACC__
#include "kernels/sim/flag.h"
#endif

namespace strata::gpu {

// By one thread, behind a barrier with those whose stores it speaks for.
DEVICE void raise_flag(uint32_t* flag) {
  PTX(asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(flag), "r"(1) : "memory");)
  SIM(sim::raise_flag(flag);)
}
// By one thread, before a barrier with those who read.
DEVICE void await_flag(const uint32_t* flag SIM_SITE) {
#ifdef __CUDA_ARCH__
  uint32_t raised = 0;
  while (!raised) {
    asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(raised) : "l"(flag) : "memory");
    if (!raised) __nanosleep(40);
  }
#endif
  SIM(sim::await_flag(flag, SIM_HERE);)
}

}  // namespace strata::gpu
