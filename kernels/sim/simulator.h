// The simulator's controls, for tests and tools: which device it pretends to be, in which order
// threads run, what it checks. Kernels never include this; they include kernels/gpu/gpu.h.
//
// One host thread runs one block (or one cluster of blocks) at a time; the block's threads are
// fibers. With seed 0 the order is fixed: lane by lane, warp by warp, asynchronous work as late as
// allowed. With another seed the start order, every choice of who runs next, the order of blocks
// and the moment at which each asynchronous copy lands are random, as a function of (seed, block)
// only: a failing block fails again alone.
//
// What it cannot show: time, registers, caches, occupancy; ordering between blocks that only weak
// hardware reveals; the last bits of fast mathematics and of tensor-core sums. Its speed means
// nothing. Stores by threads are seen in instrumented kernels only (kernels/sim/xray): without it,
// numbers are right where a proxy fence is missing, and where one warp's wgmma_wait is taken for
// all four's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "kernels/gpu/device.h"

namespace strata::sim {

class Tracer;

struct Config {
  gpu::DeviceInfo device = gpu::h100();
  uint64_t seed = 0;     // 0: the fixed order
  int host_threads = 0;  // blocks that run at once; 0: one a core
  double preempt = 0;    // instrumented kernels, with a seed: chance of a switch at a memory access
  bool protect = false;  // device memory cannot be touched by the host while no kernel runs
  size_t stack_bytes = 64 * 1024;
  Tracer* tracer = nullptr;  // sees every access, barrier and copy (instrumented kernels)
};

// Read at each launch. Change it only while nothing runs.
Config& config();

// Restores the configuration at the end of the scope.
class Scoped {
 public:
  Scoped() : saved_(config()) {}
  ~Scoped() { config() = saved_; }
  Scoped(const Scoped&) = delete;
  Scoped& operator=(const Scoped&) = delete;

 private:
  Config saved_;
};

// Counts since the program started.
struct Statistics {
  uint64_t launches = 0, blocks = 0, switches = 0, collectives = 0;
};
Statistics statistics();

}  // namespace strata::sim
