#include "tools/introspect/units/redirected.h"

#include "engine/ops.h"

namespace strata::introspect {
namespace {

Gradients redirect(const Visit& visit, const Tensor& gradient) {
  Tensor own = visit.vjp(gradient)[0], x = visit.step().inputs[0].detach();
  if (x.rank() == 0) return {own};
  Tensor lowers = logical_and(less(x, scalar(0, x.dtype())), less(gradient, scalar(0, x.dtype())));
  Tensor raises = where(lowers, zeros_like(gradient), gradient);
  Dims rest;
  for (int axis = 1; axis < x.rank(); ++axis) rest.push_back(axis);
  Tensor alive = rest.empty() ? not_equal(own, zeros_like(own)) : any(own, rest, true);
  return {where(alive, own, raises)};
}

}  // namespace

Rules redirected_relu() { return {.ops = {{"relu", redirect}}, .otherwise = {}}; }

}  // namespace strata::introspect
