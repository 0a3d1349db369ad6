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
      uint64_t p0 = uint64_t{0xd2511f53u} * c0, p1 = uint64_t{0xcd9e8d57u} * c2;
      c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
      c1 = static_cast<uint32_t>(p1);
      c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
      c3 = static_cast<uint32_t>(p0);
      k0 += 0x9e3779b9u;  // the golden ratio
      k1 += 0xbb67ae85u;  // sqrt(3) - 1
    }
    return {c0, c1, c2, c3};
  }
  // Block i of the stream.
  STRATA_HOST_DEVICE std::array<uint32_t, 4> block(uint64_t i) const {
    return (*this)({static_cast<uint32_t>(i), static_cast<uint32_t>(i >> 32), 0, 0});
  }
};

}  // namespace strata
