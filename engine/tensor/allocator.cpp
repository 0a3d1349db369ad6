#include "engine/tensor/allocator.h"

#include <sanitizer/asan_interface.h>  // whose macros do nothing where the sanitizer is off
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <unordered_map>

#include "engine/error.h"

namespace strata::memory {
namespace {

constexpr size_t smallest = 64, steps = 8, large = size_t{2} << 20, watched = size_t{64} << 10;
constexpr size_t classes = 64 * steps;

thread_local const char* current_op = "user code";

// Index of the smallest size class that holds `bytes`, and the size of a class: eight equal steps
// between two powers of two.
size_t class_of(size_t bytes) {
  bytes = std::max(bytes, smallest) - 1;
  size_t power = std::bit_width(bytes) - 1;
  size_t step = (bytes >> (power - 3)) & 7;
  return power * steps + step + 1;
}
size_t class_size(size_t index) {
  size_t power = (index - 1) / steps, step = (index - 1) % steps;
  return (size_t{1} << power) + ((step + 1) << (power - 3));
}

struct Pool {
  const Device device;
  std::mutex mutex;
  std::array<std::vector<void*>, classes> free;
  std::unordered_map<void*, Holding> live;  // blocks of at least `watched` bytes
  Stats stats;

  explicit Pool(Device device) : device(device) {}

  void* from_system(size_t bytes) {
    if (device == Device::gpu) {
      try {
        return gpu::allocate(bytes);
      } catch (const std::bad_alloc&) {
        return nullptr;
      }
    }
    size_t alignment = bytes >= large ? large : smallest;
    void* data = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (data && bytes >= large) madvise(data, bytes, MADV_HUGEPAGE);  // fewer page faults
    return data;
  }

  void clear() {
    for (size_t index = 0; index < classes; ++index) {
      for (void* data : free[index]) {
        if (device == Device::gpu) {
          gpu::release(data);
          continue;
        }
        ASAN_UNPOISON_MEMORY_REGION(data, class_size(index));
        std::free(data);
      }
      free[index].clear();
    }
    stats.cached = 0;
  }

  std::vector<Holding> holders(size_t count) const {
    std::map<std::string, size_t> sums;
    for (auto& [data, holding] : live) sums[holding.op] += holding.bytes;
    std::vector<Holding> result;
    for (auto& [op, bytes] : sums) result.push_back({op, bytes});
    std::stable_sort(result.begin(), result.end(),
                     [](auto& a, auto& b) { return a.bytes > b.bytes; });
    if (result.size() > count) result.resize(count);
    return result;
  }

  [[noreturn]] void out_of_memory(size_t bytes) const {
    auto mib = [](size_t b) { return fmt::format("{:.1f} MiB", static_cast<double>(b) / 1048576); };
    std::string who;
    for (auto& h : holders(3)) {
      who += fmt::format("{}{} {}", who.empty() ? "" : ", ", h.op, mib(h.bytes));
    }
    throw OutOfMemory(
        fmt::format("[{}] out of {}memory: asked for {}; in use {}, cached {}, peak {}, limit {}; "
                    "largest holders: "
                    "{}. Use a smaller batch, checkpoint activations, or raise the limit",
                    current_op, device == Device::gpu ? "gpu " : "", mib(bytes), mib(stats.active),
                    mib(stats.cached), mib(stats.peak), stats.limit ? mib(stats.limit) : "none",
                    who.empty() ? "none of 64 KiB" : who));
  }
};

// Never destroyed: tensors in static storage may be released after it would be.
Pool& pool(Device device) {
  static Pool *cpu = new Pool(Device::cpu), *gpu = new Pool(Device::gpu);
  return device == Device::cpu ? *cpu : *gpu;
}

}  // namespace

Holder::Holder(const char* op) : previous_(current_op) { current_op = op; }
Holder::~Holder() { current_op = previous_; }

void* allocate(size_t bytes, Device device) {
  if (bytes == 0) return nullptr;
  Pool& p = pool(device);
  if (bytes > size_t{1} << 46) p.out_of_memory(bytes);
  size_t index = class_of(bytes), size = class_size(index);
  std::lock_guard lock(p.mutex);
  void* data = nullptr;
  if (!p.free[index].empty()) {
    data = p.free[index].back();
    p.free[index].pop_back();
    p.stats.cached -= size;
  } else {
    ++p.stats.from_system;
    if (p.stats.limit && p.stats.active + p.stats.cached + size > p.stats.limit) p.clear();
    if (p.stats.limit && p.stats.active + size > p.stats.limit) p.out_of_memory(bytes);
    data = p.from_system(size);
    if (!data) {
      p.clear();
      data = p.from_system(size);
    }
    if (!data) p.out_of_memory(bytes);
  }
  ++p.stats.allocations;
  p.stats.active += size;
  p.stats.peak = std::max(p.stats.peak, p.stats.active);
  if (size >= watched) p.live[data] = {current_op, size};
  // Under AddressSanitizer cached blocks, and what rounding adds to a live one, cannot be touched.
  if (device == Device::cpu) {
    ASAN_POISON_MEMORY_REGION(data, size);
    ASAN_UNPOISON_MEMORY_REGION(data, bytes);
  }
  return data;
}

void release(void* data, size_t bytes, Device device) {
  if (!data) return;
  size_t index = class_of(bytes), size = class_size(index);
  Pool& p = pool(device);
  if (device == Device::cpu) ASAN_POISON_MEMORY_REGION(data, size);
  std::lock_guard lock(p.mutex);
  p.free[index].push_back(data);
  p.stats.active -= size;
  p.stats.cached += size;
  if (size >= watched) p.live.erase(data);
}

Stats stats(Device device) {
  std::lock_guard lock(pool(device).mutex);
  return pool(device).stats;
}

void reset_peak(Device device) {
  std::lock_guard lock(pool(device).mutex);
  pool(device).stats.peak = pool(device).stats.active;
}

void set_limit(size_t bytes, Device device) {
  std::lock_guard lock(pool(device).mutex);
  pool(device).stats.limit = bytes;
  if (bytes && pool(device).stats.active + pool(device).stats.cached > bytes) pool(device).clear();
}

void clear_cache(Device device) {
  std::lock_guard lock(pool(device).mutex);
  pool(device).clear();
}

std::vector<Holding> largest_holders(size_t count, Device device) {
  std::lock_guard lock(pool(device).mutex);
  return pool(device).holders(count);
}

}  // namespace strata::memory
