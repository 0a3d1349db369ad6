// What an observer of simulated kernels is told. Accesses come from instrumented kernels only
// (compiled with -fsanitize=thread, whose callbacks are ours); everything else comes from the
// simulator itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/sim/site.h"

namespace strata::sim {

struct Thread;
struct Block;
struct Launch;

// Who touches memory: a thread's own instruction, the copy engine, or a tensor core.
enum class Agent : uint8_t { thread, copy_engine, tensor_core };
// Of a product of a warpgroup (wgmma), what all four warps read; else the number of the one.
constexpr int every_warp = -1;

class Tracer {
 public:
  virtual ~Tracer() = default;
  virtual void launch_began(const Launch&) {}
  virtual void launch_ended(const Launch&) {}
  virtual void block_began(Block&) {}
  virtual void block_ended(Block&) {}
  virtual void thread_ended(Thread&) {}
  // A primitive reads or writes memory for the current thread (cp.async, ldmatrix, stmatrix).
  virtual void access(Thread&, const void*, size_t /*bytes*/, bool /*write*/, Site) {}
  // All of `lanes` have met; orders: memory too (__syncwarp).
  virtual void warp_met(Block&, int /*warp*/, uint32_t /*lanes*/, bool /*orders*/,
                        const char* /*name*/, Site) {}
  // A thread has arrived at a barrier and goes on.
  virtual void barrier_arrived(Thread&, int /*id*/, Site) {}
  // `count` threads (numbers in `threads`) have met at a barrier, with those that arrived.
  virtual void barrier_met(Block&, int /*id*/, const uint16_t* /*threads*/, size_t /*count*/,
                           Site) {}
  virtual void cluster_met(Block* const* /*blocks*/, size_t /*count*/, Site) {}
  // What the thread has done so far is visible to who acquires the object after this (mbarrier).
  virtual void release(Thread&, const void* /*object*/, Site) {}
  virtual void acquire(Thread&, const void* /*object*/, Site) {}
  virtual void proxy_fence(Thread&, Site) {}
  // An asynchronous operation issued by `issuer`: issued() returns a ticket; joined() tells of
  // another thread that issues it too (wgmma); bytes moved as it lands; landed() makes it visible
  // through `object` (an mbarrier), or null.
  virtual uint64_t async_issued(Thread& /*issuer*/, Agent, Site) { return 0; }
  virtual void async_joined(uint64_t /*ticket*/, Thread& /*issuer*/) {}
  virtual void async_access(uint64_t /*ticket*/, Block*, const void*, size_t /*bytes*/,
                            bool /*write*/, int /*warp*/) {}
  virtual void async_landed(uint64_t /*ticket*/, const void* /*object*/) {}
  // The threads learn that the operations up to now of their warp (wgmma) or of theirs (bulk,
  // cp.async) are complete.
  virtual void async_waited(Thread&, Agent, Site) {}
  // The thread counts on that for the other warps of its warpgroup too.
  virtual void warpgroup_waited(Thread&, Site) {}
  // Multiply-adds on tensor cores.
  virtual void tensor_operations(Thread&, const char* /*type*/, uint64_t /*multiply_adds*/, Site) {}
};

// A kernel says so (count_on_whole_warpgroup of kernels/gemm/hopper_pipeline.h).
void warpgroup_waited(Site site);

}  // namespace strata::sim
