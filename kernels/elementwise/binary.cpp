// Arithmetic of two operands, and the gradients that are one pass over a kept value and a gradient.
#include "kernels/elementwise/functions.h"
#include "kernels/elementwise/loop.h"

namespace strata::cpu {
namespace {

using namespace functions;

template <class T, class F>
void row(int64_t n, const Run& run) {
  if constexpr (std::is_constructible_v<F, const double*>) {
    binary_loop<T, T>(n, run, F(run.parameter));
  } else {
    binary_loop<T, T>(n, run, F{});
  }
}

template <class F>
Row of_any(DType type) {
  switch (type) {
    case DType::f64:
      return row<double, F>;
    case DType::i64:
      return row<int64_t, F>;
    case DType::i32:
      return row<int32_t, F>;
    case DType::u8:
      return row<uint8_t, F>;
    case DType::boolean:
      return row<bool, F>;
    default:
      return row<float, F>;
  }
}
template <class F>
Row of_float(DType type) {
  return type == DType::f64 ? row<double, F> : row<float, F>;
}

// b (bool) ? scale a : 0, so that what is masked may be NaN or infinite.
template <class T>
void masked_scale_row(int64_t n, const Run& run) {
  T* out = as<T>(run.data[0]);
  const T* in = as<T>(run.data[1]);
  const uint8_t* mask = as<uint8_t>(run.data[2]);
  const T scale = static_cast<T>(run.parameter[0]);
  if (run.stride[0] == 1 && run.stride[1] == 1 && run.stride[2] == 1) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) out[i] = mask[i] ? scale * in[i] : T(0);
  } else {
    for (int64_t i = 0; i < n; ++i) {
      out[i * run.stride[0]] = mask[i * run.stride[2]] ? scale * in[i * run.stride[1]] : T(0);
    }
  }
}

Row row_for(Binary op, DType type) {
  switch (op) {
    case Binary::add:
      return of_any<Add>(type);
    case Binary::sub:
      return of_any<Sub>(type);
    case Binary::mul:
      return of_any<Mul>(type);
    case Binary::maximum:
      return of_any<Maximum>(type);
    case Binary::minimum:
      return of_any<Minimum>(type);
    case Binary::pow:
      return of_any<Pow>(type);
    case Binary::add_scaled:
      return visit(type,
                   []<class T>(Type<T>) -> Row { return row<Compute<T>, AddScaled<Compute<T>>>; });
    case Binary::div:
      return of_float<Div>(type);
    case Binary::masked_scale:
      return type == DType::f64 ? masked_scale_row<double> : masked_scale_row<float>;
    case Binary::relu_gradient:
      return of_float<ReluGradient>(type);
    case Binary::tanh_gradient:
      return of_float<TanhGradient>(type);
    case Binary::sigmoid_gradient:
      return of_float<SigmoidGradient>(type);
    case Binary::leaky_relu_gradient:
      return type == DType::f64 ? row<double, LeakyReluGradient<double>>
                                : row<float, LeakyReluGradient<float>>;
    case Binary::silu_gradient:
      return of_float<SiluGradient>(type);
    case Binary::gelu_gradient:
      return of_float<GeluGradient>(type);
    case Binary::gelu_tanh_gradient:
      return of_float<GeluTanhGradient>(type);
  }
  return nullptr;
}

}  // namespace

void binary(Binary op, ElementwiseArgs& args) {
  DType second = op == Binary::masked_scale ? DType::boolean : args.compute;
  run({row_for(op, args.compute), {args.compute, args.compute, second}}, args);
}

}  // namespace strata::cpu
