// The tensor cores of a warp: ldmatrix and stmatrix move 8x8 matrices of 16-bit elements between
// shared memory and fragments, mma multiplies fragments, D += A B. All 32 lanes take part.
//
// With g = lane / 4 and t = lane % 4, and the low half (byte) of a register being the lower index:
//
//   m16n8k16, 16-bit: a[r] holds row g + 8 (r & 1), columns 2t + 8 (r >> 1) + {0, 1}
//                     b[r] holds k = 2t + 8r + {0, 1} of column g
//   m16n8k8, tf32:    a[r] holds row g + 8 (r & 1), column t + 4 (r >> 1);  b[r] holds k = t + 4r,
//   column g m16n8k32, 8-bit:  a[r] holds row g + 8 (r & 1), columns 4t + 16 (r >> 1) + {0..3}
//                     b[r] holds k = 4t + 16r + {0..3} of column g
//   d: d[0], d[1] are row g, columns 2t, 2t + 1; d[2], d[3] the same of row g + 8
//
// Source: PTX ISA, "Warp-level Matrix Instructions".
#pragma once

#include "kernels/common/fp8.h"
#include "kernels/gpu/memory.h"
#include "kernels/gpu/primitive.h"
#include "kernels/gpu/ptx/async_copy.h"
#ifndef __CUDACC__
#include "kernels/sim/mma.h"
#endif

namespace strata::gpu {

// An f32 of which tensor cores use sign, exponent and the upper 10 bits of the mantissa.
struct tf32 {
  uint32_t bits;
};

// ---- fragments from and to shared memory ----

// Count 8x8 matrices of 16-bit elements. Lanes 8j to 8j + 7 give the addresses of the rows of
// matrix j, 16 bytes each and aligned to 16; the other lanes' addresses are not used. Lane 4g + t
// receives in r[j] row g, columns 2t and 2t + 1; transposed: column g, rows 2t and 2t + 1.
template <int Count, bool Transposed = false>
DEVICE void ldmatrix(uint32_t (&r)[Count], const void* row SIM_SITE) {
  static_assert(Count == 1 || Count == 2 || Count == 4, "ldmatrix loads 1, 2 or 4 matrices");
#define STRATA_LDMATRIX(modifiers, registers, ...)                                  \
  asm volatile("ldmatrix.sync.aligned.m8n8." modifiers ".shared.b16 " registers ";" \
               : __VA_ARGS__                                                        \
               : "r"(shared_address(row))                                           \
               : "memory")
#define STRATA_LDMATRIX_COUNT(transposed)                                                       \
  if constexpr (Count == 1)                                                                     \
    STRATA_LDMATRIX("x1" transposed, "{%0}, [%1]", "=r"(r[0]));                                 \
  else if constexpr (Count == 2)                                                                \
    STRATA_LDMATRIX("x2" transposed, "{%0,%1}, [%2]", "=r"(r[0]), "=r"(r[1]));                  \
  else                                                                                          \
    STRATA_LDMATRIX("x4" transposed, "{%0,%1,%2,%3}, [%4]", "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), \
                    "=r"(r[3]));
  PTX(if constexpr (Transposed) {
    STRATA_LDMATRIX_COUNT(".trans")
  } else {STRATA_LDMATRIX_COUNT("")})
#undef STRATA_LDMATRIX_COUNT
#undef STRATA_LDMATRIX
  SIM(sim::ldmatrix(Count, Transposed, r, row, SIM_HERE);)
}

// The reverse, with the same layout (sm_90).
template <int Count, bool Transposed = false>
DEVICE void stmatrix(void* row, const uint32_t (&r)[Count] SIM_SITE) {
  static_assert(Count == 1 || Count == 2 || Count == 4, "stmatrix stores 1, 2 or 4 matrices");
#define STRATA_STMATRIX(modifiers, registers, ...)                                    \
  asm volatile("stmatrix.sync.aligned.m8n8." modifiers ".shared.b16 [%0], " registers \
               ";" ::"r"(shared_address(row)),                                        \
               __VA_ARGS__                                                            \
               : "memory")
#define STRATA_STMATRIX_COUNT(transposed)                              \
  if constexpr (Count == 1)                                            \
    STRATA_STMATRIX("x1" transposed, "{%1}", "r"(r[0]));               \
  else if constexpr (Count == 2)                                       \
    STRATA_STMATRIX("x2" transposed, "{%1,%2}", "r"(r[0]), "r"(r[1])); \
  else                                                                 \
    STRATA_STMATRIX("x4" transposed, "{%1,%2,%3,%4}", "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]));
  PTX_SM90(if constexpr (Transposed) {
    STRATA_STMATRIX_COUNT(".trans")
  } else {STRATA_STMATRIX_COUNT("")})
#undef STRATA_STMATRIX_COUNT
#undef STRATA_STMATRIX
  SIM(sim::stmatrix(Count, Transposed, row, r, SIM_HERE);)
}

// Rounds to tf32, to nearest with ties away from zero. The instruction ignores the low 13 bits of
// its operands: without this call an f32 operand is truncated.
DEVICE uint32_t to_tf32(float value) {
  uint32_t bits = 0;
  PTX(asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));)
  SIM(bits = sim::round_to_tf32(value);)
  return bits;
}

// ---- products: D += A B ----

#ifndef __CUDACC__
template <class T>
constexpr sim::MatrixType matrix_type() {
  if constexpr (std::is_same_v<T, bf16>)
    return sim::MatrixType::bf16;
  else if constexpr (std::is_same_v<T, f16>)
    return sim::MatrixType::f16;
  else if constexpr (std::is_same_v<T, tf32>)
    return sim::MatrixType::tf32;
  else if constexpr (std::is_same_v<T, fp8_e4m3>)
    return sim::MatrixType::e4m3;
  else if constexpr (std::is_same_v<T, fp8_e5m2>)
    return sim::MatrixType::e5m2;
  else {
    static_assert(std::is_same_v<T, int8_t>,
                  "tensor cores multiply bf16, f16, tf32, fp8_e4m3, fp8_e5m2 and int8_t");
    return sim::MatrixType::int8;
  }
}
#endif

#define STRATA_MMA(shape, types, sum)                                       \
  asm volatile("mma.sync.aligned." shape ".row.col." types                  \
               " {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "                   \
               "{%0,%1,%2,%3};"                                             \
               : "+" sum(d[0]), "+" sum(d[1]), "+" sum(d[2]), "+" sum(d[3]) \
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]))

