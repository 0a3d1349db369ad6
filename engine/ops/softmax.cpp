// Softmax and log-softmax. What is saved: the result.
#include "engine/ops/softmax.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/ops/detail/kernel_inputs.h"
#include "kernels/softmax/softmax.h"

namespace strata {
namespace {

// The tensor seen as [outer, size, inner] around an axis.
struct Around {
  int64_t outer = 1, size = 1, inner = 1;
  Around(const Dims& shape, int axis) {
    for (int i = 0; i < shape.rank(); ++i) {
      (i < axis ? outer : i == axis ? size : inner) *= shape[i];
    }
  }
};

Gradients composed_gradient(const Tensor& g, const Tensor& y, int axis, bool log) {
  if (y.rank() == 0) return {g * 0.0};
  if (log) return {g - exp(y) * sum(g, {axis}, true)};
  return {y * (g - sum(g * y, {axis}, true))};
}

Gradients fused_gradient(const Tensor& g, const Tensor& y, int axis, bool log) {
  Tensor dy = detail::dense(g, y.dtype()), dx = empty_like(y);
  Around a(y.shape(), axis);
  on(y.device(), "softmax", Caller{}, cpu::softmax_gradient, gpu::softmax_gradient,
     SoftmaxGradientArgs{y.raw(), dy.raw(), dx.raw(), a.outer, a.size, a.inner, y.dtype(), log});
  return {dx};
}

Tensor softmax_op(const char* op, const Tensor& x, int axis, bool log, Caller at) {
  detail::check_floating(op, "x", x, at);
  axis = normalize_axis(op, axis, std::max(x.rank(), 1), at);  // a scalar is a row of one
  Tensor from = detail::dense(x, x.dtype()), y = empty(x.shape(), x.dtype(), x.device());
  Around a(x.shape(), axis);
  on(x.device(), op, at, cpu::softmax, gpu::softmax,
     SoftmaxArgs{from.raw(), y.raw(), a.outer, a.size, a.inner, x.dtype(), log});
  return record(y, op, at, {x}, {y}, [axis, log](const Tensor& g, const Saved& s) {
    return grad_enabled() ? composed_gradient(g, s[0], axis, log)
                          : fused_gradient(g, s[0], axis, log);
  });
}

}  // namespace

Tensor softmax(const Tensor& x, int axis, Caller at) {
  return softmax_op("softmax", x, axis, false, at);
}
Tensor log_softmax(const Tensor& x, int axis, Caller at) {
  return softmax_op("log_softmax", x, axis, true, at);
}

}  // namespace strata
