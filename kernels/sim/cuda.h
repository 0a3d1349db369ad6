// What a .cu file sees when a plain C++ compiler reads it: CUDA's keywords, built-in variables,
// barriers, shuffles, votes, atomics and fast mathematics, as far as the kernels of this project
// use them. Device code becomes ordinary functions; threads are fibers (scheduler.cpp).
//
// Plain `__shared__` is not there on purpose: shared memory comes from block_shared<T>() and
// dynamic_shared<T>() of kernels/gpu/memory.h, so that it lies in the block's arena, where its size
// is checked, it starts as NaN, and an access past its end is seen.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/sim/site.h"

#define __global__
#define __device__
#define __host__
#define __constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __grid_constant__
#define __cluster_dims__(...)

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

extern constinit thread_local uint3 threadIdx, blockIdx;
extern constinit thread_local dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

namespace strata::sim {

extern constinit thread_local unsigned lane_id;  // of the running thread, in its warp

// Barriers of the block. id 0..15; threads: how many take part (a multiple of 32), or -1: all that
// live.
void block_barrier(int id, int threads, bool wait, Site site);
enum class BlockReduce { any, all, count };
int block_reduce(BlockReduce op, int predicate, Site site);

// Meets the lanes of `mask`. Each leaves `operand`; the last one to come calls `combine` with the
// operands of all (null for lanes outside the mask) and wakes the others. Lanes that meet in
// different primitives, with different masks or at different lines are an error.
using Combine = void (*)(void* const* operands, uint32_t mask);
void warp_collective(const char* name, uint32_t mask, Combine combine, void* operand,
                     bool orders_memory, Site site);
void yield();               // lets others run
uint64_t clock_of_block();  // a counter that grows; not time

// An operand of at most 8 bytes, and what comes back.
struct Operand {
  uint64_t in = 0, out = 0;
  int source = 0;
};

template <class T>
T from_bits(uint64_t bits) {
  T value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
template <class T>
uint64_t to_bits(T value) {
  static_assert(sizeof(T) <= 8, "shuffles and reductions take at most 8 bytes");
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof value);
  return bits;
}

void shuffle_combine(void* const* operands, uint32_t mask);
void ballot_combine(void* const* operands, uint32_t mask);
void match_combine(void* const* operands, uint32_t mask);

template <class T>
T shuffle(const char* name, uint32_t mask, T value, int source, Site site) {
  Operand operand{to_bits(value), 0, source};
  warp_collective(name, mask, shuffle_combine, &operand, false, site);
  return from_bits<T>(operand.out);
}

template <class T, class Op>
T warp_reduce(const char* name, uint32_t mask, T value, Op, Site site) {
  Operand operand{to_bits(value), 0, 0};
  warp_collective(
      name, mask,
      [](void* const* operands, uint32_t lanes) {
        T result{};
        bool first = true;
        for (int lane = 0; lane < 32; ++lane) {
          if (!(lanes >> lane & 1)) continue;
          T next = from_bits<T>(static_cast<Operand*>(operands[lane])->in);
          result = first ? next : Op{}(result, next);
          first = false;
        }
        for (int lane = 0; lane < 32; ++lane)
          if (lanes >> lane & 1) static_cast<Operand*>(operands[lane])->out = to_bits(result);
      },
      &operand, false, site);
  return from_bits<T>(operand.out);
}

// Real atomics, since blocks run on several threads of the host.
template <class T, class F>
T read_modify_write(T* address, F f) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  static_assert(sizeof(T) == 4 || sizeof(T) == 8);
  Bits* place = reinterpret_cast<Bits*>(address);
  Bits seen = __atomic_load_n(place, __ATOMIC_RELAXED), next;
  T old;
  do {
    old = std::bit_cast<T>(seen);
    next = std::bit_cast<Bits>(f(old));
  } while (
      !__atomic_compare_exchange_n(place, &seen, next, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
  return old;
}

inline int segment_start(int width) { return static_cast<int>(lane_id) & ~(width - 1); }

}  // namespace strata::sim

// ---- barriers ----
inline void __syncthreads(SIM_SITE0) { strata::sim::block_barrier(0, -1, true, SIM_HERE); }
inline int __syncthreads_or(int predicate SIM_SITE) {
  return strata::sim::block_reduce(strata::sim::BlockReduce::any, predicate, SIM_HERE);
}
inline int __syncthreads_and(int predicate SIM_SITE) {
  return strata::sim::block_reduce(strata::sim::BlockReduce::all, predicate, SIM_HERE);
}
inline int __syncthreads_count(int predicate SIM_SITE) {
  return strata::sim::block_reduce(strata::sim::BlockReduce::count, predicate, SIM_HERE);
}
inline void __syncwarp(unsigned mask = 0xffffffffu SIM_SITE) {
  strata::sim::warp_collective("__syncwarp", mask, nullptr, nullptr, true, SIM_HERE);
}
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __threadfence_block() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
inline void __nanosleep(unsigned) { strata::sim::yield(); }

// ---- shuffles, votes, reductions of a warp ----
// The hardware looks at the low five bits of flips and deltas only.
template <class T>
T __shfl_sync(unsigned mask, T value, int source, int width = 32 SIM_SITE) {
  return strata::sim::shuffle("__shfl_sync", mask, value,
                              strata::sim::segment_start(width) | (source & (width - 1)), SIM_HERE);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int flip, int width = 32 SIM_SITE) {
  int lane = static_cast<int>(strata::sim::lane_id), source = lane ^ (flip & 31);
  if (source >= strata::sim::segment_start(width) + width) source = lane;
  return strata::sim::shuffle("__shfl_xor_sync", mask, value, source, SIM_HERE);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, int delta, int width = 32 SIM_SITE) {
  int lane = static_cast<int>(strata::sim::lane_id), source = lane + (delta & 31);
  if (source >= strata::sim::segment_start(width) + width) source = lane;
  return strata::sim::shuffle("__shfl_down_sync", mask, value, source, SIM_HERE);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, int delta, int width = 32 SIM_SITE) {
  int lane = static_cast<int>(strata::sim::lane_id), source = lane - (delta & 31);
  if (source < strata::sim::segment_start(width)) source = lane;
  return strata::sim::shuffle("__shfl_up_sync", mask, value, source, SIM_HERE);
}
inline unsigned __ballot_sync(unsigned mask, int predicate SIM_SITE) {
  strata::sim::Operand operand{predicate != 0, 0, 0};
  strata::sim::warp_collective("__ballot_sync", mask, strata::sim::ballot_combine, &operand, false,
                               SIM_HERE);
  return static_cast<unsigned>(operand.out);
}
inline int __any_sync(unsigned mask, int predicate SIM_SITE) {
  return __ballot_sync(mask, predicate SIM_PASS) != 0;
}
inline int __all_sync(unsigned mask, int predicate SIM_SITE) {
  return __ballot_sync(mask, !predicate SIM_PASS) == 0;
}
template <class T>
unsigned __match_any_sync(unsigned mask, T value SIM_SITE) {
  strata::sim::Operand operand{strata::sim::to_bits(value), 0, 0};
  strata::sim::warp_collective("__match_any_sync", mask, strata::sim::match_combine, &operand,
                               false, SIM_HERE);
  return static_cast<unsigned>(operand.out);
}
#define SIM_WARP_REDUCE(name, expression)                                  \
  template <class T>                                                       \
  requires std::is_integral_v<T> T name(unsigned mask, T value SIM_SITE) { \
    struct Op {                                                            \
      T operator()(T a, T b) const { return static_cast<T>(expression); }  \
    };                                                                     \
    return strata::sim::warp_reduce(#name, mask, value, Op{}, SIM_HERE);   \
  }
SIM_WARP_REDUCE(__reduce_add_sync, a + b)
SIM_WARP_REDUCE(__reduce_min_sync, std::min(a, b))
SIM_WARP_REDUCE(__reduce_max_sync, std::max(a, b))
SIM_WARP_REDUCE(__reduce_and_sync, a& b)
SIM_WARP_REDUCE(__reduce_or_sync, a | b)
SIM_WARP_REDUCE(__reduce_xor_sync, a ^ b)
#undef SIM_WARP_REDUCE

// ---- atomics ----
template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  return strata::sim::read_modify_write(address,
                                        [value](T old) { return static_cast<T>(old + value); });
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  return strata::sim::read_modify_write(address,
                                        [value](T old) { return old > value ? old : value; });
}
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) {
  return strata::sim::read_modify_write(address,
                                        [value](T old) { return old < value ? old : value; });
}
template <class T>
T atomicOr(T* address, std::type_identity_t<T> value) {
  return strata::sim::read_modify_write(address,
                                        [value](T old) { return static_cast<T>(old | value); });
}
template <class T>
T atomicAnd(T* address, std::type_identity_t<T> value) {
  return strata::sim::read_modify_write(address,
                                        [value](T old) { return static_cast<T>(old & value); });
}
template <class T>
T atomicExch(T* address, std::type_identity_t<T> value) {
  return strata::sim::read_modify_write(address, [value](T) { return value; });
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  return strata::sim::read_modify_write(address,
                                        [=](T old) { return old == expected ? value : old; });
}

// ---- bits and fast mathematics (the host's correctly rounded functions: compare with tolerances)
// ----
inline float __fdividef(float a, float b) { return a / b; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __sinf(float x) { return std::sin(x); }
inline float __cosf(float x) { return std::cos(x); }
inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline double rsqrt(double x) { return 1.0 / std::sqrt(x); }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }
inline int __popc(unsigned x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<unsigned>(x)); }
inline int __ffs(int x) { return x ? std::countr_zero(static_cast<unsigned>(x)) + 1 : 0; }
inline unsigned __brev(unsigned x) {
  unsigned reversed = 0;
  for (int i = 0; i < 32; ++i) reversed |= (x >> i & 1u) << (31 - i);
  return reversed;
}
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>(static_cast<uint64_t>(a) * b >> 32);
}
inline float __uint_as_float(unsigned x) { return std::bit_cast<float>(x); }
inline unsigned __float_as_uint(float x) { return std::bit_cast<unsigned>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
template <class T>
T __ldg(const T* address) {
  return *address;
}
using std::max;
using std::min;
