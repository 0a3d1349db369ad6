// Arithmetic, comparisons and elementary functions: each op with its gradient beside it.
// Activations are in activation.cpp, copies and conversions in copy.cpp.
#include "engine/ops/elementwise.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops/create.h"
#include "engine/ops/elementwise_args.h"

namespace strata {
namespace {

// The kernel's result, not yet recorded.
Tensor apply(const char* op, Binary kernel, const Tensor& a, const Tensor& b, DType type,
             Caller at) {
  Tensor out = empty(a.shape() == b.shape() ? a.shape() : joint_shape(op, a, b, at), type,
                     joint_device(a, b));
  auto args = elementwise_args(out, {&a, &b}, compute_type(type));
  on(out.device(), op, at, cpu::binary, gpu::binary, kernel, args);
  return out;
}
// With a number on the right, or on the left.
Tensor apply(const char* op, Binary kernel, const Tensor& a, double b, DType type, Caller at) {
  Tensor out = empty(a.shape(), type, a.device());
  auto args = elementwise_args(out, {&a}, compute_type(type));
  NumberOperand number(args, b, 2);
  on(a.device(), op, at, cpu::binary, gpu::binary, kernel, args);
  return out;
}
Tensor apply(const char* op, Binary kernel, double a, const Tensor& b, DType type, Caller at) {
  Tensor out = empty(b.shape(), type, b.device());
  auto args = elementwise_args(out, {&b, &b}, compute_type(type));
  NumberOperand number(args, a, 1);
  on(b.device(), op, at, cpu::binary, gpu::binary, kernel, args);
  return out;
}
Tensor apply(const char* op, Unary kernel, const Tensor& x, DType type, Caller at) {
  Tensor out = empty(x.shape(), type, x.device());
  auto args = elementwise_args(out, {&x}, compute_type(type));
  on(x.device(), op, at, cpu::unary, gpu::unary, kernel, args);
  return out;
}

DType check_and_promote(const char* op, const Tensor& a, const Tensor& b, Caller at) {
  check_operands(op, a, b, at);
  return promote(a.dtype(), b.dtype());
}
void refuse_bool(const char* op, const Tensor& x, DType type, Caller at) {
  if (type != DType::boolean) return;
  fail(op, at,
       "{} is bool, for which this has no meaning; use logical_not, not_equal, or to(DType)",
       describe(x));
}

// A function whose results are fractional: integers become f32.
Tensor apply_float(const char* op, Unary kernel, const Tensor& x, Caller at) {
  check_defined(op, {&x}, at);
  return apply(op, kernel, x, float_type(x.dtype()), at);
}
Tensor apply_any(const char* op, Unary kernel, const Tensor& x, Caller at) {
  check_defined(op, {&x}, at);
  return apply(op, kernel, x, x.dtype(), at);
}

}  // namespace

// Arithmetic --------------------------------------------------------------------------------------

Tensor add(const Tensor& a, const Tensor& b, Caller at) {
  Tensor out = apply("add", Binary::add, a, b, check_and_promote("add", a, b, at), at);
  return record(std::move(out), "add", at, {a, b}, {}, [](const Tensor& g, const Saved& s) {
    return Gradients{s.needs(0) ? g : Tensor(), s.needs(1) ? g : Tensor()};
  });
}

Tensor sub(const Tensor& a, const Tensor& b, Caller at) {
  DType type = check_and_promote("sub", a, b, at);
  refuse_bool("sub", a, type, at);
  Tensor out = apply("sub", Binary::sub, a, b, type, at);
  return record(std::move(out), "sub", at, {a, b}, {}, [](const Tensor& g, const Saved& s) {
    return Gradients{s.needs(0) ? g : Tensor(), s.needs(1) ? neg(g) : Tensor()};
  });
}

Tensor mul(const Tensor& a, const Tensor& b, Caller at) {
  Tensor out = apply("mul", Binary::mul, a, b, check_and_promote("mul", a, b, at), at);
  return record(std::move(out), "mul", at, {a, b}, {a, b}, [](const Tensor& g, const Saved& s) {
    return Gradients{s.needs(0) ? g * s[1] : Tensor(), s.needs(1) ? g * s[0] : Tensor()};
  });
}

Tensor div(const Tensor& a, const Tensor& b, Caller at) {
  DType type = float_type(check_and_promote("div", a, b, at));
  Tensor out = apply("div", Binary::div, a, b, type, at);
  return record(out, "div", at, {a, b}, {b, out}, [](const Tensor& g, const Saved& s) {
    Tensor scaled = g / s[0];
    return Gradients{s.needs(0) ? scaled : Tensor(), s.needs(1) ? neg(scaled * s[1]) : Tensor()};
  });
}

// d/da a^b = b a^(b-1), 0 where b is 0; d/db a^b = a^b log a, 0 where a is 0 and b is not negative.
Tensor pow(const Tensor& a, const Tensor& b, Caller at) {
  Tensor out = apply("pow", Binary::pow, a, b, check_and_promote("pow", a, b, at), at);
  return record(out, "pow", at, {a, b}, {a, b, out}, [](const Tensor& g, const Saved& s) {
    Gradients gradients(2);
    Tensor a = s[0], b = s[1], zero = scalar(0, g.dtype());
    if (s.needs(0)) gradients[0] = g * where(equal(b, zero), zero, b * pow(a, b - 1.0));
    if (s.needs(1)) {
      Tensor vanishes = logical_and(equal(a, zero), greater_equal(b, zero));
      Tensor base = where(vanishes, scalar(1, a.dtype()), a);
      gradients[1] = g * where(vanishes, zero, s[2] * log(base));
    }
    return gradients;
  });
}

namespace {

// Where the operands tie, each gets half of the gradient.
Gradients share(const Tensor& g, const Saved& s, bool largest) {
  Tensor a = s[0], b = s[1], zero = scalar(0, g.dtype());
  Tensor tied = where(equal(a, b), g * 0.5, zero);
  Tensor a_wins = largest ? greater(a, b) : less(a, b),
         b_wins = largest ? less(a, b) : greater(a, b);
  return {s.needs(0) ? where(a_wins, g, tied) : Tensor(),
          s.needs(1) ? where(b_wins, g, tied) : Tensor()};
}

}  // namespace

Tensor maximum(const Tensor& a, const Tensor& b, Caller at) {
  DType type = check_and_promote("maximum", a, b, at);
  Tensor out = apply("maximum", Binary::maximum, a, b, type, at);
  return record(std::move(out), "maximum", at, {a, b}, {a, b},
                [](const Tensor& g, const Saved& s) { return share(g, s, true); });
}

Tensor minimum(const Tensor& a, const Tensor& b, Caller at) {
  DType type = check_and_promote("minimum", a, b, at);
  Tensor out = apply("minimum", Binary::minimum, a, b, type, at);
  return record(std::move(out), "minimum", at, {a, b}, {a, b},
                [](const Tensor& g, const Saved& s) { return share(g, s, false); });
}

// With a number -----------------------------------------------------------------------------------

Tensor add(const Tensor& a, double b, Caller at) {
  check_defined("add", {&a}, at);
  Tensor out = apply("add", Binary::add, a, b, type_with_number(a.dtype(), b), at);
  return record(std::move(out), "add", at, {a}, {},
                [](const Tensor& g, const Saved&) { return Gradients{g}; });
}

Tensor sub(double a, const Tensor& b, Caller at) {
  check_defined("sub", {&b}, at);
  Tensor out = apply("sub", Binary::sub, a, b, type_with_number(b.dtype(), a), at);
  return record(std::move(out), "sub", at, {b}, {},
                [](const Tensor& g, const Saved&) { return Gradients{neg(g)}; });
}

Tensor mul(const Tensor& a, double b, Caller at) {
  check_defined("mul", {&a}, at);
  Tensor out = apply("mul", Binary::mul, a, b, type_with_number(a.dtype(), b), at);
  return record(std::move(out), "mul", at, {a}, {},
                [b](const Tensor& g, const Saved&) { return Gradients{g * b}; });
}

Tensor div(double a, const Tensor& b, Caller at) {
  check_defined("div", {&b}, at);
  Tensor out = apply("div", Binary::div, a, b, float_type(b.dtype()), at);
  return record(out, "div", at, {b}, {b, out},
                [](const Tensor& g, const Saved& s) { return Gradients{neg(g * s[1] / s[0])}; });
}

// Powers that have a kernel of their own use it.
Tensor pow(const Tensor& a, double b, Caller at) {
  if (b == 2.0) return square(a, at);
  if (b == 0.5) return sqrt(a, at);
  if (b == -1.0) return reciprocal(a, at);
  check_defined("pow", {&a}, at);
  Tensor out = apply("pow", Binary::pow, a, b, type_with_number(a.dtype(), b), at);
  return record(std::move(out), "pow", at, {a}, {a}, [b](const Tensor& g, const Saved& s) {
    if (b == 0.0) return Gradients{zeros_like(g)};
    return Gradients{b == 1.0 ? g : g * (pow(s[0], b - 1.0) * b)};
  });
}

// Comparisons -------------------------------------------------------------------------------------

namespace {

Tensor compare(const char* op, Compare kernel, const Tensor& a, const Tensor& b, Caller at,
               bool swapped = false) {
  DType type = check_and_promote(op, a, b, at);
  Tensor out = empty(joint_shape(op, a, b, at), DType::boolean, joint_device(a, b));
  auto args = elementwise_args(out, {swapped ? &b : &a, swapped ? &a : &b}, compute_type(type));
  on(out.device(), op, at, cpu::compare, gpu::compare, kernel, args);
  return record(std::move(out), op, at);
}
Tensor compare(const char* op, Compare kernel, const Tensor& x, Caller at) {
  check_defined(op, {&x}, at);
  Tensor out = empty(x.shape(), DType::boolean, x.device());
  auto args = elementwise_args(out, {&x}, compute_type(x.dtype()));
  on(x.device(), op, at, cpu::compare, gpu::compare, kernel, args);
  return record(std::move(out), op, at);
}

}  // namespace

Tensor equal(const Tensor& a, const Tensor& b, Caller at) {
  return compare("equal", Compare::equal, a, b, at);
}
Tensor not_equal(const Tensor& a, const Tensor& b, Caller at) {
  return compare("not_equal", Compare::not_equal, a, b, at);
}
Tensor less(const Tensor& a, const Tensor& b, Caller at) {
  return compare("less", Compare::less, a, b, at);
}
Tensor less_equal(const Tensor& a, const Tensor& b, Caller at) {
  return compare("less_equal", Compare::less_equal, a, b, at);
}
Tensor greater(const Tensor& a, const Tensor& b, Caller at) {
  return compare("greater", Compare::less, a, b, at, true);
}
Tensor greater_equal(const Tensor& a, const Tensor& b, Caller at) {
  return compare("greater_equal", Compare::less_equal, a, b, at, true);
}
Tensor logical_and(const Tensor& a, const Tensor& b, Caller at) {
  return compare("logical_and", Compare::logical_and, a, b, at);
}
Tensor logical_or(const Tensor& a, const Tensor& b, Caller at) {
  return compare("logical_or", Compare::logical_or, a, b, at);
}
Tensor logical_not(const Tensor& x, Caller at) {
  return compare("logical_not", Compare::logical_not, x, at);
}
Tensor is_nan(const Tensor& x, Caller at) { return compare("is_nan", Compare::is_nan, x, at); }

// Functions of one operand ------------------------------------------------------------------------

Tensor neg(const Tensor& x, Caller at) {
  check_defined("neg", {&x}, at);
  refuse_bool("neg", x, x.dtype(), at);
  return record(apply("neg", Unary::neg, x, x.dtype(), at), "neg", at, {x}, {},
                [](const Tensor& g, const Saved&) { return Gradients{neg(g)}; });
}

Tensor abs(const Tensor& x, Caller at) {
  return record(apply_any("abs", Unary::abs, x, at), "abs", at, {x}, {x},
                [](const Tensor& g, const Saved& s) { return Gradients{g * sign(s[0])}; });
}

namespace {

// Functions that are constant almost everywhere: the gradient is 0.
Tensor step_function(const char* op, Unary kernel, const Tensor& x, Caller at) {
  return record(apply_any(op, kernel, x, at), op, at, {x}, {},
                [](const Tensor& g, const Saved&) { return Gradients{zeros_like(g)}; });
}
// Integers are what they round to.
Tensor rounding(const char* op, Unary kernel, const Tensor& x, Caller at) {
  check_defined(op, {&x}, at);
  return step_function(op, is_float(x.dtype()) ? kernel : Unary::identity, x, at);
}

}  // namespace

Tensor sign(const Tensor& x, Caller at) { return step_function("sign", Unary::sign, x, at); }
Tensor floor(const Tensor& x, Caller at) { return rounding("floor", Unary::floor, x, at); }
Tensor ceil(const Tensor& x, Caller at) { return rounding("ceil", Unary::ceil, x, at); }
Tensor round(const Tensor& x, Caller at) { return rounding("round", Unary::round, x, at); }

Tensor exp(const Tensor& x, Caller at) {
  Tensor out = apply_float("exp", Unary::exp, x, at);
  return record(out, "exp", at, {x}, {out},
                [](const Tensor& g, const Saved& s) { return Gradients{g * s[0]}; });
}

Tensor expm1(const Tensor& x, Caller at) {
  Tensor out = apply_float("expm1", Unary::expm1, x, at);
  return record(out, "expm1", at, {x}, {out},
                [](const Tensor& g, const Saved& s) { return Gradients{g * (s[0] + 1.0)}; });
}

Tensor log(const Tensor& x, Caller at) {
  return record(apply_float("log", Unary::log, x, at), "log", at, {x}, {x},
                [](const Tensor& g, const Saved& s) { return Gradients{g / s[0]}; });
}

Tensor log1p(const Tensor& x, Caller at) {
  return record(apply_float("log1p", Unary::log1p, x, at), "log1p", at, {x}, {x},
                [](const Tensor& g, const Saved& s) { return Gradients{g / (s[0] + 1.0)}; });
}

Tensor sqrt(const Tensor& x, Caller at) {
  Tensor out = apply_float("sqrt", Unary::sqrt, x, at);
  return record(out, "sqrt", at, {x}, {out},
                [](const Tensor& g, const Saved& s) { return Gradients{g * 0.5 / s[0]}; });
}

Tensor rsqrt(const Tensor& x, Caller at) {
  Tensor out = apply_float("rsqrt", Unary::rsqrt, x, at);
  return record(out, "rsqrt", at, {x}, {out}, [](const Tensor& g, const Saved& s) {
    Tensor r = s[0];
    return Gradients{g * (r * square(r)) * -0.5};
  });
}

Tensor reciprocal(const Tensor& x, Caller at) {
  Tensor out = apply_float("reciprocal", Unary::reciprocal, x, at);
  return record(out, "reciprocal", at, {x}, {out},
                [](const Tensor& g, const Saved& s) { return Gradients{neg(g * square(s[0]))}; });
}

Tensor square(const Tensor& x, Caller at) {
  return record(apply_any("square", Unary::square, x, at), "square", at, {x}, {x},
                [](const Tensor& g, const Saved& s) { return Gradients{g * s[0] * 2.0}; });
}

Tensor sin(const Tensor& x, Caller at) {
  return record(apply_float("sin", Unary::sin, x, at), "sin", at, {x}, {x},
                [](const Tensor& g, const Saved& s) { return Gradients{g * cos(s[0])}; });
}

Tensor cos(const Tensor& x, Caller at) {
  return record(apply_float("cos", Unary::cos, x, at), "cos", at, {x}, {x},
                [](const Tensor& g, const Saved& s) { return Gradients{neg(g * sin(s[0]))}; });
}

Tensor erf(const Tensor& x, Caller at) {
  return record(apply_float("erf", Unary::erf, x, at), "erf", at, {x}, {x},
                [](const Tensor& g, const Saved& s) {
                  constexpr double two_over_sqrt_pi = 1.12837916709551257390;
                  return Gradients{g * exp(neg(square(s[0]))) * two_over_sqrt_pi};
                });
}

// Choice ------------------------------------------------------------------------------------------

// The gradient passes inside the closed interval.
Tensor clamp(const Tensor& x, double low, double high, Caller at) {
  check_defined("clamp", {&x}, at);
  if (!(low <= high)) fail("clamp", at, "low {} must not be above high {}", low, high);
  DType type = x.dtype();
  for (double bound : {low, high}) {
    if (!std::isinf(bound)) type = type_with_number(type, bound);
  }
  Tensor out = empty(x.shape(), type, x.device());
  auto args = elementwise_args(out, {&x}, compute_type(type));
  args.parameter[0] = low;
  args.parameter[1] = high;
  on(x.device(), "clamp", at, cpu::unary, gpu::unary, Unary::clamp, args);
  return record(std::move(out), "clamp", at, {x}, {x},
                [low, high](const Tensor& g, const Saved& s) {
                  Tensor x = s[0];
                  Tensor inside = logical_and(greater_equal(x, scalar(low, x.dtype())),
                                              less_equal(x, scalar(high, x.dtype())));
                  return Gradients{where(inside, g, scalar(0, g.dtype()))};
                });
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b, Caller at) {
  check_defined("where", {&condition, &a, &b}, at);
  check_operands("where", a, b, at);
  if (condition.dtype() != DType::boolean) {
    fail("where", at, "the condition {} must be bool; compare it with something first",
         describe(condition));
  }
  Dims shape;
  if (!broadcast(a.shape(), b.shape(), &shape) ||
      !broadcast(Dims(shape), condition.shape(), &shape)) {
    fail("where", at,
         "the condition {} and the operands {} and {} do not broadcast: counted from the right, "
         "sizes must be equal or 1",
         describe(condition), describe(a), describe(b));
  }
  check_operands("where", condition, joint_device(a, b) == a.device() ? a : b, at);
  Tensor out = empty(shape, promote(a.dtype(), b.dtype()),
                     condition.device() == Device::gpu ? Device::gpu : joint_device(a, b));
  auto args = elementwise_args(out, {&condition, &a, &b}, compute_type(out.dtype()));
  on(out.device(), "where", at, cpu::where, gpu::where, args);
  return record(std::move(out), "where", at, {condition, a, b}, {condition},
                [](const Tensor& g, const Saved& s) {
                  Tensor zero = scalar(0, g.dtype());
                  return Gradients{Tensor(), s.needs(1) ? where(s[0], g, zero) : Tensor(),
                                   s.needs(2) ? where(s[0], zero, g) : Tensor()};
                });
}

}  // namespace strata
