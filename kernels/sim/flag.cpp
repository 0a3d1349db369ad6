#include "kernels/sim/flag.h"

#include <atomic>
#include <thread>

#include "kernels/sim/block.h"

namespace strata::sim {

namespace {

bool raised(uintptr_t flag) {
  auto* word = reinterpret_cast<uint32_t*>(flag);
  return std::atomic_ref<uint32_t>(*word).load(std::memory_order_acquire) != 0;
}

// Moves who waits for a raised flag to the ready ones.
bool wake(Gang& gang) {
  bool any = false;
  std::erase_if(gang.flag_waiters, [&](Thread* thread) {
    if (!raised(thread->object)) return false;
    make_ready(*thread);
    return any = true;
  });
  return any;
}

}  // namespace

void raise_flag(uint32_t* flag) {
  std::atomic_ref<uint32_t>(*flag).store(1, std::memory_order_release);
}

void await_flag(const uint32_t* flag, Site site) {
  const auto object = reinterpret_cast<uintptr_t>(flag);
  if (raised(object)) return;
  current->block->gang->flag_waiters.push_back(current);
  suspend(Wait::flag, "await_flag", site, object);
}

bool wake_flag_waiters(Gang& gang) {
  if (gang.flag_waiters.empty()) return false;
  if (wake(gang)) return true;
  // Other gangs may be about to raise it. When none has been at work for a while, nobody will.
  constexpr int patience = 20000;
  Progress& progress = *gang.progress;
  --progress.at_work;
  bool any = false;
  for (int idle = 0; !any && idle < patience && !progress.failed; ++idle) {
    if (progress.at_work > 0) idle = 0;
    std::this_thread::yield();
    any = wake(gang);
  }
  ++progress.at_work;
  return any;
}

}  // namespace strata::sim
