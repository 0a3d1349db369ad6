// cp.async: a thread's own copies from global to shared memory, by groups. In the fixed order they
// land when they are waited for, as late as can be; in seeded schedules some land at once.
#include "kernels/sim/async_copy.h"

#include <fmt/format.h>

#include "kernels/sim/block.h"
#include "kernels/sim/tracer.h"

namespace strata::sim {

namespace {

void perform(const AsyncCopy& copy) {
  std::memcpy(copy.to, copy.from, copy.valid);
  std::memset(static_cast<char*>(copy.to) + copy.valid, 0, copy.bytes - copy.valid);
}

}  // namespace

void copy_async(void* shared, const void* global, unsigned bytes, unsigned valid, Site site) {
  require_arch(80, "cp.async", site);
  if (reinterpret_cast<uintptr_t>(shared) % bytes ||
      (valid && reinterpret_cast<uintptr_t>(global) % bytes))
    fail(fmt::format(
             "cp.async of {} bytes: both addresses must be multiples of {} (shared {}, global {})",
             bytes, bytes, shared, global),
         site);
  shared_offset(shared, site);
  if (Tracer* tracer = config().tracer) {
    if (valid) tracer->access(*current, global, valid, false, site);
    tracer->access(*current, shared, bytes, true, site);
  }
  const AsyncCopy copy{shared, global, bytes, valid};
  Gang& gang = *current->block->gang;
  if (gang.seeded && gang.random() % 4 == 0)
    perform(copy);
  else
    current->copies.push_back(copy);
}

void copy_commit(Site) {
  current->copy_groups.push_back(static_cast<uint32_t>(current->copies.size()));
}

void copy_wait(unsigned groups, Site site) {
  Thread& self = *current;
  if (self.copy_groups.size() > groups) {
    const auto done = static_cast<std::ptrdiff_t>(self.copy_groups.size() - groups);
    const uint32_t landed = self.copy_groups[static_cast<size_t>(done) - 1];
    for (uint32_t i = 0; i < landed; ++i) perform(self.copies[i]);
    self.copies.erase(self.copies.begin(), self.copies.begin() + landed);
    self.copy_groups.erase(self.copy_groups.begin(), self.copy_groups.begin() + done);
    for (uint32_t& end : self.copy_groups) end -= landed;
  }
  if (Tracer* tracer = config().tracer) tracer->async_waited(self, Agent::thread, site);
}

void proxy_fence(Site site) {
  if (Tracer* tracer = config().tracer) tracer->proxy_fence(*current, site);
}

}  // namespace strata::sim
