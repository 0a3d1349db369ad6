// Between tensors and the elementwise kernels: result types, checks, and the kernels' argument
// struct filled from tensors. For op files only.
#pragma once

#include <initializer_list>

#include "engine/tensor/tensor.h"
#include "kernels/elementwise/elementwise.h"

namespace strata {

// The type kernels compute in for a tensor of this type.
inline DType compute_type(DType type) {
  return type == DType::bf16 || type == DType::f16 ? DType::f32 : type;
}
// Functions with fractional results take integers and bool to f32.
inline DType float_type(DType type) { return is_float(type) ? type : DType::f32; }
// The type of a tensor with a number: its own; f32 for integers with a fractional (or infinite)
// number; i64 for bool with a whole one.
DType type_with_number(DType type, double number);

void check_defined(const char* op, std::initializer_list<const Tensor*> operands, Caller at);
// Defined, on one device (a scalar on the cpu also goes with a tensor on the gpu, as a number);
// throws with both operands described.
void check_operands(const char* op, const Tensor& a, const Tensor& b, Caller at);
// The device of the result: the gpu when one operand is there.
inline Device joint_device(const Tensor& a, const Tensor& b) {
  return b.device() == Device::gpu ? b.device() : a.device();
}
// The broadcast shape of two operands; throws with both described.
Dims joint_shape(const char* op, const Tensor& a, const Tensor& b, Caller at);
// A write in place is sound: allowed by autograd, and no two elements of x share memory.
void check_writable(const Tensor& x, const char* op, Caller at);
// Whether writing x element by element would change elements of y not yet read: they share storage,
// and are not the same view of it.
bool disturbs(const Tensor& x, const Tensor& y);

namespace detail {

inline void set_operand(cpu::ElementwiseArgs& args, int k, const Tensor& t) {
  args.data[k] = t.raw();
  args.dtype[k] = t.dtype();
}
// A number in host memory, for a kernel on the gpu: handed over by value.
void set_number(cpu::ElementwiseArgs& args, int k, const void* number, DType dtype);
// Strides of every operand over the shape of `out`, for what the fast path does not cover.
void set_strides(cpu::ElementwiseArgs& args, const Tensor& out,
                 std::initializer_list<const Tensor*> inputs);

}  // namespace detail

// Operands: out, then inputs, each of which broadcasts to out's shape.
inline cpu::ElementwiseArgs elementwise_args(const Tensor& out,
                                             std::initializer_list<const Tensor*> inputs,
                                             DType compute) {
  cpu::ElementwiseArgs args;
  args.compute = compute;
  args.operands = 1 + static_cast<int>(inputs.size());
  detail::set_operand(args, 0, out);
  bool plain = out.is_contiguous();
  int k = 1;
  for (const Tensor* input : inputs) {
    detail::set_operand(args, k, *input);
    if (input->device() != out.device()) detail::set_number(args, k, input->raw(), input->dtype());
    ++k;
    plain = plain && input->is_contiguous() && input->shape() == out.shape();
  }
  if (plain) {
    args.rank = 1;
    args.sizes[0] = out.numel();
    for (k = 0; k < args.operands; ++k) args.strides[k][0] = 1;
  } else {
    detail::set_strides(args, out, inputs);
  }
  return args;
}

// A number as the last operand: converted once to the compute type, stride 0. `args` points into
// this object.
class NumberOperand {
 public:
  NumberOperand(cpu::ElementwiseArgs& args, double number, int operand) {
    cpu::convert(1, &number, DType::f64, 0, bytes_, args.compute, 0);
    args.operands = std::max(args.operands, operand + 1);
    args.data[operand] = bytes_;
    args.dtype[operand] = args.compute;
    detail::set_number(args, operand, bytes_, args.compute);
    for (int axis = 0; axis < args.rank; ++axis) args.strides[operand][axis] = 0;
  }
  NumberOperand(const NumberOperand&) = delete;
  NumberOperand& operator=(const NumberOperand&) = delete;

 private:
  alignas(8) char bytes_[8];
};

}  // namespace strata
