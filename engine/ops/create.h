// Making tensors.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

Tensor full(const Dims& shape, double value, DType dtype = DType::f32, Device device = Device::cpu);
Tensor zeros(const Dims& shape, DType dtype = DType::f32, Device device = Device::cpu);
Tensor ones(const Dims& shape, DType dtype = DType::f32, Device device = Device::cpu);
Tensor zeros_like(const Tensor& x);
Tensor ones_like(const Tensor& x);
Tensor scalar(double value, DType dtype = DType::f32);
// start, start + step, ... below stop (above it for a negative step).
Tensor arange(double start, double stop, double step = 1, DType dtype = DType::i64,
              Caller at = Caller::here());
Tensor linspace(double start, double stop, int64_t count, DType dtype = DType::f32);
// Identity matrix [n, n].
Tensor eye(int64_t n, DType dtype = DType::f32);
// bool [rows, columns]: true on and below the diagonal + k.
Tensor tril_mask(int64_t rows, int64_t columns, int64_t k = 0);

}  // namespace strata
