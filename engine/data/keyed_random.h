// Numbers that are a function of a key: Philox 4x32-10 (Salmon et al. 2011) over the counter
// (index, stream, draw). Asking for the same key twice gives the same number, whatever was asked
// before and by whichever thread; changing one stream leaves all others as they were, which is what
// makes counterfactual pairs possible. Integer arithmetic only: the same bits on every machine.
#pragma once

#include <array>
#include <cstdint>

namespace strata {

class KeyedRandom {
 public:
  // Every draw below belongs to (seed, index, stream).
  KeyedRandom(uint64_t seed, uint64_t index, uint32_t stream)
      : seed_(seed), index_(index), stream_(stream) {}

  // 32 uniform bits; draws count up.
  uint32_t bits() {
    if (draw_ % 4 == 0) block_ = philox(draw_ / 4);
    return block_[draw_++ % 4];
  }
  // Uniform in [0, n): the upper half of a 32 x 32 bit product (bias below n / 2^32).
  uint32_t below(uint32_t n) {
    return static_cast<uint32_t>((static_cast<uint64_t>(bits()) * n) >> 32);
  }
  // Uniform in [0, 1), a multiple of 2^-24: exact in f32 and f64.
  double uniform() { return (bits() >> 8) * 0x1p-24; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

 private:
  std::array<uint32_t, 4> philox(uint32_t draw) const {
    std::array<uint32_t, 4> c = {static_cast<uint32_t>(index_), static_cast<uint32_t>(index_ >> 32),
                                 stream_, draw};
    uint32_t k0 = static_cast<uint32_t>(seed_), k1 = static_cast<uint32_t>(seed_ >> 32);
    for (int round = 0; round < 10; ++round) {
      uint64_t p0 = uint64_t{0xD2511F53u} * c[0], p1 = uint64_t{0xCD9E8D57u} * c[2];
      c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0, static_cast<uint32_t>(p1),
           static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1, static_cast<uint32_t>(p0)};
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    return c;
  }

  uint64_t seed_, index_;
  uint32_t stream_, draw_ = 0;
  std::array<uint32_t, 4> block_{};
};

// A bijection of 0..n-1 chosen by (seed, stream): position -> element. Fisher-Yates is not used so
// that a position can be asked for alone: a balanced Feistel network of six rounds on the next
// even power of two, walked until it falls below n (cycle walking; fewer than 4 steps on average).
class KeyedPermutation {
 public:
  KeyedPermutation(uint64_t n, uint64_t seed, uint64_t stream);
  uint64_t operator()(uint64_t position) const;

 private:
  uint64_t n_;
  int half_bits_;
  std::array<uint32_t, 6> keys_;
};

}  // namespace strata
