// The functions that elementwise kernels apply, as functors over scalars, for loops on the CPU and
// for kernels alike. Those with a constructor take the kernel's parameters. Integers wrap: their
// arithmetic is done unsigned.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "kernels/common/vec_math.h"
#include "kernels/elementwise/cast.h"

namespace strata::functions {

template <class T>
struct WrappingOf : std::make_unsigned<T> {};
template <>
struct WrappingOf<float> : std::type_identity<float> {};
template <>
struct WrappingOf<double> : std::type_identity<double> {};
template <>
struct WrappingOf<bool> : std::type_identity<uint8_t> {};
template <class T>
using Wrapping = typename WrappingOf<T>::type;

// Any type ----------------------------------------------------------------------------------------

struct Add {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T a, T b) const {
    return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
  }
};
struct Sub {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T a, T b) const {
    return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
  }
};
struct Mul {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T a, T b) const {
    return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
  }
};
// A NaN operand gives NaN: the comparison is false for one in b, the second test finds one in a.
struct Maximum {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct Minimum {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};
struct Pow {
  STRATA_HOST_DEVICE float operator()(float a, float b) const { return std::pow(a, b); }
  STRATA_HOST_DEVICE double operator()(double a, double b) const { return std::pow(a, b); }
  template <class T>
  STRATA_HOST_DEVICE T operator()(T a, T b) const {
    if constexpr (std::is_signed_v<T>) {
      if (b < 0) {
        if (a == -1) return b % 2 == 0 ? T(1) : T(-1);
        return a == 1 ? T(1) : T(0);
      }
    }
    Wrapping<T> result = 1, base = static_cast<Wrapping<T>>(a);
    for (; b != 0; b = static_cast<T>(b >> 1)) {
      if (b & 1) result = static_cast<Wrapping<T>>(result * base);
      base = static_cast<Wrapping<T>>(base * base);
    }
    return static_cast<T>(result);
  }
};

template <class T>
struct AddScaled {
  T scale;
  STRATA_HOST_DEVICE explicit AddScaled(const double* p) : scale(to_scale(p[0])) {}
  STRATA_HOST_DEVICE static T to_scale(double p) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<int64_t>(p));
    return static_cast<T>(p);
  }
  STRATA_HOST_DEVICE T operator()(T a, T b) const { return Add{}(a, Mul{}(scale, b)); }
};

struct Identity {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T x) const {
    return x;
  }
};
struct Neg {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) return -x;
    return static_cast<T>(Wrapping<T>(0) - static_cast<Wrapping<T>>(x));
  }
};
struct Abs {
  STRATA_HOST_DEVICE float operator()(float x) const { return math::absolute(x); }
  STRATA_HOST_DEVICE double operator()(double x) const { return std::fabs(x); }
  template <class T>
  STRATA_HOST_DEVICE T operator()(T x) const {
    return x < T(0) ? Neg{}(x) : x;
  }
};
struct Sign {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T x) const {
    if constexpr (std::is_same_v<T, bool>) return x;
    T sign = x > T(0) ? T(1) : x < T(0) ? static_cast<T>(-1) : T(0);
    return x != x ? x : sign;
  }
};
struct Square {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T x) const {
    return Mul{}(x, x);
  }
};
struct Relu {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T x) const {
    return x < T(0) ? T(0) : x;
  }
};

// Floating types ----------------------------------------------------------------------------------

struct Div {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T a, T b) const {
    return a / b;
  }
};

// struct NAME { T operator()(T x) const { return EXPRESSION; } };
#define STRATA_FUNCTION(NAME, EXPRESSION)        \
  struct NAME {                                  \
    template <class T>                           \
    STRATA_HOST_DEVICE T operator()(T x) const { \
      return EXPRESSION;                         \
    }                                            \
  };
STRATA_FUNCTION(Floor, std::floor(x))
STRATA_FUNCTION(Ceil, std::ceil(x))
STRATA_FUNCTION(Round, std::rint(x))
STRATA_FUNCTION(Exp, math::exp(x))
STRATA_FUNCTION(Expm1, math::expm1(x))
STRATA_FUNCTION(Log, math::log(x))
STRATA_FUNCTION(Log1p, math::log1p(x))
STRATA_FUNCTION(Sqrt, std::sqrt(x))
STRATA_FUNCTION(Rsqrt, T(1) / std::sqrt(x))
STRATA_FUNCTION(Reciprocal, T(1) / x)
STRATA_FUNCTION(Tanh, math::tanh(x))
STRATA_FUNCTION(Sigmoid, math::sigmoid(x))
STRATA_FUNCTION(Erf, math::erf(x))
STRATA_FUNCTION(Silu, x* math::sigmoid(x))
// max(x, 0) + log(1 + exp(-|x|)), which overflows nowhere.
STRATA_FUNCTION(Softplus, Relu{}(x) + math::log1p(math::exp(-Abs{}(x))))
STRATA_FUNCTION(HardSigmoid, Minimum{}(Relu{}(x + T(3)), T(6)) * T(1.0 / 6))
STRATA_FUNCTION(HardSwish, x* HardSigmoid{}(x))
#undef STRATA_FUNCTION

