// Scratch: working memory of a kernel that outlives the call, so that repeated calls do not ask the
// system again. It grows to the largest request, is aligned to a cache line, and holds nothing
// between calls. Kernels keep one as a static thread_local.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

namespace strata {

class Scratch {
 public:
  // `count` uninitialised elements, valid until the next call.
  template <class T>
  T* get(size_t count) {
    return static_cast<T*>(bytes(count * sizeof(T)));
  }

 private:
  void* bytes(size_t wanted) {
    constexpr size_t line = 64;
    if (wanted > size_) {
      wanted = (wanted + line - 1) / line * line;
      data_.reset();
      size_ = 0;
      data_.reset(std::aligned_alloc(line, wanted));
      if (!data_) throw std::bad_alloc();
      size_ = wanted;
    }
    return data_.get();
  }

  struct Free {
    void operator()(void* data) const { std::free(data); }
  };
  std::unique_ptr<void, Free> data_;
  size_t size_ = 0;
};

}  // namespace strata
