// The tensor cores of a warpgroup (sm_90a): four warps, beginning at a multiple of 128 threads,
// multiply D[64][N] += A[64][K] B[K][N] asynchronously, B and mostly A from shared memory, K being
// 32 bytes of elements (16 bf16, 8 tf32, 32 fp8). All 128 threads issue the same product:
//
//   wgmma_fence();                      // the accumulators and shared memory are ready
//   wgmma<N, bf16>(d, a, b, true);      // any number of them
//   wgmma_commit();
//   wgmma_wait<0>();                    // only now may d be read, and A and B be overwritten
//
// Thread t holds of D: warp w = t / 32 % 4, g = t % 32 / 4, c = 2 (t % 4):
//   d[4j + 2h + e] = D[16w + 8h + g][8j + c + e]
// and of an A in registers the fragments of mma (matrix.h) of its warp's 16 rows.
//
// Operands in shared memory are named by 64-bit descriptors. In units of 16-byte chunks (T
// elements), with row meaning row of A or column of B, span the swizzle's bytes and everything
// permuted by it:
//   K-major:  no swizzle: row r, chunk c at 16 (r % 8) + stride (r / 8) + leading c
//             swizzled:   row r, chunk c at span (r % 8) + stride (r / 8) + 16 c
//   MN-major (16-bit types): chunk m of 8 rows, k, with w = span / 16 chunks side by side:
//             no swizzle: 16 (k % 8) + leading (k / 8) + stride m
//             swizzled:   span (k % 8) + stride (k / 8) + 16 (m % w) + leading (m / w)
// A swizzled tile begins at a multiple of 1024, 512 or 256 bytes (b128, b64, b32); a step along K
// inside a line adds its bytes to the address (descriptor_advance). Source: PTX ISA, "Asynchronous
// Warpgroup Level Matrix Instructions".
#pragma once

#include "kernels/gpu/ptx/matrix.h"
#include "kernels/gpu/tensor_map.h"
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#include "kernels/gpu/ptx/wgmma_text.h"
#endif
#ifndef __CUDACC__
#include "kernels/sim/wgmma.h"
#endif

namespace strata::gpu {

enum class Major : uint8_t { k, mn };

// ---- descriptors ----

// Bits 0-13: address / 16; 16-29: leading / 16; 32-45: stride / 16; 62-63: swizzle.
DEVICE uint64_t wgmma_descriptor(const void* tile, Swizzle swizzle, unsigned leading_bytes,
                                 unsigned stride_bytes SIM_SITE) {
  uint32_t address = 0;
  PTX(address = shared_address(tile);)
  SIM(address = sim::wgmma_tile_address(tile, SIM_HERE);)
  const uint64_t mode = swizzle == Swizzle::none ? 0 : 4 - static_cast<uint64_t>(swizzle);
  return (address & 0x3ffff) >> 4 | static_cast<uint64_t>(leading_bytes >> 4 & 0x3fff) << 16 |
         static_cast<uint64_t>(stride_bytes >> 4 & 0x3fff) << 32 | mode << 62;
}
// A K-major tile of rows of 128 bytes, 128-byte swizzle: what tma_load brings for a box {128 bytes,
// rows}.
DEVICE uint64_t descriptor_k128(const void* tile SIM_SITE) {
  return wgmma_descriptor(tile, Swizzle::b128, 16, 1024 SIM_PASS);
}
// An MN-major tile of lines of 64 elements of M or N, one line a k, 128-byte swizzle: what tma_load
// brings for a box {64, ks}. The next 64 elements of M or N lie `leading_bytes` further: 128 bytes
// times the ks of a box.
DEVICE uint64_t descriptor_mn128(const void* tile, unsigned leading_bytes SIM_SITE) {
  return wgmma_descriptor(tile, Swizzle::b128, leading_bytes, 1024 SIM_PASS);
}
// The same operand, `bytes` (a multiple of 16) further in shared memory.
DEVICE uint64_t descriptor_advance(uint64_t descriptor, unsigned bytes) {
  return descriptor + (bytes >> 4);
}

// ---- products ----

template <int N, class T, Major A, Major B>
constexpr void check_wgmma() {
  static_assert(N >= 8 && N <= 256 && N % 8 == 0, "wgmma: N is 8 to 256, a multiple of 8");
  constexpr bool is_16_bit = std::is_same_v<T, bf16> || std::is_same_v<T, f16>;
  static_assert(is_16_bit || std::is_same_v<T, tf32> || std::is_same_v<T, fp8_e4m3> ||
                    std::is_same_v<T, fp8_e5m2>,
                "wgmma<N, T>: T is bf16, f16, tf32, fp8_e4m3 or fp8_e5m2");
  static_assert(is_16_bit || (A == Major::k && B == Major::k),
                "wgmma: only 16-bit operands may be MN-major");
}

// D += A B, or D = A B when not `accumulate`.
template <int N, class T, Major A = Major::k, Major B = Major::k>
DEVICE void wgmma(float (&d)[N / 2], uint64_t a, uint64_t b, bool accumulate SIM_SITE) {
  check_wgmma<N, T, A, B>();
  PTX_SM90((wgmma_shared<N, T, static_cast<int>(A), static_cast<int>(B)>(d, a, b, accumulate));)
  SIM((sim::wgmma({N, matrix_type<T>(), A == Major::mn, B == Major::mn, accumulate}, d, a, nullptr,
                  b, SIM_HERE));)
}
// The same with the rows of A in registers. They may be written again after wgmma_wait.
template <int N, class T, Major B = Major::k>
DEVICE void wgmma_register_a(float (&d)[N / 2], const uint32_t (&a)[4], uint64_t b,
                             bool accumulate SIM_SITE) {
  check_wgmma<N, T, Major::k, B>();
  PTX_SM90((wgmma_registers<N, T, static_cast<int>(B)>(d, a, b, accumulate));)
  SIM((sim::wgmma({N, matrix_type<T>(), false, B == Major::mn, accumulate}, d, 0, a, b, SIM_HERE));)
}

// Orders what was done to the accumulators, and to an A in registers, before the products that
// follow. Needed before the first product and after every touch of these registers.
DEVICE void wgmma_fence(SIM_SITE0) {
  PTX_SM90(asm volatile("wgmma.fence.sync.aligned;" ::: "memory");)
  SIM(sim::wgmma_fence(SIM_HERE);)
}
// The products since the last commit become a group.
DEVICE void wgmma_commit(SIM_SITE0) {
  PTX_SM90(asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory");)
  SIM(sim::wgmma_commit(SIM_HERE);)
}
// Until all but the latest N groups are complete.
template <int N>
DEVICE void wgmma_wait(SIM_SITE0) {
  PTX_SM90(asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(N) : "memory");)
  SIM(sim::wgmma_wait(N, SIM_HERE);)
}

// ---- registers, moved between the warpgroups of a block (setmaxnreg) ----

// R registers a thread from now on; waits until they are free. All warps of the warpgroup.
template <int R>
DEVICE void registers_increase(SIM_SITE0) {
  static_assert(R >= 24 && R <= 256 && R % 8 == 0,
                "setmaxnreg: 24 to 256 registers, a multiple of 8");
  PTX_SM90(asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(R));)
  SIM(sim::set_registers(SIM_HERE);)
}
template <int R>
DEVICE void registers_decrease(SIM_SITE0) {
  static_assert(R >= 24 && R <= 256 && R % 8 == 0,
                "setmaxnreg: 24 to 256 registers, a multiple of 8");
  PTX_SM90(asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(R));)
  SIM(sim::set_registers(SIM_HERE);)
}

}  // namespace strata::gpu
