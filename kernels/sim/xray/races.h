// Races in shared memory, by vector clocks. Each thread counts its steps and knows, of every other
// agent, up to which step it has seen; barriers, __syncwarp, and mbarriers pass that knowledge on.
// For every two bytes of shared memory the detector keeps the last write and the last two readers.
// An access that is not ordered with an earlier one by another agent, where one of the two writes,
// is a race; so is reading what nobody wrote, and reading by the copy engine or a tensor core what
// a thread wrote without a proxy fence.
//
// Agents are the block's threads, the copy engine (48 slots) and the tensor cores (one a
// warpgroup). Knowledge that is shared by a slot may hide a race, never invent one. Blocks of a
// cluster: what comes from another block is seen, but its order is not checked. Source: Flanagan
// and Freund 2009, "FastTrack".
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
  void barrier(const uint16_t* threads, size_t count);
  void release(int thread, const void* object);
  void acquire(int thread, const void* object);
  void proxy_fence(int thread) { ++fences_[static_cast<size_t>(thread)]; }

  using Clock = std::vector<uint32_t>;
  const Clock& clock_of(int thread) const { return clocks_[static_cast<size_t>(thread)]; }
  // An access by the copy engine or a tensor core. `issued`: what its issuer knew when it issued
  // (null: a thread of another block did).
  void engine_access(int slot, const Clock* issued, size_t offset, size_t bytes, bool write,
                     PlaceKey place);
  void engine_landed(int slot, const void* object);
  void engine_waited(int thread, int slot);
  static constexpr int copy_slots = 48, tensor_slots = 8;
  int copy_slot(uint64_t ticket) const { return threads_ + static_cast<int>(ticket % copy_slots); }
  int tensor_slot(int warpgroup) const { return threads_ + copy_slots + warpgroup % tensor_slots; }

 private:
  struct Reader {
    uint32_t clock = 0;
    int32_t agent = -1;
    PlaceKey place = 0;
  };
  struct Cell {
    uint32_t write_clock = 0, write_fence = 0;
    int32_t writer = -1;
    PlaceKey write_place = 0;
    std::array<Reader, 2> readers;
  };
  std::string agent_name(int agent) const;
  void check(const Cell& cell, const Clock& known, int agent, bool write, PlaceKey place,
             size_t offset);
  void note(Cell& cell, int agent, uint32_t clock, bool write, PlaceKey place, uint32_t fence);

  int threads_;
  std::vector<Clock> clocks_;
  std::vector<uint32_t> fences_;
  std::vector<uint32_t> engine_clock_;
  std::vector<Cell> cells_;
  std::unordered_map<const void*, Clock> objects_;
  Report report_;
};

}  // namespace strata::sim
