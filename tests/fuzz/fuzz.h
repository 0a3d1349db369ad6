// What the fuzzers of readers share. A reader may return or throw an Error, whose message must have
// something to say. Running out of memory is a bug: a reader checks what a file claims against the
// bytes that are there before it allocates.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "engine/error.h"
#include "engine/tensor/allocator.h"
#include "engine/tensor/tensor.h"

// What the undefined-behaviour sanitizer finds ends the run, as what the other one finds does.
extern "C" const char* __ubsan_default_options() { return "halt_on_error=1:print_stacktrace=1"; }

namespace strata::fuzz {

// Looks at every element, so that the sanitizers see it.
inline void touch(const Tensor& tensor) {
  volatile double total = 0;
  for (double value : tensor.to_vector<double>()) total = total + value;
}
inline void touch(const std::map<std::string, Tensor>& tensors) {
  for (auto& [name, tensor] : tensors) touch(tensor);
}

template <class Read>
int run(Read&& read) {
  memory::set_limit(size_t{256} << 20);
  try {
    touch(read());
  } catch (const OutOfMemory&) {
    std::abort();
  } catch (const Error& error) {
    if (std::strlen(error.what()) < 20) std::abort();
  }
  return 0;
}

}  // namespace strata::fuzz
