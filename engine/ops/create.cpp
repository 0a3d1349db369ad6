// Making tensors.
#include "engine/ops/create.h"

#include <cmath>
#include <cstring>

#include "engine/ops/elementwise_args.h"

namespace strata {
namespace {

// out[i] = value(i) in row-major order, converted from double (exact for whole numbers below 2^53).
template <class F>
Tensor generate(const Dims& shape, DType dtype, F&& value) {
  Tensor out = empty(shape, dtype);
  visit(dtype, [&]<class T>(Type<T>) {
    T* data = out.data<T>();
    for (int64_t i = 0; i < out.numel(); ++i) {
      if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, double>) {
        data[i] = static_cast<T>(value(i));
      } else {
        double v = value(i);
        cpu::convert(1, &v, DType::f64, 0, data + i, dtype, 0);
      }
    }
  });
  return out;
}

}  // namespace

Tensor full(const Dims& shape, double value, DType dtype, Device device) {
  Tensor out = empty(shape, dtype, device);
  auto args = elementwise_args(out, {}, compute_type(dtype));
  args.parameter[0] = value;
  cpu::fill(args);
  return out;
}

Tensor zeros(const Dims& shape, DType dtype, Device device) {
  return full(shape, 0, dtype, device);
}
Tensor ones(const Dims& shape, DType dtype, Device device) { return full(shape, 1, dtype, device); }
Tensor zeros_like(const Tensor& x) { return full(x.shape(), 0, x.dtype(), x.device()); }
Tensor ones_like(const Tensor& x) { return full(x.shape(), 1, x.dtype(), x.device()); }
Tensor scalar(double value, DType dtype) { return full({}, value, dtype); }

Tensor arange(double start, double stop, double step, DType dtype, Caller at) {
  double count = std::ceil((stop - start) / step);
  if (step == 0 || !(count < 0x1p46)) {
    fail("arange", at, "start {}, stop {}, step {}: the step must lead from start to stop", start,
         stop, step);
  }
  return generate({static_cast<int64_t>(std::max(count, 0.0))}, dtype,
                  [=](int64_t i) { return start + static_cast<double>(i) * step; });
}

Tensor linspace(double start, double stop, int64_t count, DType dtype) {
  double step = count > 1 ? (stop - start) / static_cast<double>(count - 1) : 0;
  return generate({count}, dtype, [=](int64_t i) {
    return i + 1 == count && count > 1 ? stop : start + static_cast<double>(i) * step;
  });
}

Tensor eye(int64_t n, DType dtype) {
  return generate({n, n}, dtype, [n](int64_t i) { return i / n == i % n ? 1.0 : 0.0; });
}

Tensor tril_mask(int64_t rows, int64_t columns, int64_t k) {
  return generate({rows, columns}, DType::boolean,
                  [=](int64_t i) { return i % columns <= i / columns + k ? 1.0 : 0.0; });
}

}  // namespace strata
