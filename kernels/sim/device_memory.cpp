#include "kernels/sim/device_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <new>
#include <unordered_map>
#include <vector>

#include "kernels/sim/sanitizer.h"
#include "kernels/sim/simulator.h"

namespace strata::sim {

namespace {

constexpr size_t alignment = 256, capacity = size_t{16} << 30;

// Blocks are cut from the region's front and kept by size when they are given back. A gap after
// each lets the address sanitizer see a run over its end.
struct Region {
  std::mutex mutex;
  unsigned char* base = nullptr;
  size_t used = 0, live = 0;
  std::unordered_map<void*, size_t> sizes;                 // what was asked for
  std::map<size_t, std::vector<unsigned char*>> reusable;  // by size in the region
  int accesses = 0;
  bool closed = false;

  static size_t footprint(size_t bytes) {
    return (bytes + alignment - 1) / alignment * alignment + alignment;
  }

  void reserve() {
    if (base) return;
    void* map = mmap(nullptr, capacity, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED) throw std::bad_alloc();
    base = static_cast<unsigned char*>(map);
  }
  void set_closed(bool close) {
    if (!base || used == 0 || closed == close) return;
    const size_t page = 4096, bytes = (used + page - 1) / page * page;
    mprotect(base, bytes, close ? PROT_NONE : PROT_READ | PROT_WRITE);
    closed = close;
  }
};

Region& region() {
  static Region* instance = new Region;  // outlives every static that frees device memory
  return *instance;
}

}  // namespace

void* allocate_device(size_t bytes) {
  Region& r = region();
  std::lock_guard lock(r.mutex);
  r.reserve();
  const size_t size = Region::footprint(bytes);
  unsigned char* memory = nullptr;
  auto reusable = r.reusable.find(size);
  if (reusable != r.reusable.end() && !reusable->second.empty()) {
    memory = reusable->second.back();
    reusable->second.pop_back();
  } else {
    if (size > capacity - r.used) throw std::bad_alloc();
    memory = r.base + r.used;
    // The protected part grows with the region: open it first, so that no page is left behind
    // closed.
    const bool closed = r.closed;
    r.set_closed(false);
    r.used += size;
    poison(memory, size);
    if (closed) r.set_closed(true);
  }
  unpoison(memory, bytes);
  r.sizes[memory] = bytes;
  r.live += bytes;
  return memory;
}

void release_device(void* memory) noexcept {
  if (!memory) return;
  Region& r = region();
  std::lock_guard lock(r.mutex);
  auto found = r.sizes.find(memory);
  if (found == r.sizes.end()) return;
  const size_t size = Region::footprint(found->second);
  r.live -= found->second;
  r.sizes.erase(found);
  poison(static_cast<unsigned char*>(memory), size);
  r.reusable[size].push_back(static_cast<unsigned char*>(memory));
}

bool is_device_memory(const void* p) {
  const Region& r = region();
  return r.base && p >= r.base && p < r.base + r.used;
}

size_t device_bytes_free() {
  Region& r = region();
  std::lock_guard lock(r.mutex);
  return capacity - r.live;
}

DeviceAccess::DeviceAccess() {
  Region& r = region();
  std::lock_guard lock(r.mutex);
  if (r.accesses++ == 0) r.set_closed(false);
}

DeviceAccess::~DeviceAccess() {
  Region& r = region();
  std::lock_guard lock(r.mutex);
  if (--r.accesses == 0 && config().protect) r.set_closed(true);
}

}  // namespace strata::sim