// m16n8k16, T bf16 or f16, sums in f32.
template <class T>
DEVICE void mma(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2] SIM_SITE) {
  static_assert(std::is_same_v<T, bf16> || std::is_same_v<T, f16>, "mma<T>: T is bf16 or f16");
  PTX(if constexpr (std::is_same_v<T, bf16>) STRATA_MMA("m16n8k16", "f32.bf16.bf16.f32", "f");
      else STRATA_MMA("m16n8k16", "f32.f16.f16.f32", "f");)
  SIM(sim::mma(matrix_type<T>(), 1, 1, d, a, b, SIM_HERE);)
}
// m16n8k8.
DEVICE void mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2] SIM_SITE) {
  PTX(STRATA_MMA("m16n8k8", "f32.tf32.tf32.f32", "f");)
  SIM(sim::mma(sim::MatrixType::tf32, 1, 1, d, a, b, SIM_HERE);)
}
// m16n8k32, signed bytes, sums in int modulo 2^32.
DEVICE void mma_int8(int (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2] SIM_SITE) {
  PTX(STRATA_MMA("m16n8k32", "s32.s8.s8.s32", "r");)
  SIM(sim::mma(sim::MatrixType::int8, 1, 1, d, a, b, SIM_HERE);)
}
// m16n8k32, T fp8_e4m3 or fp8_e5m2 (sm_89).
template <class T>
DEVICE void mma_fp8(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2] SIM_SITE) {
  static_assert(std::is_same_v<T, fp8_e4m3> || std::is_same_v<T, fp8_e5m2>,
                "mma_fp8<T>: T is fp8_e4m3 or fp8_e5m2");
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 890
  __trap();
#else
  PTX(if constexpr (std::is_same_v<T, fp8_e4m3>) STRATA_MMA("m16n8k32", "f32.e4m3.e4m3.f32", "f");
      else STRATA_MMA("m16n8k32", "f32.e5m2.e5m2.f32", "f");)
#endif
  SIM(sim::mma(matrix_type<T>(), 1, 1, d, a, b, SIM_HERE);)
}
#undef STRATA_MMA

// A warp's tile of MI x NI products. On the GPU these are MI * NI instructions; in the simulator
// the warp meets once instead of as often.
template <class T, int MI, int NI>
DEVICE void mma_tile(float (&d)[MI][NI][4], const uint32_t (&a)[MI][4],
                     const uint32_t (&b)[NI][2] SIM_SITE) {
  PTX(_Pragma("unroll") for (int i = 0; i < MI; ++i) _Pragma("unroll") for (int j = 0; j < NI; ++j)
          mma<T>(d[i][j], a[i], b[j]);)
  SIM(sim::mma(matrix_type<T>(), MI, NI, d, a[0], b[0], SIM_HERE);)
}
template <int MI, int NI>
DEVICE void mma_tile_tf32(float (&d)[MI][NI][4], const uint32_t (&a)[MI][4],
                          const uint32_t (&b)[NI][2] SIM_SITE) {
  PTX(_Pragma("unroll") for (int i = 0; i < MI; ++i) _Pragma("unroll") for (int j = 0; j < NI; ++j)
          mma_tf32(d[i][j], a[i], b[j]);)
  SIM(sim::mma(sim::MatrixType::tf32, MI, NI, d, a[0], b[0], SIM_HERE);)
}

}  // namespace strata::gpu
