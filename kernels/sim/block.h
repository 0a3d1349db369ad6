// The simulator's state: threads, blocks, and the gang of blocks that one host thread runs together
// (a cluster, or a single block). Included by the simulator's own sources only.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/sim/cuda.h"
#include "kernels/sim/fiber.h"
#include "kernels/sim/simulator.h"
#include "kernels/sim/wgmma.h"

namespace strata::sim {

struct Block;
struct Gang;

// Why a thread does not run.
enum class Wait : uint8_t { unstarted, ready, barrier, warp, mbarrier, wgmma, cluster, done };

// One cp.async: `valid` bytes are copied, the rest of `bytes` is zero.
struct AsyncCopy {
  void* to;
  const void* from;
  uint32_t bytes, valid;
};

// An asynchronous operation of the copy engine (TMA): `land` performs it. It lands when `due`
// switches have happened, when somebody waits for it, or when nothing else can run.
struct AsyncOperation {
  std::function<void()> land;
  uint64_t due = 0;
  bool landed = false;
  std::shared_ptr<AsyncOperation> after;  // a store: reading shared memory, then writing global
  Site site{"", 0};
};
using AsyncPointer = std::shared_ptr<AsyncOperation>;

struct Thread {
  Block* block = nullptr;
  Fiber* fiber = nullptr;
  uint3 index{};
  uint16_t linear = 0, warp = 0, lane = 0;
  Wait wait = Wait::unstarted;
  // What it waits for, for reports: the primitive, the place, the object, a number of the object.
  const char* what = "";
  Site site{"", 0};
  uintptr_t object = 0;
  int detail = 0;

  std::vector<AsyncCopy> copies;      // cp.async that has not landed
  std::vector<uint32_t> copy_groups;  // copies up to the end of each committed group
  std::vector<AsyncPointer> bulk;     // bulk stores since the last commit
  std::vector<std::vector<AsyncPointer>> bulk_groups;
  uint64_t wgmma_issued = 0, wgmma_committed = 0;
  std::vector<uint64_t> wgmma_groups;  // wgmma_issued at each commit
  bool wgmma_fenced = false;
  bool cluster_arrived = false;  // and has not waited
  uint64_t cluster_phase = 0;
  void* trace = nullptr;  // the tracer's own
};

// Where lanes of a warp meet, by the lowest lane of the mask.
struct Rendezvous {
  uint32_t mask = 0, arrived = 0;
  const char* name = nullptr;
  Site site{};
  Combine combine = nullptr;
  void* operands[32];
};

struct Barrier {
  int arrived = 0, expected = -1;
  Site site{};
  uint16_t first = 0;
  std::vector<uint16_t> waiters;
  int any = 0, all = 1, count = 0;  // what the arrivals brought
  std::array<int, 3> result{};      // of the completed phase
};

// One wgmma of a warpgroup. It runs when all 128 threads have issued it and its moment has come.
struct WgmmaOperation {
  enum class Moment : uint8_t { issue, commit, wait };

  WgmmaShape shape;
  uint64_t a = 0, b = 0;  // descriptors
  bool a_in_registers = false;
  uint32_t a_registers[128][4];
  float* accumulators[128];
  Site site{"", 0};
  uint16_t first = 0;  // the thread that issued it first
  int issued = 0;      // threads
  Moment moment = Moment::wait;
  uint64_t ticket = 0;  // the tracer's
};
struct WgmmaCommit {
  uint64_t upto = 0;  // operations issued before it
  int committed = 0;  // threads
};
struct Warpgroup {
  std::deque<WgmmaOperation> operations;  // that have not run
  uint64_t first = 0;                     // the number of operations.front()
  std::deque<WgmmaCommit> commits;        // that not all threads have made
  uint64_t first_commit = 0;
  uint32_t waiting = 0;  // threads
  uint64_t wanted = 0;   // operations they wait for
  std::vector<uint16_t> waiters;
};

// Shared memory of a block: dynamic first, then what block_shared<T>() asks for. Filled with 0xff,
// which is NaN in every floating type, when the block starts.
struct Arena {
  unsigned char* base = nullptr;
  size_t dynamic = 0, used = 0;
  std::vector<std::pair<const void*, size_t>> statics;  // key of the type, offset
};

struct Block {
  Gang* gang = nullptr;
  uint3 index{};
  uint32_t rank = 0;  // in its cluster
  int thread_count = 0, started = 0, live = 0, warps = 0;
  std::vector<Thread> threads;
  std::vector<Rendezvous> rendezvous;  // [warp][lowest lane]
  std::array<Barrier, 16> barriers;
  std::vector<Warpgroup> warpgroups;
  Arena arena;
  std::unordered_map<uintptr_t, std::vector<uint16_t>> mbarrier_waiters;
  void* trace = nullptr;  // the tracer's own
};

struct Launch {
  std::string name;
  std::function<void()> entry;  // calls the kernel with its arguments
  dim3 grid, block, cluster;
  size_t dynamic_shared = 0;
};

// The blocks that one host thread runs at a time, and its scheduler.
struct Gang {
  const Launch* launch = nullptr;
  std::vector<std::unique_ptr<Block>> blocks;
  uint32_t block_count = 0;    // of this launch: the size of the cluster
  uint64_t number = 0;         // of the cluster in the grid
  std::vector<Thread*> order;  // in which threads start
  size_t started = 0, live = 0;
  std::vector<Thread*> ring;  // ready threads; a power of two
  uint32_t head = 0, tail = 0;
  FiberPool fibers;
  Fiber main;
  Fiber* starting = nullptr;
  std::deque<AsyncPointer> async;
  int cluster_arrived = 0;  // threads at the cluster barrier
  uint64_t cluster_phase = 0;
  std::vector<Thread*> cluster_waiters;
  bool seeded = false, failed = false;
  std::string error;
  uint64_t random_state = 1;
  uint64_t switches = 0, collectives = 0;

  uint64_t random();
  bool chance(double probability);
};

extern constinit thread_local Thread* current;  // null outside kernels
inline Block& block_of(Thread& thread) { return *thread.block; }

// ---- scheduler.cpp ----
void make_ready(Thread& thread);
// The current thread cannot go on; its wait, what, site say why.
void suspend(Wait wait, const char* what, Site site, uintptr_t object = 0, int detail = 0);
void run_gang(Gang& gang, uint64_t number);
// Ends the launch with an error that names the current thread and `site`.
[[noreturn]] void fail(std::string message, Site site);
void enqueue_async(AsyncPointer operation);
void land(AsyncOperation& operation);

// ---- barrier.cpp, warp.cpp, cluster.cpp, mbarrier.cpp, tma.cpp, wgmma.cpp ----
void leave_barriers(Thread& thread);  // a thread that ends is excused from __syncthreads
void leave_cluster(Thread& thread);
void complete_transaction(uint64_t* mbarrier, int64_t bytes, Block& block);
void check_bulk_stores(const Thread& thread);  // a thread that ends has waited for them
void check_wgmma_complete(const Thread& thread);
uint32_t live_lanes(const Thread& thread);

// ---- shared memory (arena.cpp) ----
void prepare_arena(Arena& arena, size_t dynamic);
// Offset of p in the current block's shared memory; an error when it is not there.
uint32_t shared_offset(const void* p, Site site);
// The block of the current gang whose shared memory holds p; null: none.
Block* owner_of(const void* p);
void require_arch(int arch, const char* what, Site site);

// ---- report.cpp ----
std::string name_of(const Thread& thread);
std::string place(Site site);
std::string deadlock_report(const Gang& gang);

}  // namespace strata::sim
