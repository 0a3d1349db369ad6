// Fibers: stacks of their own and a switch between them of about fifteen instructions (x86-64,
// aarch64). Without a system call a switch costs 6 to 9 ns; ucontext costs 170 ns or more.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace strata::sim {

struct Fiber {
  void* stack_pointer = nullptr;
  unsigned char* low = nullptr;  // the stack's lowest byte
  size_t size = 0;
  void* shadow = nullptr;  // the address sanitizer's
};

// Leaves `from` (which may be switched to again, unless `from_ends`) and goes on in `to`.
void switch_fiber(Fiber& from, Fiber& to, bool from_ends);
// To be called first in a new fiber; fills `main` with the bounds of the stack it came from.
void enter_fiber(Fiber& main);

// Stacks with a guard page each, mapped once and used again; memory is touched only when used.
class FiberPool {
 public:
  FiberPool() = default;
  FiberPool(const FiberPool&) = delete;
  FiberPool& operator=(const FiberPool&) = delete;
  ~FiberPool();
  // All fibers are free again, and there are `count` at least.
  void reset(size_t count, size_t stack_bytes);
  // A fiber that will run `entry` when switched to.
  Fiber* take(void (*entry)());
  void give(Fiber* fiber) { free_.push_back(fiber); }
  bool holds(const void* p) const;

 private:
  struct Map {
    unsigned char* base;
    size_t bytes;
  };
  std::vector<Map> maps_;
  std::vector<std::unique_ptr<Fiber>> fibers_;
  std::vector<Fiber*> free_;
  size_t stack_bytes_ = 0;
};

}  // namespace strata::sim
