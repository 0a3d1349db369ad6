#include "engine/tensor/allocator.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <map>
#include <mutex>
#include <unordered_map>

#include "engine/error.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(data, size) ((void)(data), (void)(size))
#define ASAN_UNPOISON_MEMORY_REGION(data, size) ((void)(data), (void)(size))
#endif

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
  std::mutex mutex;
  std::array<std::vector<void*>, classes> free;
  std::unordered_map<void*, Holding> live;  // blocks of at least `watched` bytes
  Stats stats;

  void* from_system(size_t bytes) {
    size_t alignment = bytes >= large ? large : smallest;
    void* data = std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (data && bytes >= large) madvise(data, bytes, MADV_HUGEPAGE);  // fewer page faults
    return data;
  }

  void clear() {
    for (size_t index = 0; index < classes; ++index) {
      for (void* data : free[index]) {
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
        fmt::format("[{}] out of memory: asked for {}; in use {}, cached {}, peak {}, limit {}; "
                    "largest holders: "
                    "{}. Use a smaller batch, checkpoint activations, or raise the limit",
                    current_op, mib(bytes), mib(stats.active), mib(stats.cached), mib(stats.peak),
                    stats.limit ? mib(stats.limit) : "none", who.empty() ? "none of 64 KiB" : who));
  }
};

// Never destroyed: tensors in static storage may be released after it would be.
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

}  // namespace

Holder::Holder(const char* op) : previous_(current_op) { current_op = op; }
Holder::~Holder() { current_op = previous_; }

void* allocate(size_t bytes) {
  if (bytes == 0) return nullptr;
  Pool& p = pool();
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
  ASAN_POISON_MEMORY_REGION(data, size);
  ASAN_UNPOISON_MEMORY_REGION(data, bytes);
  return data;
}

void release(void* data, size_t bytes) {
  if (!data) return;
  size_t index = class_of(bytes), size = class_size(index);
  Pool& p = pool();
  ASAN_POISON_MEMORY_REGION(data, size);
  std::lock_guard lock(p.mutex);
  p.free[index].push_back(data);
  p.stats.active -= size;
  p.stats.cached += size;
  if (size >= watched) p.live.erase(data);
}

Stats stats() {
  std::lock_guard lock(pool().mutex);
  return pool().stats;
}

void reset_peak() {
  std::lock_guard lock(pool().mutex);
  pool().stats.peak = pool().stats.active;
}

void set_limit(size_t bytes) {
  std::lock_guard lock(pool().mutex);
  pool().stats.limit = bytes;
  if (bytes && pool().stats.active + pool().stats.cached > bytes) pool().clear();
}

void clear_cache() {
  std::lock_guard lock(pool().mutex);
  pool().clear();
}

std::vector<Holding> largest_holders(size_t count) {
  std::lock_guard lock(pool().mutex);
  return pool().holders(count);
}

}  // namespace strata::memory
