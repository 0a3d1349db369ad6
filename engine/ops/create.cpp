// Making tensors.
#include "engine/ops/create.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops/elementwise_args.h"

namespace strata {
namespace {

Tensor checked_empty(const char* op, const Dims& shape, DType dtype, Device device, Caller at) {
  for (int64_t size : shape) {
    if (size < 0) fail(op, at, "shape {} has a negative size", to_string(shape));
  }
  if (!is_available(device)) {
    fail(op, at, "device {} is not there: CUDA finds none on this machine; use cpu",
         name_of(device));
  }
  return empty(shape, dtype, device);
}

Tensor filled(const char* op, const Dims& shape, double value, DType dtype, Device device,
              Caller at) {
  Tensor out = checked_empty(op, shape, dtype, device, at);
  auto args = elementwise_args(out, {}, compute_type(dtype));
  args.parameter[0] = value;
  on(device, op, at, cpu::fill, gpu::fill, args);
  return record(std::move(out), op, at);
}

// out[i] = value(i) in row-major order; whole numbers are exact below 2^53.
template <class F>
Tensor generate(const char* op, const Dims& shape, DType dtype, Caller at, F&& value) {
  constexpr int64_t piece = 256;
  Tensor out = checked_empty(op, shape, dtype, Device::cpu, at);
  char* data = static_cast<char*>(out.raw());
  double values[piece];
  for (int64_t begin = 0; begin < out.numel(); begin += piece) {
    int64_t count = std::min(piece, out.numel() - begin);
    for (int64_t i = 0; i < count; ++i) values[i] = value(begin + i);
    cpu::convert(count, values, DType::f64, 1, data + begin * static_cast<int64_t>(size_of(dtype)),
                 dtype, 1);
  }
  return record(std::move(out), op, at);
}

}  // namespace

Tensor full(const Dims& shape, double value, DType dtype, Device device, Caller at) {
  return filled("full", shape, value, dtype, device, at);
}
Tensor zeros(const Dims& shape, DType dtype, Device device, Caller at) {
  return filled("zeros", shape, 0, dtype, device, at);
}
Tensor ones(const Dims& shape, DType dtype, Device device, Caller at) {
  return filled("ones", shape, 1, dtype, device, at);
}
Tensor zeros_like(const Tensor& x, Caller at) {
  check_defined("zeros_like", {&x}, at);
  return filled("zeros_like", x.shape(), 0, x.dtype(), x.device(), at);
}
Tensor ones_like(const Tensor& x, Caller at) {
  check_defined("ones_like", {&x}, at);
  return filled("ones_like", x.shape(), 1, x.dtype(), x.device(), at);
}
Tensor scalar(double value, DType dtype, Caller at) {
  return filled("scalar", {}, value, dtype, Device::cpu, at);
}

Tensor arange(double start, double stop, double step, DType dtype, Caller at) {
  double count = std::ceil((stop - start) / step);
  if (step == 0 || !(std::abs(count) < 0x1p46)) {
    fail("arange", at, "start {}, stop {}, step {}: they must be finite and the step not 0", start,
         stop, step);
  }
  return generate("arange", {static_cast<int64_t>(std::max(count, 0.0))}, dtype, at,
                  [=](int64_t i) { return start + static_cast<double>(i) * step; });
}

Tensor linspace(double start, double stop, int64_t count, DType dtype, Caller at) {
  double step = count > 1 ? (stop - start) / static_cast<double>(count - 1) : 0;
  return generate("linspace", {count}, dtype, at, [=](int64_t i) {
    return i + 1 == count && count > 1 ? stop : start + static_cast<double>(i) * step;
  });
}

Tensor eye(int64_t n, DType dtype, Caller at) {
  return generate("eye", {n, n}, dtype, at, [n](int64_t i) { return i / n == i % n ? 1.0 : 0.0; });
}

Tensor tril_mask(int64_t rows, int64_t columns, int64_t k, Caller at) {
  return generate("tril_mask", {rows, columns}, DType::boolean, at,
                  [=](int64_t i) { return i % columns <= i / columns + k ? 1.0 : 0.0; });
}

}  // namespace strata
