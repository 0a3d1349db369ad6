// Copies, conversions, and the ops that write in place.
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/elementwise_args.h"
#include "engine/ops/view.h"

namespace strata {
namespace {

Tensor copy_of(const char* op, const Tensor& x, DType type, Caller at) {
  check_defined(op, {&x}, at);
  Tensor out = empty(x.shape(), type, x.device());
  auto args = elementwise_args(out, {&x}, compute_type(type));
  on(x.device(), op, at, cpu::copy, gpu::copy, args);
  // A gradient of another type is converted where it is added up.
  return record(std::move(out), op, at, {x}, {},
                [](const Tensor& g, const Saved&) { return Gradients{g}; });
}

void check_fits(const char* op, const Tensor& x, const Tensor& y, Caller at) {
  Dims shape;
  if (!broadcast(x.shape(), y.shape(), &shape) || shape != x.shape()) {
    fail(op, at, "{} does not broadcast to {}, which is written in place and keeps its shape",
         describe(y), describe(x));
  }
}

// Writes are not recorded, so a gradient that y wants would be lost without a word.
void check_no_gradient(const char* op, const Tensor& y, Caller at) {
  if (!grad_enabled() || !y.requires_grad()) return;
  fail(op, at,
       "the source {} requires a gradient, which a write in place does not record; detach() it, or "
       "put the write in a NoGrad scope",
       describe(y));
}

void check_whole(const char* op, const Tensor& x, double number, Caller at) {
  if (is_float(x.dtype()) || type_with_number(x.dtype(), number) != DType::f32) return;
  fail(op, at, "{} keeps its type in place, and {} is not a whole number", describe(x), number);
}

}  // namespace

Tensor to_dtype(const Tensor& x, DType dtype, Caller at) {
  check_defined("to_dtype", {&x}, at);
  return x.dtype() == dtype ? x : copy_of("to_dtype", x, dtype, at);
}

Tensor contiguous(const Tensor& x, Caller at) {
  check_defined("contiguous", {&x}, at);
  return x.is_contiguous() ? x : copy_of("contiguous", x, x.dtype(), at);
}

Tensor clone(const Tensor& x, Caller at) {
  check_defined("clone", {&x}, at);
  return copy_of("clone", x, x.dtype(), at);
}

Tensor to_device(const Tensor& x, Device device, Caller at) {
  check_defined("to_device", {&x}, at);
  if (x.device() == device) return x;
  if (!is_available(device)) {
    fail("to_device", at, "{} cannot move to {}: CUDA finds none on this machine", describe(x),
         name_of(device));
  }
  Tensor out = empty(x.shape(), x.dtype(), device);
  {
    NoGrad off;
    Tensor source = contiguous(x.detach(), at);
    copy_bytes(out.raw(), device, source.raw(), x.device(),
               static_cast<size_t>(x.numel()) * size_of(x.dtype()));
  }
  return record(
      std::move(out), "to_device", at, {x}, {},
      [from = x.device()](const Tensor& g, const Saved&) { return Gradients{to_device(g, from)}; });
}

Tensor Tensor::contiguous(Caller at) const { return strata::contiguous(*this, at); }
Tensor Tensor::clone(Caller at) const { return strata::clone(*this, at); }
Tensor Tensor::to(DType dtype, Caller at) const { return to_dtype(*this, dtype, at); }
Tensor Tensor::to(Device device, Caller at) const { return to_device(*this, device, at); }

void copy_(const Tensor& x, const Tensor& y, Caller at) {
  check_defined("copy_", {&x, &y}, at);
  check_fits("copy_", x, y, at);
  check_writable(x, "copy_", at);
  check_no_gradient("copy_", y, at);
  Tensor source = disturbs(x, y) ? clone(y.detach(), at) : y.detach().to(x.device());
  auto args = elementwise_args(x, {&source}, compute_type(x.dtype()));
  on(x.device(), "copy_", at, cpu::copy, gpu::copy, args);
  note_write(x, "copy_", at);
}

void add_(const Tensor& x, const Tensor& y, double scale, Caller at) {
  check_operands("add_", x, y, at);
  check_fits("add_", x, y, at);
  check_writable(x, "add_", at);
  check_no_gradient("add_", y, at);
  check_whole("add_", x, scale, at);
  Tensor source = disturbs(x, y) ? clone(y.detach(), at) : y;
  auto args = elementwise_args(x, {&x, &source}, compute_type(x.dtype()));
  args.parameter[0] = scale;
  on(x.device(), "add_", at, cpu::binary, gpu::binary,
     scale == 1.0 ? Binary::add : Binary::add_scaled, args);
  note_write(x, "add_", at);
}

void mul_(const Tensor& x, double factor, Caller at) {
  check_defined("mul_", {&x}, at);
  check_writable(x, "mul_", at);
  check_whole("mul_", x, factor, at);
  auto args = elementwise_args(x, {&x}, compute_type(x.dtype()));
  NumberOperand number(args, factor, 2);
  on(x.device(), "mul_", at, cpu::binary, gpu::binary, Binary::mul, args);
  note_write(x, "mul_", at);
}

void fill_(const Tensor& x, double value, Caller at) {
  check_defined("fill_", {&x}, at);
  check_writable(x, "fill_", at);
  check_whole("fill_", x, value, at);
  auto args = elementwise_args(x, {}, compute_type(x.dtype()));
  args.parameter[0] = value;
  on(x.device(), "fill_", at, cpu::fill, gpu::fill, args);
  note_write(x, "fill_", at);
}

}  // namespace strata
