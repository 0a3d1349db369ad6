// The switch itself, and the pool of stacks. The context of a suspended fiber lies on its own
// stack: the registers that a call must preserve, and the place to return to.
#include "kernels/sim/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>

#include "kernels/sim/sanitizer.h"

// void strata_switch(void** save, void* to): pushes what a call preserves, swaps stacks, pops.
extern "C" void strata_switch(void** save, void* to);

#if defined(__x86_64__)
asm(R"(
.text
.globl strata_switch
.type strata_switch,@function
strata_switch:
  .cfi_startproc
  pushq %rbp
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbp, 0
  pushq %rbx
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %rbx, 0
  pushq %r12
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r12, 0
  pushq %r13
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r13, 0
  pushq %r14
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r14, 0
  pushq %r15
  .cfi_adjust_cfa_offset 8
  .cfi_rel_offset %r15, 0
  movq %rsp, (%rdi)
  movq %rsi, %rsp
.globl strata_switch_resume
strata_switch_resume:
  popq %r15
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r15
  popq %r14
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r14
  popq %r13
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r13
  popq %r12
  .cfi_adjust_cfa_offset -8
  .cfi_restore %r12
  popq %rbx
  .cfi_adjust_cfa_offset -8
  .cfi_restore %rbx
  popq %rbp
  .cfi_adjust_cfa_offset -8
  .cfi_restore %rbp
  ret
  .cfi_endproc
.size strata_switch,.-strata_switch
)");
#elif defined(__aarch64__)
asm(R"(
.text
.globl strata_switch
.type strata_switch,@function
strata_switch:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
.globl strata_switch_resume
strata_switch_resume:
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size strata_switch,.-strata_switch
)");
#else
#error "the simulator's fiber switch is written for x86-64 and aarch64"
#endif

namespace strata::sim {

void switch_fiber(Fiber& from, Fiber& to, bool from_ends) {
#ifdef STRATA_ASAN
  __sanitizer_start_switch_fiber(from_ends ? nullptr : &from.shadow, to.low, to.size);
#else
  (void)from_ends;
#endif
  strata_switch(&from.stack_pointer, to.stack_pointer);
#ifdef STRATA_ASAN
  __sanitizer_finish_switch_fiber(from.shadow, nullptr, nullptr);
#endif
}

void enter_fiber(Fiber& main) {
#ifdef STRATA_ASAN
  const void* low;
  size_t size;
  __sanitizer_finish_switch_fiber(nullptr, &low, &size);
  if (!main.low) {
    main.low = static_cast<unsigned char*>(const_cast<void*>(low));
    main.size = size;
  }
#else
  (void)main;
#endif
}

FiberPool::~FiberPool() {
  for (const Map& map : maps_) munmap(map.base, map.bytes);
}

void FiberPool::reset(size_t count, size_t stack_bytes) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  stack_bytes = (stack_bytes + page - 1) / page * page;
  if (stack_bytes != stack_bytes_) {
    for (const Map& map : maps_) munmap(map.base, map.bytes);
    maps_.clear();
    fibers_.clear();
    stack_bytes_ = stack_bytes;
  }
  if (fibers_.size() < count) {
    const size_t more = count - fibers_.size(), bytes = more * stack_bytes;
    void* map = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
      throw std::runtime_error("the simulator got no memory for the stacks of its threads");
    auto* base = static_cast<unsigned char*>(map);
    maps_.push_back({base, bytes});
    for (size_t i = 0; i < more; ++i) {
      unsigned char* low = base + i * stack_bytes;
      mprotect(low, page, PROT_NONE);
      fibers_.push_back(
          std::make_unique<Fiber>(Fiber{nullptr, low + page, stack_bytes - page, nullptr}));
    }
  }
  free_.clear();
  for (size_t i = fibers_.size(); i-- > 0;) free_.push_back(fibers_[i].get());
}

Fiber* FiberPool::take(void (*entry)()) {
  Fiber* fiber = free_.back();
  free_.pop_back();
  unpoison(fiber->low, fiber->size);
  // Stacks at equal offsets in their pages would fight for the same lines of the first-level cache.
  const size_t colour = (reinterpret_cast<uintptr_t>(fiber->low) / stack_bytes_ * 3 % 60) * 64;
  const uintptr_t top =
      (reinterpret_cast<uintptr_t>(fiber->low) + fiber->size - colour) & ~uintptr_t{15};
  auto* slot = reinterpret_cast<void**>(top);
#if defined(__x86_64__)
  *--slot = nullptr;  // where the call chain ends
  *--slot = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; ++i) *--slot = nullptr;
#else
  slot -= 20;
  for (int i = 0; i < 20; ++i) slot[i] = nullptr;
  slot[11] = reinterpret_cast<void*>(entry);  // x30, where strata_switch returns to
#endif
  fiber->stack_pointer = slot;
  fiber->shadow = nullptr;
  return fiber;
}

bool FiberPool::holds(const void* p) const {
  for (const Map& map : maps_)
    if (p >= map.base && p < map.base + map.bytes) return true;
  return false;
}

}  // namespace strata::sim
