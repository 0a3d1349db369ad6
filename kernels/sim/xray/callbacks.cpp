// The functions that instrumented code calls before each access: our own bodies for the callbacks
// of -fsanitize=thread, whose runtime is not linked. Only kernel files are compiled with it.
#include "kernels/sim/block.h"
#include "kernels/sim/xray/recorder.h"

namespace {

using namespace strata::sim;

inline __attribute__((always_inline)) void hit(const void* address, uint32_t bytes, bool write,
                                               const void* pc) {
  Thread* thread = current;
  if (!thread) return;
  // The only tracer that instrumented programs install.
  if (auto* recorder = static_cast<Recorder*>(config().tracer))
    recorder->instruction(*thread, address, bytes, write, pc);
  Gang& gang = *thread->block->gang;
  if (config().preempt > 0 && gang.seeded && !gang.fibers.holds(address) &&
      gang.chance(config().preempt))
    yield();
}

}  // namespace

#define PC __builtin_return_address(0)
#define CALLBACKS(bytes)                                                                        \
  void __tsan_read##bytes(void* p) { hit(p, bytes, false, PC); }                                \
  void __tsan_write##bytes(void* p) { hit(p, bytes, true, PC); }                                \
  void __tsan_unaligned_read##bytes(void* p) { hit(p, bytes, false, PC); }                      \
  void __tsan_unaligned_write##bytes(void* p) { hit(p, bytes, true, PC); }                      \
  void __tsan_volatile_read##bytes(void* p) { hit(p, bytes, false, PC); }                       \
  void __tsan_volatile_write##bytes(void* p) { hit(p, bytes, true, PC); }                       \
  void __tsan_unaligned_volatile_read##bytes(void* p) { hit(p, bytes, false, PC); }             \
  void __tsan_unaligned_volatile_write##bytes(void* p) { hit(p, bytes, true, PC); }             \
  void __tsan_read_write##bytes(void* p) { hit(p, bytes, false, PC), hit(p, bytes, true, PC); } \
  void __tsan_unaligned_read_write##bytes(void* p) {                                            \
    hit(p, bytes, false, PC), hit(p, bytes, true, PC);                                          \
  }

#define ATOMICS(bits, type)                                                                       \
  type __tsan_atomic##bits##_load(const volatile type* p, int) {                                  \
    hit(const_cast<type*>(p), bits / 8, false, PC);                                               \
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                  \
  }                                                                                               \
  void __tsan_atomic##bits##_store(volatile type* p, type value, int) {                           \
    hit(const_cast<type*>(p), bits / 8, true, PC);                                                \
    __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                               \
  type __tsan_atomic##bits##_exchange(volatile type* p, type value, int) {                        \
    return __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST);                                       \
  }                                                                                               \
  type __tsan_atomic##bits##_fetch_add(volatile type* p, type value, int) {                       \
    return __atomic_fetch_add(p, value, __ATOMIC_SEQ_CST);                                        \
  }                                                                                               \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile type* p, type* expected, type value, \
                                                    int, int) {                                   \
    return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST,               \
                                       __ATOMIC_SEQ_CST);                                         \
  }                                                                                               \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile type* p, type* expected, type value,   \
                                                  int, int) {                                     \
    return __atomic_compare_exchange_n(p, expected, value, false, __ATOMIC_SEQ_CST,               \
                                       __ATOMIC_SEQ_CST);                                         \
  }

#pragma GCC diagnostic ignored "-Wmissing-declarations"
extern "C" {
CALLBACKS(1)
CALLBACKS(2)
CALLBACKS(4)
CALLBACKS(8)
CALLBACKS(16)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)
void __tsan_read_range(void* p, unsigned long bytes) {
  hit(p, static_cast<uint32_t>(bytes), false, PC);
}
void __tsan_write_range(void* p, unsigned long bytes) {
  hit(p, static_cast<uint32_t>(bytes), true, PC);
}
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}
void __tsan_atomic_thread_fence(int) {}
void __tsan_atomic_signal_fence(int) {}
}