inline constexpr double inverse_sqrt_2pi = 0.39894228040143267794;  // 1 / sqrt(2 pi)
inline constexpr double log2_e = 1.44269504088896340736;
inline constexpr double sqrt_2_over_pi = 0.79788456080286535588;
inline constexpr double gelu_cubic = 0.044715;  // Hendrycks and Gimpel 2016

struct Gelu {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T x) const {
    return x * math::normal_cumulative(x);
  }
};
// 0.5 x (1 + tanh(u)) with u = sqrt(2 / pi) (x + 0.044715 x^3), as x sigmoid(2 u).
struct GeluTanh {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T x) const {
    return x * math::sigmoid(T(2 * sqrt_2_over_pi) * (x + T(gelu_cubic) * x * x * x));
  }
};

// The f32 sine of vec_math.h holds for moderate arguments; larger ones need the reduction of libm.
struct Sin {
  STRATA_HOST_DEVICE float operator()(float x) const {
    if (math::absolute(x) <= math::trigonometric_limit) return math::sin_moderate(x);
    return static_cast<float>(std::sin(static_cast<double>(x)));
  }
  STRATA_HOST_DEVICE double operator()(double x) const { return std::sin(x); }
};
struct Cos {
  STRATA_HOST_DEVICE float operator()(float x) const {
    if (math::absolute(x) <= math::trigonometric_limit) return math::cos_moderate(x);
    return static_cast<float>(std::cos(static_cast<double>(x)));
  }
  STRATA_HOST_DEVICE double operator()(double x) const { return std::cos(x); }
};

template <class T>
struct Clamp {
  T low, high;
  STRATA_HOST_DEVICE explicit Clamp(const double* p) : low(cast<T>(p[0])), high(cast<T>(p[1])) {}
  STRATA_HOST_DEVICE T operator()(T x) const { return x < low ? low : x > high ? high : x; }
};
template <class T>
struct LeakyRelu {
  T slope;
  STRATA_HOST_DEVICE explicit LeakyRelu(const double* p) : slope(static_cast<T>(p[0])) {}
  STRATA_HOST_DEVICE T operator()(T x) const { return x < T(0) ? slope * x : x; }
};
template <class T>
struct Elu {
  T alpha;
  STRATA_HOST_DEVICE explicit Elu(const double* p) : alpha(static_cast<T>(p[0])) {}
  STRATA_HOST_DEVICE T operator()(T x) const { return x > T(0) ? x : alpha * math::expm1(x); }
};

// Gradients: of what was kept and the incoming gradient g -------------------------------------

struct ReluGradient {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T result, T g) const {
    return result <= T(0) ? T(0) : g;
  }
};
template <class T>
struct LeakyReluGradient {
  T slope;
  STRATA_HOST_DEVICE explicit LeakyReluGradient(const double* p) : slope(static_cast<T>(p[0])) {}
  STRATA_HOST_DEVICE T operator()(T x, T g) const { return x <= T(0) ? slope * g : g; }
};
struct TanhGradient {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T result, T g) const {
    return g * (T(1) - result * result);
  }
};
struct SigmoidGradient {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T result, T g) const {
    return g * (result * (T(1) - result));
  }
};
struct SiluGradient {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T x, T g) const {
    T s = math::sigmoid(x);
    return g * (s * (T(1) + x * (T(1) - s)));
  }
};
struct GeluGradient {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T x, T g) const {
    T density = T(inverse_sqrt_2pi) * math::exp2_nearly(T(-0.5 * log2_e) * x * x);
    return g * (math::normal_cumulative(x) + x * density);
  }
};
struct GeluTanhGradient {
  template <class T>
  STRATA_HOST_DEVICE T operator()(T x, T g) const {
    T u = T(2 * sqrt_2_over_pi) * (x + T(gelu_cubic) * x * x * x);
    T slope = T(2 * sqrt_2_over_pi) * (T(1) + T(3 * gelu_cubic) * x * x);
    T s = math::sigmoid(u);
    return g * (s + x * s * (T(1) - s) * slope);
  }
};

// To bool -----------------------------------------------------------------------------------------

struct Equal {
  template <class T>
  STRATA_HOST_DEVICE bool operator()(T a, T b) const {
    return a == b;
  }
};
struct NotEqual {
  template <class T>
  STRATA_HOST_DEVICE bool operator()(T a, T b) const {
    return a != b;
  }
};
struct Less {
  template <class T>
  STRATA_HOST_DEVICE bool operator()(T a, T b) const {
    return a < b;
  }
};
struct LessEqual {
  template <class T>
  STRATA_HOST_DEVICE bool operator()(T a, T b) const {
    return a <= b;
  }
};
struct LogicalAnd {
  template <class T>
  STRATA_HOST_DEVICE bool operator()(T a, T b) const {
    return (a != T(0)) & (b != T(0));
  }
};
struct LogicalOr {
  template <class T>
  STRATA_HOST_DEVICE bool operator()(T a, T b) const {
    return (a != T(0)) | (b != T(0));
  }
};
struct LogicalNot {
  template <class T>
  STRATA_HOST_DEVICE bool operator()(T x) const {
    return x == T(0);
  }
};
struct IsNan {
  template <class T>
  STRATA_HOST_DEVICE bool operator()(T x) const {
    return x != x;
  }
};

}  // namespace strata::functions
