// Who runs next. A ring of ready threads; a thread that must wait switches straight to the next
// one. A thread that ends starts the next unstarted thread on its own stack, so a kernel without
// barriers never switches at all. When nobody is ready and no thread is left to start, the oldest
// asynchronous operation lands; when there is none either, the gang is stuck, and the report says
// who waits where.
#include <algorithm>

#include "kernels/sim/block.h"
#include "kernels/sim/sanitizer.h"
#include "kernels/sim/tracer.h"

constinit thread_local uint3 threadIdx{}, blockIdx{};
constinit thread_local dim3 blockDim{}, gridDim{};

namespace strata::sim {

constinit thread_local unsigned lane_id = 0;
constinit thread_local Thread* current = nullptr;

namespace {

constinit thread_local Gang* gang_of_thread = nullptr;

enum class Next { thread, start, none };

void become(Thread& thread) {
  if (!current || current->block != thread.block) blockIdx = thread.block->index;
  current = &thread;
  threadIdx = thread.index;
  lane_id = thread.lane;
  thread.wait = Wait::ready;
}

Thread* pop(Gang& gang) {
  const uint32_t mask = static_cast<uint32_t>(gang.ring.size()) - 1;
  // Even seeds let whoever woke last run on, so that one warp gets far ahead of the others: what is
  // overwritten before a slow warp has read it shows. Odd seeds pick anybody.
  if (gang.seeded && config().seed % 2 == 0 && gang.random() % 8)
    return gang.ring[--gang.tail & mask];
  if (gang.seeded) {
    const uint32_t ready = gang.tail - gang.head;
    const uint32_t chosen = gang.head + static_cast<uint32_t>(gang.random() % ready);
    std::swap(gang.ring[chosen & mask], gang.ring[gang.head & mask]);
  }
  return gang.ring[gang.head++ & mask];
}

// Seeded schedules let copies land at the moment drawn for them.
bool land_due(Gang& gang) {
  for (size_t i = 0; i < gang.async.size(); ++i) {
    if (gang.async[i]->due > gang.switches) continue;
    AsyncPointer operation = gang.async[i];
    gang.async.erase(gang.async.begin() + static_cast<std::ptrdiff_t>(i));
    land(*operation);
    return true;
  }
  return false;
}

Next pick(Gang& gang, Thread** thread) {
  for (;;) {
    if (gang.seeded && !gang.async.empty() && land_due(gang)) continue;
    const bool ready = gang.head != gang.tail, unstarted = gang.started < gang.order.size();
    if (ready && (!unstarted || !gang.seeded || gang.random() % 2)) {
      *thread = pop(gang);
      return Next::thread;
    }
    if (unstarted) return Next::start;
    if (gang.async.empty()) return Next::none;
    const size_t chosen = gang.seeded ? gang.random() % gang.async.size() : 0;
    AsyncPointer operation = gang.async[chosen];
    gang.async.erase(gang.async.begin() + static_cast<std::ptrdiff_t>(chosen));
    land(*operation);
  }
}

[[noreturn]] void abandon(Gang& gang) {
  gang.failed = true;
  Fiber dead;
  switch_fiber(dead, gang.main, true);
  __builtin_unreachable();
}

void finish_thread(Gang& gang, Thread& thread) {
  check_bulk_stores(thread);
  check_wgmma_complete(thread);
  thread.wait = Wait::done;
  --thread.block->live;
  --gang.live;
  leave_barriers(thread);
  leave_cluster(thread);
  if (config().tracer) config().tracer->thread_ended(thread);
}

// What fail() throws, so that what the failing thread's stack holds is destroyed.
struct Failure {};

// Runs threads on this stack, one after another. Leaves by Failure only.
void run_threads(Gang& gang) {
  Fiber* self = gang.starting;
  for (;;) {
    Thread& thread = *gang.order[gang.started++];
    ++thread.block->started;
    thread.fiber = self;
    become(thread);
    gang.launch->entry();
    finish_thread(gang, thread);
    Thread* next = nullptr;
    switch (pick(gang, &next)) {
      case Next::start:
        continue;  // on this very stack
      case Next::thread:
        ++gang.switches;
        gang.fibers.give(self);
        become(*next);
        switch_fiber(*self, *next->fiber, true);
        break;
      case Next::none:
        if (gang.live > 0) {
          gang.error = deadlock_report(gang);
          abandon(gang);
        }
        switch_fiber(*self, gang.main, true);
    }
  }
}

void fiber_entry() {
  Gang& gang = *gang_of_thread;
  enter_fiber(gang.main);
  try {
    run_threads(gang);
  } catch (const Failure&) {
  }
  abandon(gang);
}

Fiber* start_fiber(Gang& gang) { return gang.starting = gang.fibers.take(fiber_entry); }

void reset_thread(Thread& thread) {
  thread.wait = Wait::unstarted;
  thread.fiber = nullptr;
  thread.copies.clear();
  thread.copy_groups.clear();
  thread.bulk.clear();
  thread.bulk_groups.clear();
  thread.wgmma_issued = thread.wgmma_committed = 0;
  thread.wgmma_groups.clear();
  thread.wgmma_fenced = false;
  thread.cluster_arrived = false;
}

void reset_block(Block& block) {
  block.started = 0;
  block.live = block.thread_count;
  for (int i = 0; i < block.thread_count; ++i) reset_thread(block.threads[static_cast<size_t>(i)]);
  for (Barrier& barrier : block.barriers) {
    barrier.arrived = 0;
    barrier.expected = -1;
    barrier.waiters.clear();
  }
  for (Rendezvous& rendezvous : block.rendezvous) rendezvous.arrived = 0;
  for (Warpgroup& group : block.warpgroups) {
    group.operations.clear();
    group.commits.clear();
    group.first = group.first_commit = group.wanted = 0;
    group.waiting = 0;
    group.waiters.clear();
  }
  block.mbarrier_waiters.clear();
  prepare_arena(block.arena, block.gang->launch->dynamic_shared);
}

uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  return x ^ (x >> 31);
}

}  // namespace

