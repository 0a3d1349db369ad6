// Block barriers: __syncthreads and its reductions (id 0, all threads that live), and named
// barriers (n threads, a multiple of 32; arrive without waiting). A thread that has ended is
// excused from
// __syncthreads, as on sm_70 and later.
#include <fmt/format.h>

#include "kernels/sim/block.h"
#include "kernels/sim/tracer.h"

namespace strata::sim {

namespace {

void complete(Block& block, Barrier& barrier, int id) {
  if (Tracer* tracer = config().tracer)
    tracer->barrier_met(block, id, barrier.waiters.data(), barrier.waiters.size(), barrier.site);
  barrier.result = {barrier.any, barrier.all, barrier.count};
  for (uint16_t waiter : barrier.waiters) {
    Thread& thread = block.threads[waiter];
    if (thread.wait == Wait::barrier && thread.detail == id) make_ready(thread);
  }
  barrier.waiters.clear();
  barrier.arrived = 0;
  barrier.expected = -1;
}

void check_arrival(Block& block, Barrier& barrier, int id, int threads, Site site) {
  if (id < 0 || id > 15)
    fail(fmt::format("barrier {} does not exist: there are 0 to 15", id), site);
  if (threads != -1 && (threads <= 0 || threads % 32))
    fail(fmt::format("barrier {}: {} threads; the count must be a positive multiple of 32", id,
                     threads),
         site);
  if (barrier.arrived == 0) return;
  if (barrier.expected != threads)
    fail(fmt::format("barrier {}: one thread came with a count of {}, another with {}", id,
                     barrier.expected, threads),
         site);
  if (id == 0 && threads == -1 && !(barrier.site == site))
    fail(fmt::format("__syncthreads() was reached at different places by threads of one block: {} "
                     "waits at {}",
                     name_of(block.threads[barrier.first]), place(barrier.site)),
         site);
}

void arrive(Block& block, int id, int threads, bool wait, int predicate, Site site) {
  Thread& self = *current;
  Barrier& barrier = block.barriers[static_cast<size_t>(id)];
  check_arrival(block, barrier, id, threads, site);
  if (barrier.arrived == 0) {
    barrier.site = site;
    barrier.expected = threads;
    barrier.first = self.linear;
    barrier.any = 0;
    barrier.all = 1;
    barrier.count = 0;
  }
  barrier.any |= predicate != 0;
  barrier.all &= predicate != 0;
  barrier.count += predicate != 0;
  ++barrier.arrived;
  if (wait)
    barrier.waiters.push_back(self.linear);
  else if (Tracer* tracer = config().tracer)
    tracer->barrier_arrived(self, id, site);
  const int needed = threads == -1 ? block.live : threads;
  const bool all_started = threads != -1 || block.started == block.thread_count;
  if (barrier.arrived >= needed && all_started) {
    self.wait = Wait::ready;
    complete(block, barrier, id);
    if (block.gang->seeded && wait) yield();
    return;
  }
  if (wait) suspend(Wait::barrier, threads == -1 ? "__syncthreads" : "named barrier", site, 0, id);
}

}  // namespace

void block_barrier(int id, int threads, bool wait, Site site) {
  arrive(*current->block, id, threads, wait, 0, site);
}

int block_reduce(BlockReduce op, int predicate, Site site) {
  Block& block = *current->block;
  arrive(block, 0, -1, true, predicate, site);
  // Nobody completes the next phase before this thread has arrived there, so the result stands.
  return block.barriers[0].result[static_cast<size_t>(op)];
}

void leave_barriers(Thread& thread) {
  Block& block = *thread.block;
  Barrier& barrier = block.barriers[0];
  if (barrier.arrived && barrier.expected == -1 && block.started == block.thread_count &&
      block.live > 0 && barrier.arrived >= block.live)
    complete(block, barrier, 0);
}

}  // namespace strata::sim
