// Making tensors. None of them records a gradient. A value is converted to the type as to_dtype
// converts: integers cut towards zero and saturate.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

// Every element `value`.
Tensor full(const Dims& shape, double value, DType dtype = DType::f32, Device device = Device::cpu,
            Caller at = Caller::here());
Tensor zeros(const Dims& shape, DType dtype = DType::f32, Device device = Device::cpu,
             Caller at = Caller::here());
Tensor ones(const Dims& shape, DType dtype = DType::f32, Device device = Device::cpu,
            Caller at = Caller::here());
// Shape, type and device of x.
Tensor zeros_like(const Tensor& x, Caller at = Caller::here());
Tensor ones_like(const Tensor& x, Caller at = Caller::here());
// Rank 0.
Tensor scalar(double value, DType dtype = DType::f32, Caller at = Caller::here());
// start, start + step, ... below stop (above it for a negative step): [ceil((stop - start) /
// step)], empty when stop lies behind start. Element i is start + i step, worked out in f64.
Tensor arange(double start, double stop, double step = 1, DType dtype = DType::i64,
              Caller at = Caller::here());
// [count] values from start to stop, both included; `start` alone for a count of 1.
Tensor linspace(double start, double stop, int64_t count, DType dtype = DType::f32,
                Caller at = Caller::here());
// Identity matrix [n, n].
Tensor eye(int64_t n, DType dtype = DType::f32, Caller at = Caller::here());
// bool [rows, columns]: true on and below the diagonal + k.
Tensor tril_mask(int64_t rows, int64_t columns, int64_t k = 0, Caller at = Caller::here());

}  // namespace strata
