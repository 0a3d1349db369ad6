// Operands of workloads: device memory filled with random numbers.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "kernels/gpu/runtime.h"
#include "kernels/random/random.h"
#include "tools/xray/catalogue.h"

namespace strata::xray {

// Keeps what it makes alive in workload.memory.
class Operands {
 public:
  explicit Operands(Workload& workload) : workload_(workload) {}

  void* empty(int64_t elements, DType dtype) {
    void* memory = gpu::allocate(static_cast<size_t>(elements) * size_of(dtype));
    workload_.memory.emplace_back(memory, [](void* p) { gpu::release(p); });
    return memory;
  }
  // Uniform in [-1, 1): zeros and patterns would flatter the power budget, and so the clock.
  void* random(int64_t elements, DType dtype) {
    void* memory = empty(elements, dtype);
    gpu::uniform({memory, elements, dtype, seed, drawn_}, -1, 1);
    gpu::synchronize(gpu::current_stream());
    drawn_ += static_cast<uint64_t>(elements);  // no two arrays share a part of the stream
    return memory;
  }
  // Whole numbers in [0, limit).
  void* indices(int64_t elements, int64_t limit) {
    void* memory = empty(elements, DType::i64);
    std::uniform_int_distribution<int64_t> uniform(0, limit - 1);
    std::vector<int64_t> values(static_cast<size_t>(elements));
    for (int64_t& value : values) value = uniform(generator_);
    upload(memory, values);
    return memory;
  }

 private:
  template <class T>
  void upload(void* memory, const std::vector<T>& values) {
    gpu::copy_to_device(memory, values.data(), values.size() * sizeof(T), gpu::current_stream());
    gpu::synchronize(gpu::current_stream());
  }
  Workload& workload_;
  static constexpr uint64_t seed = 20061;
  uint64_t drawn_ = 0;
  std::mt19937 generator_{seed};
};

}  // namespace strata::xray
