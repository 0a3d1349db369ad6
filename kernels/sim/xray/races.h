// Races in shared memory, by vector clocks. Each thread counts its steps and knows, of every other
// agent, up to which step it has seen; barriers, __syncwarp, and mbarriers pass that knowledge on.
// For every two bytes of shared memory the detector keeps the last write and the last two readers.
// An access that is not ordered with an earlier one by another agent, where one of the two writes,
// is a race; so is reading what nobody wrote.
//
// What a thread wrote, the copy engine and the tensor cores read through another proxy: between the
// write and what orders the two (a barrier, or nothing where the writer issues the operation
// itself) the writer must have called fence_async_shared(). A fence by the reader does not count,
// nor one after the barrier. For that each fence is a step of its thread's clock.
//
// Agents are the block's threads, the copy engine (48 slots) and the tensor cores (one a warp).
// A product of a warpgroup (wgmma) is of four warps: each reads its own rows of A and all of B, may
// count on what its lanes know together, and by wgmma_wait learns that its own part is complete.
//
// Knowledge that is shared by a slot may hide a race, never invent one. cp.async counts as written
// where it is issued. Blocks of a cluster: what comes from another block is seen, but its order is
// not checked, nor are its fences. Source: Flanagan and Freund 2009, "FastTrack".
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels/sim/xray/place.h"

namespace strata::sim {

class RaceDetector {
 public:
  // Told of each race: its kind, both places, the other agent, the offset in shared memory.
  using Report = std::function<void(const char* kind, PlaceKey first, PlaceKey second,
                                    const std::string& detail)>;

  RaceDetector(int threads, size_t bytes, Report report);

  void access(int thread, size_t offset, size_t bytes, bool write, PlaceKey place);
  // A thread has arrived at a barrier of the block and goes on; these wait, and have now met with
  // those that arrived there.
  void arrive(int id, int thread);
  void barrier(const uint16_t* threads, size_t count, int id);
  static constexpr int barriers = 16, of_warp = -1;
  void release(int thread, const void* object);
  void acquire(int thread, const void* object);
  void proxy_fence(int thread);

  using Clock = std::vector<uint32_t>;
  const Clock& clock_of(int thread) const { return clocks_[static_cast<size_t>(thread)]; }
  // What either knows; what both know.
  static void join(Clock& into, const Clock& from);
  static void meet(Clock& into, const Clock& from);

  // An access by the copy engine or a tensor core. `issued`: what its issuer knew when it issued
  // (null: a thread of another block did).
  void engine_access(int agent, const Clock* issued, size_t offset, size_t bytes, bool write,
                     PlaceKey place);
  void engine_landed(int agent, const void* object);
  void engine_waited(int thread, int agent);
  // The thread knows of the other warps of its warpgroup what it knows of its own.
  void warpgroup_waited(int thread);
  static constexpr int copy_slots = 48, warpgroups = 8, warps_of_group = 4;
  int copy_slot(uint64_t ticket) const { return threads_ + static_cast<int>(ticket % copy_slots); }
  int tensor_slot(int warp) const { return threads_ + copy_slots + warp; }
  // All four warps of a warpgroup. No slot of a clock: who knows of the four, knows of it.
  int group_agent(int warpgroup) const { return slots() + warpgroup; }

 private:
  struct Reader {
    uint32_t clock = 0;
    int32_t agent = -1;
    PlaceKey place = 0;
  };
  struct Cell {
    uint32_t write_clock = 0, write_fence = 0;  // the number of the writer's next fence
    int32_t writer = -1;
    PlaceKey write_place = 0;
    std::array<Reader, 2> readers;
  };
  int slots() const { return tensor_slot(warpgroups * warps_of_group); }
  int warpgroup_of(int agent) const;  // of a tensor core; else -1
  uint32_t& engine_clock(int agent);
  std::string agent_name(int agent) const;
  bool knows(const Clock& known, int agent, uint32_t clock) const;
  void check(const Cell& cell, const Clock& known, int agent, bool write, PlaceKey place,
             size_t offset);
  void check_fence(const Cell& cell, const Clock& known, int agent, PlaceKey place, size_t offset);
  void note(Cell& cell, int agent, uint32_t clock, bool write, PlaceKey place, uint32_t fence);

  int threads_;
  std::vector<Clock> clocks_;
  std::vector<std::vector<uint32_t>> fences_;  // of each thread: its clock at each of them
  std::vector<uint32_t> engine_clock_;         // of each copy slot, of each warpgroup
  std::vector<Cell> cells_;
  std::array<Clock, barriers> arrived_;  // what they knew, until the barrier is complete
  std::unordered_map<const void*, Clock> objects_;
  Report report_;
};

}  // namespace strata::sim
