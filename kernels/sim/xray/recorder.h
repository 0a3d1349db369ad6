// The x-ray's recorder: watches instrumented kernels and counts, for each place in the source, what
// the memory system would be asked for.
//
// A kernel file compiled with -fsanitize=thread (compiled only, not linked) calls a function before
// each access; callbacks.cpp supplies those functions. The recorder keeps each lane's accesses, and
// at every point where a whole warp has met pairs the k-th execution of an instruction across
// lanes: that is one request. From a request it counts
//   global memory   sectors: distinct units of 32 bytes. Ideal: the fewest that could hold the
//   distinct
//                   bytes asked for.
//   shared memory   wavefronts: passes over the 32 banks of 4 bytes. Lanes go in one pass when they
//   ask
//                   for 4 bytes, in two of 16 lanes for 8, in four of 8 lanes for 16; a pass takes
//                   as many wavefronts as the most different words in one bank. Ideal: one a pass.
//
// What it cannot count: arithmetic outside tensor cores, instructions, hits in caches, spills,
// occupancy. Launches run on one host thread while it watches.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kernels/sim/tracer.h"
#include "kernels/sim/xray/place.h"

namespace strata::sim {

class RaceDetector;

enum class Space : uint8_t { global, shared };

// Requests of one kind from one place.
struct Traffic {
  Space space = Space::global;
  bool write = false;
  uint32_t size = 0;      // bytes a lane asks for
  uint64_t requests = 0;  // of warps
  uint64_t lanes = 0;     // lanes in them, summed
  uint64_t units = 0;     // sectors or wavefronts
  uint64_t ideal = 0;     // the fewest possible
  double units_each() const {
    return requests ? static_cast<double>(units) / static_cast<double>(requests) : 0;
  }
  double excess() const {
    return ideal ? static_cast<double>(units) / static_cast<double>(ideal) : 1;
  }
};

struct PlaceReport {
  Place place;
  std::vector<Traffic> traffic;
  uint64_t barriers = 0;                   // times threads met here
  uint64_t barrier_threads = 0;            // threads that met, summed
  uint64_t multiply_adds = 0;              // on tensor cores
  uint64_t copied_in = 0, copied_out = 0;  // bytes of the copy engine, to and from shared memory
};

struct Race {
  std::string kind;  // "read after write"
  Place first, second;
  std::string detail;  // who, and where in shared memory
  uint64_t count = 0;
};

// What was seen of the launches of one kernel.
struct KernelReport {
  std::string name;
  uint64_t launches = 0, blocks = 0, threads_a_block = 0, dynamic_shared = 0;
  std::vector<PlaceReport> places;
  std::vector<Race> races;
  std::map<std::string, uint64_t> multiply_adds;   // on tensor cores, by type
  uint64_t sectors_read = 0, sectors_written = 0;  // requested, copy engine included
  uint64_t bytes_read = 0, bytes_written = 0;      // distinct sectors of device memory, in bytes
  uint64_t ideal_sectors = 0, wavefronts = 0, ideal_wavefronts = 0;
  double sector_excess() const {
    return ideal_sectors ? static_cast<double>(sectors_read + sectors_written) /
                               static_cast<double>(ideal_sectors)
                         : 1;
  }
  double wavefront_excess() const {
    return ideal_wavefronts
               ? static_cast<double>(wavefronts) / static_cast<double>(ideal_wavefronts)
               : 1;
  }
};

struct RecorderOptions {
  bool races = true;  // slows down by 10 to 60 times; small shapes
};

class Recorder : public Tracer {
 public:
  explicit Recorder(RecorderOptions options = {});
  ~Recorder() override;
  std::vector<KernelReport> reports() const;

  // An instrumented instruction at `pc` of the running thread.
  void instruction(Thread& thread, const void* address, uint32_t bytes, bool write, const void* pc);

  void launch_began(const Launch& launch) override;
  void block_began(Block& block) override;
  void block_ended(Block& block) override;
  void thread_ended(Thread& thread) override;
  void access(Thread& thread, const void* p, size_t bytes, bool write, Site site) override;
  void warp_met(Block& block, int warp, uint32_t lanes, bool orders, const char* name,
                Site site) override;
  void barrier_arrived(Thread& thread, int id, Site site) override;
  void barrier_met(Block& block, int id, const uint16_t* threads, size_t count, Site site) override;
  void cluster_met(Block* const* blocks, size_t count, Site site) override;
  void release(Thread& thread, const void* object, Site site) override;
  void acquire(Thread& thread, const void* object, Site site) override;
  void proxy_fence(Thread& thread, Site site) override;
  uint64_t async_issued(Thread& issuer, Agent agent, Site site) override;
  void async_joined(uint64_t ticket, Thread& issuer) override;
  void async_access(uint64_t ticket, Block* block, const void* p, size_t bytes, bool write,
                    int warp) override;
  void async_landed(uint64_t ticket, const void* object) override;
  void async_waited(Thread& thread, Agent agent, Site site) override;
  void warpgroup_waited(Thread& thread, Site site) override;
  void tensor_operations(Thread& thread, const char* type, uint64_t multiply_adds,
                         Site site) override;

 private:
  struct Access;
  struct Lane;
  struct BlockTrace;
  struct Kernel;
  struct Ticket;
  void record(Thread& thread, const void* p, uint32_t bytes, bool write, PlaceKey place);
  void flush(Block& block, int warp);
  void account(const std::vector<Access>& request);
  static int slot_of(const RaceDetector& races, const Ticket& ticket, uint64_t number, int warp);
  static const std::vector<uint32_t>& known_to(Ticket& ticket, int warp);
  Kernel& kernel();

  RecorderOptions options_;
  std::map<std::string, std::unique_ptr<Kernel>> kernels_;
  Kernel* running_ = nullptr;
  std::unordered_map<uint64_t, Ticket> tickets_;
  uint64_t next_ticket_ = 1;
};

}  // namespace strata::sim
