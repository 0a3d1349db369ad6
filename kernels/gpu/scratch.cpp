#include "kernels/gpu/scratch.h"

#include <bit>
#include <map>
#include <mutex>
#include <vector>

namespace strata::gpu {

namespace {

// Memory given back is handed out again to the same stream only: what still uses it there comes
// earlier in the stream than what will.
struct Pool {
  std::mutex mutex;
  std::map<std::pair<Stream, size_t>, std::vector<void*>> idle;
};
Pool& pool() {
  static Pool* instance = new Pool;
  return *instance;
}

}  // namespace

Scratch::Scratch(size_t bytes, Stream stream) : stream_(stream) {
  if (bytes == 0) return;
  size_ = std::bit_ceil(bytes < 256 ? size_t{256} : bytes);
  std::lock_guard lock(pool().mutex);
  std::vector<void*>& idle = pool().idle[{stream, size_}];
  if (idle.empty()) {
    memory_ = allocate(size_);
  } else {
    memory_ = idle.back();
    idle.pop_back();
  }
}

Scratch::~Scratch() {
  if (!memory_) return;
  std::lock_guard lock(pool().mutex);
  pool().idle[{stream_, size_}].push_back(memory_);
}

void trim_scratch() {
  synchronize_all();
  std::lock_guard lock(pool().mutex);
  for (auto& [key, idle] : pool().idle) {
    for (void* memory : idle) release(memory);
    idle.clear();
  }
}

}  // namespace strata::gpu
