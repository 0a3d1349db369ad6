// Philox 4x32-10 (Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"):
// a bijection of 128-bit counters, keyed by 64 bits, whose outputs pass for random. Number i of a
// stream is a function of (key, i) alone, so any thread can make any part of it.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/common/host_device.h"

namespace strata {

struct Philox {
  uint32_t key[2];

  STRATA_HOST_DEVICE explicit Philox(uint64_t seed)
      : key{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)} {}

  STRATA_HOST_DEVICE std::array<uint32_t, 4> operator()(std::array<uint32_t, 4> counter) const {
    uint32_t k0 = key[0], k1 = key[1];
    auto [c0, c1, c2, c3] = counter;
    for (int round = 0; round < 10; ++round) {
      auto [low0, high0] = product(0xd2511f53u, c0);
      auto [low1, high1] = product(0xcd9e8d57u, c2);
      c0 = high1 ^ c1 ^ k0;
      c1 = low1;
      c2 = high0 ^ c3 ^ k1;
      c3 = low0;
      k0 += 0x9e3779b9u;  // the golden ratio
      k1 += 0xbb67ae85u;  // sqrt(3) - 1
    }
    return {c0, c1, c2, c3};
  }
  struct Product {
    uint32_t low, high;
  };
  // All 64 bits. By name on a GPU: from a product of two uint64_t the compiler makes this
  // instruction and an addition of the zeros in their upper halves.
  STRATA_HOST_DEVICE static Product product(uint32_t a, uint32_t b) {
#ifdef __CUDA_ARCH__
    Product p;
    asm("{.reg .b64 p; mul.wide.u32 p, %2, %3; mov.b64 {%0, %1}, p;}"
        : "=r"(p.low), "=r"(p.high)
        : "r"(a), "r"(b));
    return p;
#else
    const uint64_t p = uint64_t{a} * b;
    return {static_cast<uint32_t>(p), static_cast<uint32_t>(p >> 32)};
#endif
  }
  // Block i of the stream.
  STRATA_HOST_DEVICE std::array<uint32_t, 4> block(uint64_t i) const {
    return (*this)({static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), 0, 0});
  }
};

}  // namespace strata
