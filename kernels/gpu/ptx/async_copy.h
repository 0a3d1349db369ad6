// cp.async (sm_80): copies from global to shared memory that bypass the registers. A thread's
// copies since its last commit are a group; groups complete in order. Another thread's copies are
// visible only after its wait and a barrier. Source: PTX ISA, "cp.async".
#pragma once

#include "kernels/gpu/memory.h"
#include "kernels/gpu/primitive.h"
#ifndef __CUDACC__
#include "kernels/sim/async_copy.h"
#endif

namespace strata::gpu {

// The address in the shared window that PTX instructions take.
DEVICE uint32_t shared_address(const void* p) {
  uint32_t address = 0;
  PTX(address = static_cast<uint32_t>(__cvta_generic_to_shared(p));)
  (void)p;
  return address;
}

// Copies the first `count` of 4, 8 or 16 bytes and writes zeros for the rest; 0 reads nothing. Both
// addresses are multiples of Bytes.
template <int Bytes>
DEVICE void copy_async_part(void* shared, const void* global, int count SIM_SITE) {
  static_assert(Bytes == 4 || Bytes == 8 || Bytes == 16, "cp.async moves 4, 8 or 16 bytes");
  PTX(if constexpr (Bytes == 16) asm volatile(
          "cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
          "l"(global), "r"(count)
          : "memory");
      else asm volatile(
          "cp.async.ca.shared.global [%0], [%1], %3, %2;" ::"r"(shared_address(shared)),
          "l"(global), "r"(count), "n"(Bytes)
          : "memory");)
  SIM(sim::copy_async(shared, global, Bytes, count, SIM_HERE);)
}
// Copies all of them; not valid: writes zeros and reads nothing.
template <int Bytes>
DEVICE void copy_async(void* shared, const void* global, bool valid = true SIM_SITE) {
  copy_async_part<Bytes>(shared, global, valid ? Bytes : 0 SIM_PASS);
}
DEVICE void copy_commit(SIM_SITE0) {
  PTX(asm volatile("cp.async.commit_group;" ::: "memory");)
  SIM(sim::copy_commit(SIM_HERE);)
}
// Until all but the latest N groups of this thread have landed.
template <int N>
DEVICE void copy_wait(SIM_SITE0) {
  PTX(asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");)
  SIM(sim::copy_wait(N, SIM_HERE);)
}

}  // namespace strata::gpu
