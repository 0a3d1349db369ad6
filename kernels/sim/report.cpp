// Names for threads and places, and the report of a gang that is stuck: who waits where for what,
// in groups.
#include <fmt/format.h>

#include <map>

#include "kernels/sim/block.h"
#include "kernels/sim/mbarrier.h"

namespace strata::sim {

std::string place(Site site) {
  const char* slash = std::strrchr(site.file, '/');
  return fmt::format("{}:{}", slash ? slash + 1 : site.file, site.line);
}

std::string name_of(const Thread& thread) {
  const Block& block = *thread.block;
  return fmt::format("block ({},{},{}) thread ({},{},{}) [warp {} lane {}]", block.index.x,
                     block.index.y, block.index.z, thread.index.x, thread.index.y, thread.index.z,
                     thread.warp, thread.lane);
}

namespace {

std::string state_of(const Thread& thread) {
  const Block& block = *thread.block;
  if (thread.wait == Wait::done) return "ended";
  std::string text = fmt::format("wait in {} at {}", thread.what, place(thread.site));
  if (thread.wait == Wait::warp) {
    text += fmt::format(" (warp {}, mask 0x{:08x})", thread.warp, thread.object);
  } else if (thread.wait == Wait::mbarrier) {
    const MbarrierBits& bits = mbarrier_bits(reinterpret_cast<const uint64_t*>(thread.object));
    text += fmt::format(
        " (mbarrier at shared offset {}, parity {}: {} of {} arrivals and {} bytes are missing)",
        thread.object - reinterpret_cast<uintptr_t>(block.arena.base), thread.detail,
        static_cast<unsigned>(bits.pending), static_cast<unsigned>(bits.expected),
        static_cast<int64_t>(bits.bytes));
  } else if (thread.wait == Wait::barrier) {
    const Barrier& barrier = block.barriers[static_cast<size_t>(thread.detail)];
    text += fmt::format(" (barrier {}: {} of {} have come)", thread.detail, barrier.arrived,
                        barrier.expected < 0 ? block.live : barrier.expected);
  }
  return text;
}

// "0-31,40" of sorted numbers, at most six ranges.
std::string ranges(const std::vector<int>& numbers) {
  std::string text;
  size_t i = 0;
  for (int shown = 0; i < numbers.size() && shown < 6; ++shown) {
    size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    if (shown) text += ",";
    text +=
        last > i ? fmt::format("{}-{}", numbers[i], numbers[last]) : fmt::format("{}", numbers[i]);
    i = last + 1;
  }
  return i < numbers.size() ? text + ",..." : text;
}

}  // namespace

std::string deadlock_report(const Gang& gang) {
  std::string text = "deadlock: no thread can go on";
  for (uint32_t rank = 0; rank < gang.block_count; ++rank) {
    const Block& block = *gang.blocks[rank];
    text += fmt::format("\n  block ({},{},{}) of {}:", block.index.x, block.index.y, block.index.z,
                        gang.launch->name);
    std::map<std::string, std::vector<int>> groups;
    for (int i = 0; i < block.thread_count; ++i)
      groups[state_of(block.threads[static_cast<size_t>(i)])].push_back(i);
    for (const auto& [state, threads] : groups)
      text += fmt::format("\n    {} threads {}: {}", threads.size(), state, ranges(threads));
  }
  return text;
}

}  // namespace strata::sim
