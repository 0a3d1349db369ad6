// A linear map between images and its adjoint, as a pair of ops that are each other's gradients.
// Pooling, unpooling and upsampling are such maps (max pooling is one once its switches are fixed),
// so that two kernels give derivatives of any order.
#pragma once

#include <functional>
#include <memory>

#include "engine/tensor/tensor.h"

namespace strata::detail {

struct LinearMap {
  // Reads and writes dense arrays of the type given (f32 or f64) on the device given, which has
  // been checked.
  using Kernel = std::function<void(Device device, DType dtype, const void* in,
                                    const void* switches, void* out)>;
  const char* name;          // of the op
  const char* adjoint_name;  // of its gradient
  Dims in, out;              // shapes
  Kernel kernel, adjoint;
  Caller at;
};

// The map (or its adjoint) of x, recorded. `switches`, which both kernels read, may be undefined.
// 16-bit floats are converted to f32 around the kernel.
Tensor apply(const std::shared_ptr<const LinearMap>& map, bool adjoint, const Tensor& x,
             const Tensor& switches = {});

}  // namespace strata::detail
