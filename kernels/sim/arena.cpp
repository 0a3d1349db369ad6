// A block's shared memory. Filled with 0xff (NaN) when the block starts, so that reading what
// nobody wrote shows; poisoned for the address sanitizer wherever the block has asked for nothing;
// refused past the device's limits.
#include <fmt/format.h>
#include <sys/mman.h>

#include <cstdlib>

#include "kernels/gpu/runtime.h"
#include "kernels/sim/block.h"
#include "kernels/sim/sanitizer.h"

namespace strata::sim {

namespace {

constexpr size_t capacity = 256 * 1024;  // more than any device has
constexpr size_t static_limit = 48 * 1024;

}  // namespace

void prepare_arena(Arena& arena, size_t dynamic) {
  if (!arena.base) {
    void* map = mmap(nullptr, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
      throw gpu::Error("the simulator got no memory for a block's shared memory");
    arena.base = static_cast<unsigned char*>(map);
    poison(arena.base, capacity);
  }
  if (arena.used > dynamic) poison(arena.base + dynamic, arena.used - dynamic);
  unpoison(arena.base, dynamic);
  std::memset(arena.base, 0xff, dynamic);
  arena.dynamic = arena.used = dynamic;
  arena.statics.clear();
}

void* block_shared(const void* key, size_t bytes, size_t alignment, Site site) {
  Arena& arena = current->block->arena;
  for (const auto& [known, offset] : arena.statics)
    if (known == key) return arena.base + offset;
  // Past a gap, so that running over the end of one object is seen.
  const size_t gap = arena.used ? 64 : 0;
  const size_t offset = (arena.used + gap + alignment - 1) / alignment * alignment;
  size_t total = bytes;
  for (size_t i = 0; i < arena.statics.size(); ++i)
    total += (i + 1 < arena.statics.size() ? arena.statics[i + 1].second : arena.used) -
             arena.statics[i].second;
  if (total > static_limit)
    fail(fmt::format("block_shared<T>() holds {} bytes by now; a block has {} of static shared "
                     "memory: ask for more with "
                     "dynamic_shared<T>()",
                     total, static_limit),
         site);
  if (arena.dynamic + total > config().device.shared_per_block)
    fail(fmt::format("the block uses {} bytes of shared memory; the {} has {}",
                     arena.dynamic + total, config().device.name, config().device.shared_per_block),
         site);
  unpoison(arena.base + offset, bytes);
  std::memset(arena.base + offset, 0xff, bytes);
  arena.statics.emplace_back(key, offset);
  arena.used = offset + bytes;
  return arena.base + offset;
}

void* dynamic_shared() { return current->block->arena.base; }

uint32_t shared_offset(const void* p, Site site) {
  const Arena& arena = current->block->arena;
  const auto offset = static_cast<size_t>(static_cast<const unsigned char*>(p) - arena.base);
  if (offset >= arena.used)
    fail(fmt::format("the address {} is not in the block's shared memory ({} bytes at {})", p,
                     arena.used, static_cast<const void*>(arena.base)),
         site);
  return static_cast<uint32_t>(offset);
}

Block* owner_of(const void* p) {
  Gang& gang = *current->block->gang;
  for (uint32_t rank = 0; rank < gang.block_count; ++rank) {
    const Arena& arena = gang.blocks[rank]->arena;
    if (p >= arena.base && p < arena.base + arena.used) return gang.blocks[rank].get();
  }
  return nullptr;
}

void require_arch(int arch, const char* what, Site site) {
  const gpu::DeviceInfo& device = config().device;
  if (device.arch < arch)
    fail(fmt::format("{} needs compute capability {}.{}; the {} has {}.{}", what, arch / 10,
                     arch % 10, device.name, device.arch / 10, device.arch % 10),
         site);
}

}  // namespace strata::sim
