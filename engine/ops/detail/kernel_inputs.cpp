#include "engine/ops/detail/kernel_inputs.h"

#include "engine/autograd/autograd.h"

namespace strata::detail {

void check_floating(const char* op, const char* name, const Tensor& x, Caller at) {
  if (!x.defined()) fail(op, at, "{} is undefined", name);
  if (!is_float(x.dtype())) {
    fail(op, at, "{} {} is not of a floating type; convert it with to(DType::f32)", name,
         describe(x));
  }
}

DType compute_type(DType dtype) { return dtype == DType::f64 ? DType::f64 : DType::f32; }

DType product_type(DType dtype, Device device) {
  return device == Device::gpu ? dtype : compute_type(dtype);
}

Tensor dense(const Tensor& tensor, DType dtype) {
  if (!tensor.defined() || (tensor.dtype() == dtype && tensor.is_contiguous())) return tensor;
  NoGrad off;
  return tensor.to(dtype).contiguous();
}

}  // namespace strata::detail
