// Functions of one operand.
#include <algorithm>

#include "kernels/elementwise/functions.h"
#include "kernels/elementwise/loop.h"

namespace strata::cpu {
namespace {

using namespace functions;

template <class T, class F>
void row(int64_t n, const Run& run) {
  if constexpr (std::is_constructible_v<F, const double*>) {
    unary_loop<T, T>(n, run, F(run.parameter));
  } else {
    unary_loop<T, T>(n, run, F{});
  }
}

// The sine of moderate arguments alone, which vectorises.
struct SinModerate {
  float operator()(float x) const { return math::sin_moderate(x); }
  double operator()(double x) const { return std::sin(x); }
};
struct CosModerate {
  float operator()(float x) const { return math::cos_moderate(x); }
  double operator()(double x) const { return std::cos(x); }
};

// The vectorised sine holds for moderate arguments; a block with a larger one (or an infinity or a
// NaN, whose bits are larger still) goes to libm.
template <class F>
void trigonometric_row(int64_t n, const Run& run) {
  constexpr int64_t block = 256;
  for (int64_t begin = 0; begin < n; begin += block) {
    int64_t count = std::min(block, n - begin), step = run.stride[1];
    Run piece = run;
    piece.data[0] += begin * run.stride[0] * 4;
    piece.data[1] += begin * step * 4;
    const uint32_t* bits = as<uint32_t>(piece.data[1]);
    uint32_t largest = 0;
    for (int64_t i = 0; i < count; ++i) largest = std::max(largest, bits[i * step] & 0x7fffffffu);
    if (largest <= std::bit_cast<uint32_t>(math::trigonometric_limit)) {
      unary_loop<float, float>(count, piece, F{});
    } else {
      unary_loop<float, float>(
          count, piece, [](float x) { return static_cast<float>(F{}(static_cast<double>(x))); });
    }
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
Row clamp_row(DType type) {
  return visit(type, []<class T>(Type<T>) -> Row { return row<Compute<T>, Clamp<Compute<T>>>; });
}
template <class F>
Row of_float(DType type) {
  return type == DType::f64 ? row<double, F> : row<float, F>;
}
template <template <class> class F>
Row of_float_with_parameter(DType type) {
  return type == DType::f64 ? row<double, F<double>> : row<float, F<float>>;
}

Row row_for(Unary op, DType type) {
  switch (op) {
    case Unary::identity:
      return of_any<Identity>(type);
    case Unary::neg:
      return of_any<Neg>(type);
    case Unary::abs:
      return of_any<Abs>(type);
    case Unary::sign:
      return of_any<Sign>(type);
    case Unary::square:
      return of_any<Square>(type);
    case Unary::relu:
      return of_any<Relu>(type);
    case Unary::clamp:
      return clamp_row(type);
    case Unary::floor:
      return of_float<Floor>(type);
    case Unary::ceil:
      return of_float<Ceil>(type);
    case Unary::round:
      return of_float<Round>(type);
    case Unary::exp:
      return of_float<Exp>(type);
    case Unary::expm1:
      return of_float<Expm1>(type);
    case Unary::log:
      return of_float<Log>(type);
    case Unary::log1p:
      return of_float<Log1p>(type);
    case Unary::sqrt:
      return of_float<Sqrt>(type);
    case Unary::rsqrt:
      return of_float<Rsqrt>(type);
    case Unary::reciprocal:
      return of_float<Reciprocal>(type);
    case Unary::sin:
      return type == DType::f64 ? row<double, Sin> : trigonometric_row<SinModerate>;
    case Unary::cos:
      return type == DType::f64 ? row<double, Cos> : trigonometric_row<CosModerate>;
    case Unary::tanh:
      return of_float<Tanh>(type);
    case Unary::sigmoid:
      return of_float<Sigmoid>(type);
    case Unary::erf:
      return of_float<Erf>(type);
    case Unary::leaky_relu:
      return of_float_with_parameter<LeakyRelu>(type);
    case Unary::elu:
      return of_float_with_parameter<Elu>(type);
    case Unary::softplus:
      return of_float<Softplus>(type);
    case Unary::silu:
      return of_float<Silu>(type);
    case Unary::gelu:
      return of_float<Gelu>(type);
    case Unary::gelu_tanh:
      return of_float<GeluTanh>(type);
    case Unary::hard_sigmoid:
      return of_float<HardSigmoid>(type);
    case Unary::hard_swish:
      return of_float<HardSwish>(type);
  }
  return nullptr;
}

}  // namespace

void unary(Unary op, ElementwiseArgs& args) {
  run({row_for(op, args.compute), {args.compute, args.compute}}, args);
}

}  // namespace strata::cpu
