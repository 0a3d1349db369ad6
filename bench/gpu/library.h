// A shared library that is loaded when the program runs, or is not there.
#pragma once

#include <dlfcn.h>

#include <initializer_list>
#include <stdexcept>
#include <string>

namespace strata::bench {

class Library {
 public:
  // The first of these that can be loaded.
  Library(std::initializer_list<const char*> names) {
    for (const char* name : names) {
      handle_ = dlopen(name, RTLD_NOW | RTLD_LOCAL);
      if (handle_) return;
    }
  }
  // It stays loaded: handles of it may outlive this object.
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  explicit operator bool() const { return handle_; }
  template <class F>
  F* function(const char* name) const {
    void* found = handle_ ? dlsym(handle_, name) : nullptr;
    if (!found) throw std::runtime_error(std::string("a loaded library has no function ") + name);
    return reinterpret_cast<F*>(found);
  }

 private:
  void* handle_ = nullptr;
};

}  // namespace strata::bench
