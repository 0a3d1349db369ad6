#include "engine/data/keyed_random.h"

namespace strata {
namespace {

// Round function: a 32-bit mixer (two multiplications, three shifts; "lowbias32" of C. Wellons).
uint32_t mix(uint32_t x) {
  x ^= x >> 16;
  x *= 0x7feb352du;
  x ^= x >> 15;
  x *= 0x846ca68bu;
  x ^= x >> 16;
  return x;
}

}  // namespace

KeyedPermutation::KeyedPermutation(uint64_t n, uint64_t seed, uint64_t stream)
    : n_(n), half_bits_(1) {
  while (half_bits_ < 31 && (uint64_t{1} << (2 * half_bits_)) < n) ++half_bits_;
  KeyedRandom random(seed, stream, 0x5045524du);  // "PERM": a stream of its own
  for (uint32_t& key : keys_) key = random.bits();
}

uint64_t KeyedPermutation::operator()(uint64_t position) const {
  const uint32_t mask = (uint32_t{1} << half_bits_) - 1;
  do {
    uint32_t left = static_cast<uint32_t>(position >> half_bits_);
    uint32_t right = static_cast<uint32_t>(position) & mask;
    for (uint32_t key : keys_) {
      uint32_t next = left ^ (mix(right ^ key) & mask);
      left = right;
      right = next;
    }
    position = (static_cast<uint64_t>(left) << half_bits_) | right;
  } while (position >= n_);
  return position;
}

}  // namespace strata
