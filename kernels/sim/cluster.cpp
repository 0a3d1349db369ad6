// Clusters: blocks that run together in one gang, meet at a barrier, and see each other's shared
// memory.
#include <fmt/format.h>

#include "kernels/sim/async_copy.h"
#include "kernels/sim/block.h"
#include "kernels/sim/tracer.h"

namespace strata::sim {

namespace {

// The barrier counts the threads that live; what has ended is excused.
void complete_if_met(Gang& gang, Site site) {
  if (gang.cluster_arrived == 0 || static_cast<size_t>(gang.cluster_arrived) < gang.live ||
      gang.started < gang.order.size())
    return;
  if (Tracer* tracer = config().tracer) {
    std::vector<Block*> blocks;
    for (uint32_t rank = 0; rank < gang.block_count; ++rank)
      blocks.push_back(gang.blocks[rank].get());
    tracer->cluster_met(blocks.data(), blocks.size(), site);
  }
  gang.cluster_arrived = 0;
  ++gang.cluster_phase;
  for (Thread* waiter : gang.cluster_waiters) make_ready(*waiter);
  gang.cluster_waiters.clear();
}

}  // namespace

unsigned cluster_rank() { return current->block->rank; }
unsigned cluster_size() { return current->block->gang->block_count; }

void cluster_arrive(Site site) {
  require_arch(90, "a cluster", site);
  Gang& gang = *current->block->gang;
  if (current->cluster_arrived)
    fail("cluster_arrive: the thread has arrived already and has not waited", site);
  current->cluster_arrived = true;
  current->cluster_phase = gang.cluster_phase;
  ++gang.cluster_arrived;
  complete_if_met(gang, site);
}

void cluster_wait(Site site) {
  Gang& gang = *current->block->gang;
  if (!current->cluster_arrived)
    fail("cluster_wait: the thread has not arrived (cluster_arrive)", site);
  if (gang.cluster_phase == current->cluster_phase) {
    gang.cluster_waiters.push_back(current);
    suspend(Wait::cluster, "cluster_wait", site);
  }
  current->cluster_arrived = false;
}

void leave_cluster(Thread& thread) { complete_if_met(*thread.block->gang, thread.site); }

void* cluster_shared(void* mine, unsigned rank, Site site) {
  require_arch(90, "distributed shared memory", site);
  Gang& gang = *current->block->gang;
  if (rank >= gang.block_count)
    fail(fmt::format("cluster_shared: block {} of a cluster of {}", rank, gang.block_count), site);
  return gang.blocks[rank]->arena.base + shared_offset(mine, site);
}

}  // namespace strata::sim
