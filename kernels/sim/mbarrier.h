// The 64 bits of an mbarrier in shared memory, as the simulator keeps them.
#pragma once

#include <cstdint>
#include <cstring>

namespace strata::sim {

// A phase completes when no arrival is pending and no byte is outstanding; then the phase bit flips
// and `pending` starts again at `expected`.
struct MbarrierBits {
  uint64_t expected : 20, pending : 20;
  int64_t bytes : 22;
  uint64_t phase : 1, live : 1;
};
static_assert(sizeof(MbarrierBits) == 8);

inline MbarrierBits& mbarrier_bits(uint64_t* barrier) {
  return *reinterpret_cast<MbarrierBits*>(barrier);
}
inline const MbarrierBits& mbarrier_bits(const uint64_t* barrier) {
  return *reinterpret_cast<const MbarrierBits*>(barrier);
}
// Uninitialised shared memory is all ones.
inline bool is_initialised(const MbarrierBits& bits) {
  return bits.live && bits.expected != 0 && bits.expected != (1u << 20) - 1;
}

void mbarrier_init(uint64_t* barrier, unsigned arrivals, struct Site site);
// `arrivals` threads arrive after `bytes` more have been announced.
void mbarrier_arrive(uint64_t* barrier, unsigned arrivals, int64_t bytes, struct Site site);
void mbarrier_arrive_remote(uint64_t* barrier, unsigned rank, struct Site site);
// Whether the phase of this parity is complete. With `block`, sleeps until it is, which makes the
// report of a deadlock exact.
bool mbarrier_try_wait(uint64_t* barrier, unsigned parity, bool block, struct Site site);

}  // namespace strata::sim
