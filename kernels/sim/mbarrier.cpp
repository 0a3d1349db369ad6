// mbarrier: arrivals and bytes of the copy engine, by phases. Source: PTX ISA, "Parallel
// Synchronization and Communication Instructions: mbarrier".
#include "kernels/sim/mbarrier.h"

#include <fmt/format.h>

#include "kernels/sim/block.h"
#include "kernels/sim/tracer.h"

namespace strata::sim {

namespace {

void check(const uint64_t* barrier, const char* what, Site site) {
  require_arch(80, "mbarrier", site);
  if (reinterpret_cast<uintptr_t>(barrier) % 8)
    fail(fmt::format("{}: the mbarrier is not aligned to 8 bytes", what), site);
  if (!owner_of(barrier)) fail(fmt::format("{}: the mbarrier is not in shared memory", what), site);
}

void check_live(const uint64_t* barrier, const char* what, Site site) {
  if (!is_initialised(mbarrier_bits(barrier)))
    fail(fmt::format("{}: the mbarrier was never initialised (mbarrier_init)", what), site);
}

void flip_if_complete(Block& block, uint64_t* barrier) {
  MbarrierBits& bits = mbarrier_bits(barrier);
  if (bits.pending || bits.bytes) return;
  bits.phase ^= 1;
  bits.pending = bits.expected;
  auto waiters = block.mbarrier_waiters.find(reinterpret_cast<uintptr_t>(barrier));
  if (waiters == block.mbarrier_waiters.end()) return;
  for (uint16_t waiter : waiters->second) make_ready(block.threads[waiter]);
  waiters->second.clear();
}

}  // namespace

void mbarrier_init(uint64_t* barrier, unsigned arrivals, Site site) {
  check(barrier, "mbarrier_init", site);
  if (arrivals == 0 || arrivals >= (1u << 20) - 1)
    fail(fmt::format("mbarrier_init: {} arrivals; there must be 1 to 1048574", arrivals), site);
  MbarrierBits& bits = mbarrier_bits(barrier);
  bits = {};
  bits.expected = bits.pending = arrivals;
  bits.live = 1;
}

void mbarrier_arrive(uint64_t* barrier, unsigned arrivals, int64_t bytes, Site site) {
  check(barrier, "mbarrier_arrive", site);
  check_live(barrier, "mbarrier_arrive", site);
  MbarrierBits& bits = mbarrier_bits(barrier);
  if (bits.pending < arrivals)
    fail(fmt::format(
             "mbarrier_arrive: more arrivals than the {} that the barrier expects in a phase",
             static_cast<unsigned>(bits.expected)),
         site);
  if (Tracer* tracer = config().tracer) tracer->release(*current, barrier, site);
  bits.bytes += bytes;
  bits.pending -= arrivals;
  flip_if_complete(*owner_of(barrier), barrier);
}

void mbarrier_arrive_remote(uint64_t* barrier, unsigned rank, Site site) {
  Gang& gang = *current->block->gang;
  if (rank >= gang.block_count)
    fail(fmt::format("mbarrier_arrive_remote: block {} of a cluster of {}", rank, gang.block_count),
         site);
  mbarrier_arrive(
      reinterpret_cast<uint64_t*>(gang.blocks[rank]->arena.base + shared_offset(barrier, site)), 1,
      0, site);
}

bool mbarrier_try_wait(uint64_t* barrier, unsigned parity, bool block, Site site) {
  check(barrier, "mbarrier_wait", site);
  check_live(barrier, "mbarrier_wait", site);
  if (current->block != owner_of(barrier))
    fail("mbarrier_wait: a barrier of another block cannot be waited for", site);
  MbarrierBits& bits = mbarrier_bits(barrier);
  if (bits.phase == (parity & 1)) {
    if (!block) {
      yield();
    } else {
      const auto object = reinterpret_cast<uintptr_t>(barrier);
      current->block->mbarrier_waiters[object].push_back(current->linear);
      suspend(Wait::mbarrier, "mbarrier_wait", site, object, static_cast<int>(parity & 1));
    }
    if (bits.phase == (parity & 1)) return false;
  }
  if (Tracer* tracer = config().tracer) tracer->acquire(*current, barrier, site);
  return true;
}

void complete_transaction(uint64_t* barrier, int64_t bytes, Block& block) {
  mbarrier_bits(barrier).bytes -= bytes;
  flip_if_complete(block, barrier);
}

}  // namespace strata::sim
