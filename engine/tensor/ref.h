// Ref<T>: a pointer that counts in the object itself (one word, no control block). T derives from
// Counted and defines `static void destroy(T*)`, which says how the last owner lets go. A type that
// is incomplete where its Refs are used declares its own retain() and release() (as Node does).
#pragma once

#include <atomic>
#include <utility>

namespace strata {

struct Counted {
  std::atomic<int> references{0};
  Counted() = default;
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;
};

template <class T>
inline void retain(T* object) {
  object->references.fetch_add(1, std::memory_order_relaxed);
}
template <class T>
inline void release(T* object) {
  if (object->references.fetch_sub(1, std::memory_order_acq_rel) == 1) T::destroy(object);
}

template <class T>
class Ref {
 public:
  Ref() = default;
  Ref(std::nullptr_t) {}
  explicit Ref(T* object) : object_(object) {
    if (object_) retain(object_);
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_) release(object_);
  }
  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }
  bool operator==(const Ref& other) const { return object_ == other.object_; }

 private:
  T* object_ = nullptr;
};

template <class T, class... Args>
Ref<T> make_ref(Args&&... args) {
  return Ref<T>(new T(std::forward<Args>(args)...));
}

}  // namespace strata
