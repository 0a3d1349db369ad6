// Activations. A vjp uses the one-pass gradient kernel in an ordinary backward pass, and the same
// formula made of public ops when gradients are themselves recorded.
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops/create.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/elementwise_args.h"

namespace strata {
namespace {

Tensor apply(const char* op, Unary kernel, const Tensor& x, Caller at, double parameter = 0,
             bool keep_integers = false) {
  check_defined(op, {&x}, at);
  Tensor out = empty(x.shape(), keep_integers ? x.dtype() : float_type(x.dtype()), x.device());
  auto args = elementwise_args(out, {&x}, compute_type(out.dtype()));
  args.parameter[0] = parameter;
  on(x.device(), op, at, cpu::unary, gpu::unary, kernel, args);
  return out;
}

// gradient = kernel(kept, g) in one pass; kept and g broadcast.
Gradients fused(Binary kernel, const Tensor& kept, const Tensor& g, double parameter = 0) {
  Tensor out = empty(kept.shape(), kept.dtype(), kept.device());
  auto args = elementwise_args(out, {&kept, &g}, compute_type(kept.dtype()));
  args.parameter[0] = parameter;
  on(kept.device(), "gradient", Caller{}, cpu::binary, gpu::binary, kernel, args);
  return {out};
}

Tensor number(double value, const Tensor& like) { return scalar(value, like.dtype()); }

}  // namespace

Tensor tanh(const Tensor& x, Caller at) {
  Tensor out = apply("tanh", Unary::tanh, x, at);
  return record(out, "tanh", at, {x}, {out}, [](const Tensor& g, const Saved& s) {
    if (!grad_enabled()) return fused(Binary::tanh_gradient, s[0], g);
    return Gradients{g * (1.0 - square(s[0]))};
  });
}

Tensor sigmoid(const Tensor& x, Caller at) {
  Tensor out = apply("sigmoid", Unary::sigmoid, x, at);
  return record(out, "sigmoid", at, {x}, {out}, [](const Tensor& g, const Saved& s) {
    if (!grad_enabled()) return fused(Binary::sigmoid_gradient, s[0], g);
    Tensor r = s[0];
    return Gradients{g * (r * (1.0 - r))};
  });
}

Tensor relu(const Tensor& x, Caller at) {
  Tensor out = apply("relu", Unary::relu, x, at, 0, true);
  return record(out, "relu", at, {x}, {out}, [](const Tensor& g, const Saved& s) {
    if (!grad_enabled()) return fused(Binary::relu_gradient, s[0], g);
    return Gradients{where(less_equal(s[0], number(0, s[0])), number(0, g), g)};
  });
}

Tensor leaky_relu(const Tensor& x, double slope, Caller at) {
  Tensor out = apply("leaky_relu", Unary::leaky_relu, x, at, slope);
  return record(std::move(out), "leaky_relu", at, {x}, {x},
                [slope](const Tensor& g, const Saved& s) {
                  if (!grad_enabled()) return fused(Binary::leaky_relu_gradient, s[0], g, slope);
                  return Gradients{where(less_equal(s[0], number(0, s[0])), g * slope, g)};
                });
}

// alpha exp(x) is the result + alpha where x <= 0.
Tensor elu(const Tensor& x, double alpha, Caller at) {
  Tensor out = apply("elu", Unary::elu, x, at, alpha);
  return record(out, "elu", at, {x}, {x, out}, [alpha](const Tensor& g, const Saved& s) {
    return Gradients{where(greater(s[0], number(0, s[0])), g, g * (s[1] + alpha))};
  });
}

Tensor softplus(const Tensor& x, Caller at) {
  return record(apply("softplus", Unary::softplus, x, at), "softplus", at, {x}, {x},
                [](const Tensor& g, const Saved& s) { return Gradients{g * sigmoid(s[0])}; });
}

Tensor silu(const Tensor& x, Caller at) {
  return record(apply("silu", Unary::silu, x, at), "silu", at, {x}, {x},
                [](const Tensor& g, const Saved& s) {
                  if (!grad_enabled()) return fused(Binary::silu_gradient, s[0], g);
                  Tensor x = s[0], r = sigmoid(x);
                  return Gradients{g * (r * (x * (1.0 - r) + 1.0))};
                });
}

// d/dx x Phi(x) = Phi(x) + x phi(x).
Tensor gelu(const Tensor& x, Caller at) {
  return record(apply("gelu", Unary::gelu, x, at), "gelu", at, {x}, {x},
                [](const Tensor& g, const Saved& s) {
                  if (!grad_enabled()) return fused(Binary::gelu_gradient, s[0], g);
                  constexpr double sqrt_half = 0.70710678118654752440;
                  constexpr double inverse_sqrt_2pi = 0.39894228040143267794;
                  Tensor x = s[0];
                  Tensor cumulative = (erf(x * sqrt_half) + 1.0) * 0.5;
                  return Gradients{g * (cumulative + x * exp(square(x) * -0.5) * inverse_sqrt_2pi)};
                });
}

// x sigmoid(u) with u = 2 sqrt(2 / pi) (x + 0.044715 x^3).
Tensor gelu_tanh(const Tensor& x, Caller at) {
  return record(apply("gelu_tanh", Unary::gelu_tanh, x, at), "gelu_tanh", at, {x}, {x},
                [](const Tensor& g, const Saved& s) {
                  if (!grad_enabled()) return fused(Binary::gelu_tanh_gradient, s[0], g);
                  constexpr double factor = 2 * 0.79788456080286535588, cubic = 0.044715;
                  Tensor x = s[0], x2 = square(x);
                  Tensor r = sigmoid(x * (x2 * cubic + 1.0) * factor);
                  Tensor slope = (x2 * (3 * cubic) + 1.0) * factor;
                  return Gradients{g * (r + x * r * (1.0 - r) * slope)};
                });
}

// min(max(x + 3, 0), 6) / 6 (Howard et al. 2019, MobileNetV3).
Tensor hard_sigmoid(const Tensor& x, Caller at) {
  return record(apply("hard_sigmoid", Unary::hard_sigmoid, x, at), "hard_sigmoid", at, {x}, {x},
                [](const Tensor& g, const Saved& s) {
                  Tensor inside = less(abs(s[0]), number(3, s[0]));
                  return Gradients{where(inside, g * (1.0 / 6), number(0, g))};
                });
}

Tensor hard_swish(const Tensor& x, Caller at) {
  return record(apply("hard_swish", Unary::hard_swish, x, at), "hard_swish", at, {x}, {x},
                [](const Tensor& g, const Saved& s) {
                  Tensor x = s[0];
                  Tensor inner = where(less(x, number(3, x)), g * (x * (1.0 / 3) + 0.5), g);
                  return Gradients{where(greater(x, number(-3, x)), inner, number(0, g))};
                });
}

}  // namespace strata
