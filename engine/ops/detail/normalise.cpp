#include "engine/ops/detail/normalise.h"

#include "engine/ops/detail/check.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/reduce.h"

namespace strata::detail {

void check_norm_input(const char* op, const Tensor& x, int least_rank, Caller at) {
  check_floating(op, "x", x, at);
  if (x.rank() < least_rank) {
    fail(op, at, "x {} has rank {}; expected at least {}, with the channels last", describe(x),
         x.rank(), least_rank);
  }
}

void check_norm_parameter(const char* op, const char* name, const Tensor& parameter,
                          const Tensor& x, Caller at) {
  if (!parameter.defined()) return;
  check_one_device(op, {&x, &parameter}, at);
  if (!is_float(parameter.dtype()) || parameter.shape() != Dims{x.size(-1)}) {
    fail(op, at, "x {} needs a floating {} of shape [{}], one value a channel, but got {}",
         describe(x), name, x.size(-1), describe(parameter));
  }
}

Normalised normalise(const Tensor& x, const Dims& axes, double epsilon, bool centred) {
  Tensor d = centred ? x - mean(x, axes, true) : x;
  Tensor inverse = rsqrt(mean(square(d), axes, true) + epsilon);
  return {d * inverse, inverse};
}

Tensor normalise_gradient(const Tensor& u, const Normalised& x, const Dims& axes, bool centred) {
  Tensor along = x.z * mean(u * x.z, axes, true);
  if (!centred) return x.inverse * (u - along);
  return x.inverse * (u - mean(u, axes, true) - along);
}

}  // namespace strata::detail
