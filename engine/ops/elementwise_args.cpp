#include "engine/ops/elementwise_args.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/autograd/autograd.h"

namespace strata {

DType type_with_number(DType type, double number) {
  if (is_float(type)) return type;
  if (number != std::floor(number) || std::isinf(number)) return DType::f32;
  return type == DType::boolean ? DType::i64 : type;
}

void check_defined(const char* op, std::initializer_list<const Tensor*> operands, Caller at) {
  int index = 0;
  for (const Tensor* operand : operands) {
    if (!operand->defined()) {
      fail(op, at, "operand {} is undefined: a default-constructed Tensor, or a missing gradient",
           index);
    }
    ++index;
  }
}

void check_operands(const char* op, const Tensor& a, const Tensor& b, Caller at) {
  check_defined(op, {&a, &b}, at);
  if (a.device() == b.device()) return;
  const Tensor& on_cpu = a.device() == Device::cpu ? a : b;
  if (on_cpu.rank() != 0 || on_cpu.requires_grad()) {
    fail(op, at, "{} is on {} but {} is on {}; move one with to(Device)", describe(a),
         name_of(a.device()), describe(b), name_of(b.device()));
  }
}

Dims joint_shape(const char* op, const Tensor& a, const Tensor& b, Caller at) {
  Dims shape;
  if (!broadcast(a.shape(), b.shape(), &shape)) {
    fail(
        op, at,
        "{} and {} do not broadcast: counted from the right, sizes must be equal or one of them 1; "
        "reshape or unsqueeze one of them",
        describe(a), describe(b));
  }
  return shape;
}

void check_writable(const Tensor& x, const char* op, Caller at) {
  check_in_place(x, op, at);
  if (x.is_contiguous()) return;
  // By ascending stride, each axis must step over all that the axes before it reach.
  std::pair<int64_t, int64_t> axes[max_rank];  // stride, size
  int count = 0;
  for (int axis = 0; axis < x.rank(); ++axis) {
    if (x.shape()[axis] == 0) return;
    if (x.shape()[axis] > 1) axes[count++] = {std::abs(x.strides()[axis]), x.shape()[axis]};
  }
  std::sort(axes, axes + count);
  int64_t reach = 0;
  for (int i = 0; i < count; ++i) {
    if (axes[i].first <= reach) {
      fail(op, at,
           "{} has strides {}, so several of its elements share one place in memory (it was "
           "expanded?); write into a clone()",
           describe(x), to_string(x.strides()));
    }
    reach += axes[i].first * (axes[i].second - 1);
  }
}

bool disturbs(const Tensor& x, const Tensor& y) {
  if (x.storage() != y.storage()) return false;
  return x.offset() != y.offset() || x.shape() != y.shape() || x.strides() != y.strides() ||
         x.dtype() != y.dtype();
}

namespace detail {

void set_number(cpu::ElementwiseArgs& args, int k, const void* number, DType dtype) {
  std::memcpy(args.number[k], number, size_of(dtype));
  args.numbers |= 1u << k;
}

void set_strides(cpu::ElementwiseArgs& args, const Tensor& out,
                 std::initializer_list<const Tensor*> inputs) {
  const Dims& shape = out.shape();
  args.rank = shape.rank();
  for (int axis = 0; axis < args.rank; ++axis) {
    args.sizes[axis] = shape[axis];
    args.strides[0][axis] = out.strides()[axis];
  }
  int k = 1;
  for (const Tensor* input : inputs) {
    Dims strides = broadcast_strides(input->shape(), input->strides(), shape);
    for (int axis = 0; axis < args.rank; ++axis) args.strides[k][axis] = strides[axis];
    ++k;
  }
  // Axes are joined here, so that a number can still be added as an operand with stride 0.
  cpu::collapse(args);
}

}  // namespace detail
}  // namespace strata
