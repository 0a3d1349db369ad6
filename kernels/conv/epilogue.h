// What is done to a sum before it is stored: scale, bias, residual, ReLU, as conv.h says; and the
// statistics of a batch norm.
#pragma once

#include "kernels/conv/partials.h"
#include "kernels/conv/rung.h"
#include "kernels/gpu/gpu.h"
#include "kernels/gpu/scratch.h"

namespace strata::gpu::conv {

template <class T>
struct Epilogue {
  T* out = nullptr;
  const float* scale = nullptr;
  const T* bias = nullptr;
  const T* residual = nullptr;
  bool relu = false;
  bool vectors = false;  // channels come in whole aligned vectors of 16 bytes

  // The finished value of channel `channel`, which lies at out[offset].
  template <class Sum>
  DEVICE Sum value(Sum sum, int channel, int64_t offset) const {
    if (scale) sum *= static_cast<Sum>(scale[channel]);
    if (bias) sum += static_cast<Sum>(bias[channel]);
    if (residual) sum += static_cast<Sum>(residual[offset]);
    return relu && sum < 0 ? Sum(0) : sum;  // NaN stays
  }
  template <class Sum>
  DEVICE void store(Sum sum, int channel, int64_t offset) const {
    const Sum finished = value(sum, channel, offset);
    if constexpr (sizeof(T) == 2)
      out[offset] = from_float<T>(finished);
    else
      out[offset] = static_cast<T>(finished);
  }
};

template <class T>
Epilogue<T> epilogue_of(const Problem& problem) {
  const int64_t channels = problem.pass == Pass::forward ? problem.shape.O : problem.shape.C;
  Epilogue<T> epilogue;
  epilogue.out = static_cast<T*>(problem.out);
  epilogue.scale = problem.norm.scale;
  epilogue.bias = static_cast<const T*>(problem.bias);
  epilogue.residual = static_cast<const T*>(problem.residual);
  epilogue.relu = problem.relu;
  auto whole = [](const void* p) { return reinterpret_cast<uintptr_t>(p) % 16 == 0; };
  epilogue.vectors = whole(problem.out) && whole(problem.residual) &&
                     channels / problem.shape.groups % vector_width<T> == 0;
  return epilogue;
}

// The workspace of the statistics: each block of pixels leaves [2, channels] of f32, which are then
// added in order.
class Statistics {
 public:
  Statistics(const Problem& problem, int64_t blocks)
      : sums_(problem.norm.sums),
        blocks_(blocks),
        size_(2 * problem.shape.O),
        partial_(sums_ ? static_cast<size_t>(blocks * size_) * sizeof(float) : 0) {}
  float* partial() const { return sums_ ? partial_.as<float>() : nullptr; }
  void finish() const {
    if (sums_) fold(DType::f32, partial(), blocks_, size_, sums_);
  }

 private:
  float* sums_;
  int64_t blocks_, size_;
  Scratch partial_;
};

}  // namespace strata::gpu::conv
