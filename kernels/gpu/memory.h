// Memory as kernels see it: shared memory, and vectors of elements that move in one instruction.
#pragma once

#include "kernels/common/numeric.h"
#include "kernels/gpu/primitive.h"

#ifndef __CUDACC__
namespace strata::sim {
void* block_shared(const void* key, size_t bytes, size_t alignment, Site site);
void* dynamic_shared();
}  // namespace strata::sim
#endif

namespace strata::gpu {

#ifndef __CUDACC__
template <class T>
inline constexpr char shared_key = 0;  // its address names T
#endif

// Shared memory of type T, the same for all threads of the block: `Tile& tile =
// block_shared<Tile>();`. One object a type and kernel; T is trivial. At most 48 KiB in all; more
// comes from dynamic_shared.
template <class T>
DEVICE T& block_shared(SIM_SITE0) {
  static_assert(std::is_trivially_default_constructible_v<T>, "shared memory is not initialised");
#ifdef __CUDACC__
  __shared__ __align__(128) unsigned char bytes[sizeof(T)];
  return *reinterpret_cast<T*>(bytes);
#else
  return *static_cast<T*>(
      sim::block_shared(&shared_key<T>, sizeof(T), alignof(T) > 128 ? alignof(T) : 128, SIM_HERE));
#endif
}

// The shared memory that the launch asked for, aligned to 1024 bytes.
template <class T>
DEVICE T* dynamic_shared() {
#ifdef __CUDACC__
  extern __shared__ __align__(1024) unsigned char strata_dynamic_shared[];
  return reinterpret_cast<T*>(strata_dynamic_shared);
#else
  return static_cast<T*>(sim::dynamic_shared());
#endif
}

#ifndef __CUDACC__
// A copy of N bytes as one access, which is how the hardware does it and how the x-ray must see it.
template <size_t N>
struct Machine;
template <>
struct Machine<2> {
  typedef uint16_t type __attribute__((may_alias));
};
template <>
struct Machine<4> {
  typedef uint32_t type __attribute__((may_alias));
};
template <>
struct Machine<8> {
  typedef uint64_t type __attribute__((may_alias));
};
template <>
struct Machine<16> {
  typedef uint32_t type __attribute__((vector_size(16), may_alias));
};
#endif

// N elements of T, loaded and stored by one instruction of 2, 4, 8 or 16 bytes. The address must be
// a multiple of that size.
template <class T, int N>
struct alignas(sizeof(T) * N) Vec {
  T data[N];

  __host__ __device__ T& operator[](int i) { return data[i]; }
  __host__ __device__ const T& operator[](int i) const { return data[i]; }
#ifndef __CUDACC__
  using Whole = typename Machine<sizeof(T) * N>::type;
  Vec() = default;
  Vec(const Vec& other) { *this = other; }
  __forceinline__ Vec& operator=(const Vec& other) {
    *reinterpret_cast<Whole*>(data) = *reinterpret_cast<const Whole*>(other.data);
    return *this;
  }
#endif
};

// The most elements of T that one instruction moves.
template <class T>
inline constexpr int vector_width = 16 / static_cast<int>(sizeof(T));

template <int N, class T>
DEVICE Vec<T, N> load_vector(const T* address) {
  return *reinterpret_cast<const Vec<T, N>*>(address);
}
template <int N, class T>
DEVICE void store_vector(T* address, const Vec<T, N>& value) {
  *reinterpret_cast<Vec<T, N>*>(address) = value;
}

// Two floats rounded to nearest even and packed, `low` in the low half: what fragments of tensor
// cores hold.
DEVICE uint32_t pack_bf16(float low, float high) {
  uint32_t packed = 0;
  PTX(asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));)
  SIM(packed = bf16(low).bits | static_cast<uint32_t>(bf16(high).bits) << 16;)
  return packed;
}
DEVICE uint32_t pack_f16(float low, float high) {
  uint32_t packed = 0;
  PTX(asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));)
  SIM(packed = f16(low).bits | static_cast<uint32_t>(f16(high).bits) << 16;)
  return packed;
}
template <class T>
DEVICE uint32_t pack(float low, float high) {
  if constexpr (std::is_same_v<T, bf16>)
    return pack_bf16(low, high);
  else
    return pack_f16(low, high);
}

// Element types to float and back by the hardware's conversions.
template <class T>
DEVICE float to_float(T value) {
  float result = 0;
  if constexpr (std::is_same_v<T, f16>) {
    PTX(asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(value.bits));)
    SIM(result = value;)
  } else {
    result = static_cast<float>(value);
  }
  return result;
}
template <class T>
DEVICE T from_float(float value) {
  if constexpr (std::is_same_v<T, bf16>) {
    T result;
    PTX(asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));)
    SIM(result = bf16(value);)
    return result;
  } else if constexpr (std::is_same_v<T, f16>) {
    T result;
    PTX(asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(value));)
    SIM(result = f16(value);)
    return result;
  } else {
    return static_cast<T>(value);
  }
}

// Between an element and the type that arithmetic on it is done in.
template <class T>
DEVICE Compute<T> widen(T value) {
  if constexpr (std::is_same_v<T, Compute<T>>)
    return value;
  else
    return to_float(value);
}
template <class T>
DEVICE T narrow(Compute<T> value) {
  if constexpr (std::is_same_v<T, Compute<T>>)
    return value;
  else
    return from_float<T>(value);
}

}  // namespace strata::gpu