uint64_t Gang::random() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}

bool Gang::chance(double probability) {
  return static_cast<double>(random() >> 11) * 0x1p-53 < probability;
}

void make_ready(Thread& thread) {
  Gang& gang = *thread.block->gang;
  thread.wait = Wait::ready;
  gang.ring[gang.tail++ & (gang.ring.size() - 1)] = &thread;
}

void suspend(Wait wait, const char* what, Site site, uintptr_t object, int detail) {
  Thread& self = *current;
  Gang& gang = *self.block->gang;
  if (wait != Wait::ready) {
    self.wait = wait;
    self.what = what;
    self.site = site;
    self.object = object;
    self.detail = detail;
  }
  Thread* next = nullptr;
  const Next chosen = pick(gang, &next);
  ++gang.switches;
  if (chosen == Next::none) {
    gang.error = deadlock_report(gang);
    abandon(gang);
  }
  if (next == &self) {
    become(self);
    return;
  }
  if (chosen == Next::thread) {
    become(*next);
    switch_fiber(*self.fiber, *next->fiber, false);
  } else {
    switch_fiber(*self.fiber, *start_fiber(gang), false);
  }
}

void yield() {
  make_ready(*current);
  suspend(Wait::ready, "", Site{"", 0});
}

uint64_t clock_of_block() { return current->block->gang->switches; }

void fail(std::string message, Site site) {
  Gang& gang = *current->block->gang;
  gang.error = std::move(message);
  gang.error += "\n  at " + place(site) + " in " + name_of(*current);
  throw Failure{};
}

void enqueue_async(AsyncPointer operation) {
  Gang& gang = *current->block->gang;
  operation->due = ~uint64_t{0};
  if (gang.seeded) {
    // A quarter at once, a quarter after a while, half as late as can be: early copies show what is
    // overwritten too soon, late ones show waits that are missing.
    const uint64_t draw = gang.random() % 4;
    if (draw == 0) return land(*operation);
    if (draw == 1) operation->due = gang.switches + gang.random() % 256;
  }
  gang.async.push_back(std::move(operation));
}

void land(AsyncOperation& operation) {
  if (operation.landed) return;
  operation.landed = true;
  operation.land();
}

void run_gang(Gang& gang, uint64_t number) {
  gang_of_thread = &gang;
  gang.number = number;
  const Launch& launch = *gang.launch;
  const uint64_t clusters_x = launch.grid.x / launch.cluster.x,
                 clusters_y = launch.grid.y / launch.cluster.y;
  const uint64_t cx = number % clusters_x, cy = number / clusters_x % clusters_y,
                 cz = number / clusters_x / clusters_y;
  gang.seeded = config().seed != 0;
  gang.random_state = mix(config().seed * 0x9e3779b97f4a7c15ull + number + 1) | 1;
  gang.started = 0;
  gang.head = gang.tail = 0;
  gang.async.clear();
  gang.cluster_arrived = 0;
  gang.cluster_waiters.clear();
  gang.failed = false;
  gang.order.clear();
  blockDim = launch.block;
  gridDim = launch.grid;
  current = nullptr;
  for (uint32_t rank = 0; rank < gang.block_count; ++rank) {
    Block& block = *gang.blocks[rank];
    block.index = {
        static_cast<unsigned>(cx * launch.cluster.x + rank % launch.cluster.x),
        static_cast<unsigned>(cy * launch.cluster.y + rank / launch.cluster.x % launch.cluster.y),
        static_cast<unsigned>(cz * launch.cluster.z + rank / launch.cluster.x / launch.cluster.y)};
    reset_block(block);
    for (int i = 0; i < block.thread_count; ++i)
      gang.order.push_back(&block.threads[static_cast<size_t>(i)]);
  }
  gang.live = gang.order.size();
  if (gang.seeded)
    for (size_t i = gang.order.size(); i-- > 1;)
      std::swap(gang.order[i], gang.order[gang.random() % (i + 1)]);
  Tracer* tracer = config().tracer;
  if (tracer)
    for (uint32_t rank = 0; rank < gang.block_count; ++rank)
      tracer->block_began(*gang.blocks[rank]);
  gang.fibers.reset(gang.order.size(), config().stack_bytes * stack_factor);
  switch_fiber(gang.main, *start_fiber(gang), false);
  current = nullptr;
  if (tracer && !gang.failed)
    for (uint32_t rank = 0; rank < gang.block_count; ++rank)
      tracer->block_ended(*gang.blocks[rank]);
}

}  // namespace strata::sim
