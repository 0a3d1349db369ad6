// Workspace of a launcher: device memory that lives until the launches that use it are done, in
// stream order. It comes from a pool that keeps what was given back, one a stream, so a repeated
// launch asks nothing of the device.
#pragma once

#include <cstddef>

#include "kernels/gpu/runtime.h"

namespace strata::gpu {

class Scratch {
 public:
  explicit Scratch(size_t bytes, Stream stream = current_stream());
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  template <class T>
  T* as() const {
    return static_cast<T*>(memory_);
  }

 private:
  void* memory_ = nullptr;
  size_t size_ = 0;
  Stream stream_;
};

// Gives the pool's memory back to the device; waits for it first.
void trim_scratch();

}  // namespace strata::gpu
