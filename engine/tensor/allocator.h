// The caching allocator: freed blocks are kept, by size, for the next tensor that fits. Training
// steps repeat the same sizes, so after the first step nothing is asked of the system, and pages
// stay mapped (page faults are what makes large tensors slow elsewhere).
//
// Sizes are rounded up to one of eight steps a power of two (at most 12.5 % waste), 64 bytes at
// least; blocks are aligned to 64 bytes, the width of a cache line and of an AVX-512 register (on
// the gpu to 256). Each device has a pool of its own. A block of the gpu is handed out again in
// stream order: what used it before comes earlier in the stream than what will use it next. All
// functions may be called from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor/device.h"

namespace strata::memory {

struct Stats {
  size_t active = 0;         // bytes in live blocks
  size_t cached = 0;         // bytes kept for reuse
  size_t peak = 0;           // largest `active` since the start or reset_peak()
  size_t limit = 0;          // 0: no limit. active + cached never exceeds it
  uint64_t allocations = 0;  // calls of allocate()
  uint64_t from_system = 0;  // of these, the ones that the cache could not serve
};

Stats stats(Device device = Device::cpu);
void reset_peak(Device device = Device::cpu);
// Bytes that active + cached may reach; 0 lifts the limit. Going over it throws OutOfMemory.
void set_limit(size_t bytes, Device device = Device::cpu);
// Returns the cached blocks to the system or the device.
void clear_cache(Device device = Device::cpu);

// The op on whose behalf this thread allocates, shown by the report of an out-of-memory error.
class Holder {
 public:
  explicit Holder(const char* op);
  ~Holder();
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

 private:
  const char* previous_;
};

struct Holding {
  std::string op;
  size_t bytes;
};
// Live blocks of at least 64 KiB, summed by op, largest first.
std::vector<Holding> largest_holders(size_t count, Device device = Device::cpu);

// Uninitialised bytes. `bytes` 0 gives a null pointer.
void* allocate(size_t bytes, Device device = Device::cpu);
void release(void* data, size_t bytes, Device device = Device::cpu);

}  // namespace strata::memory
