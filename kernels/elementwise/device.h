// What the elementwise kernels share: choosing the function, and the bodies, which do the work for
// V neighbouring elements. A rung decides which elements a thread takes and hands their offsets to
// a body.
//
// Type and function are kernel arguments, not template arguments: all threads of a grid take the
// same way through each switch, which costs a jump for V elements and saves a thousand kernels.
// Integers are computed in i64, whatever their type: wrapping commutes with the narrowing store.
#pragma once

#include "kernels/elementwise/chain.h"
#include "kernels/elementwise/functions.h"
#include "kernels/elementwise/operands.h"

namespace strata::gpu::elementwise {

// Calls f(function) with the function of `op` on C.
template <class C, class F>
DEVICE void visit_unary(Unary op, const double* p, F&& f) {
  using namespace functions;
  switch (op) {
    case Unary::identity:
      return f(Identity{});
    case Unary::neg:
      return f(Neg{});
    case Unary::abs:
      return f(Abs{});
    case Unary::sign:
      return f(Sign{});
    case Unary::square:
      return f(Square{});
    case Unary::relu:
      return f(Relu{});
    case Unary::clamp:
      return f(Clamp<C>(p));
    default:
      break;
  }
  if constexpr (std::is_floating_point_v<C>) {
    switch (op) {
      case Unary::floor:
        return f(Floor{});
      case Unary::ceil:
        return f(Ceil{});
      case Unary::round:
        return f(Round{});
      case Unary::exp:
        return f(Exp{});
      case Unary::expm1:
        return f(Expm1{});
      case Unary::log:
        return f(Log{});
      case Unary::log1p:
        return f(Log1p{});
      case Unary::sqrt:
        return f(Sqrt{});
      case Unary::rsqrt:
        return f(Rsqrt{});
      case Unary::reciprocal:
        return f(Reciprocal{});
      case Unary::sin:
        return f(Sin{});
      case Unary::cos:
        return f(Cos{});
      case Unary::tanh:
        return f(Tanh{});
      case Unary::sigmoid:
        return f(Sigmoid{});
      case Unary::erf:
        return f(Erf{});
      case Unary::leaky_relu:
        return f(LeakyRelu<C>(p));
      case Unary::elu:
        return f(Elu<C>(p));
      case Unary::softplus:
        return f(Softplus{});
      case Unary::silu:
        return f(Silu{});
      case Unary::gelu:
        return f(Gelu{});
      case Unary::gelu_tanh:
        return f(GeluTanh{});
      case Unary::hard_sigmoid:
        return f(HardSigmoid{});
      case Unary::hard_swish:
        return f(HardSwish{});
      default:
        return;
    }
  }
}

template <class C>
struct MaskedScale {
  C scale;
  DEVICE explicit MaskedScale(const double* p) : scale(static_cast<C>(p[0])) {}
  DEVICE C operator()(C x, C keep) const { return keep != C(0) ? scale * x : C(0); }
};

template <class C, class F>
DEVICE void visit_binary(Binary op, const double* p, F&& f) {
  using namespace functions;
  switch (op) {
    case Binary::add:
      return f(Add{});
    case Binary::sub:
      return f(Sub{});
    case Binary::mul:
      return f(Mul{});
    case Binary::maximum:
      return f(Maximum{});
    case Binary::minimum:
      return f(Minimum{});
    case Binary::pow:
      return f(Pow{});
    case Binary::add_scaled:
      return f(AddScaled<C>(p));
    default:
      break;
  }
  if constexpr (std::is_floating_point_v<C>) {
    switch (op) {
      case Binary::div:
        return f(Div{});
      case Binary::masked_scale:
        return f(MaskedScale<C>(p));
      case Binary::relu_gradient:
        return f(ReluGradient{});
      case Binary::tanh_gradient:
        return f(TanhGradient{});
      case Binary::sigmoid_gradient:
        return f(SigmoidGradient{});
      case Binary::leaky_relu_gradient:
        return f(LeakyReluGradient<C>(p));
      case Binary::silu_gradient:
        return f(SiluGradient{});
      case Binary::gelu_gradient:
        return f(GeluGradient{});
      case Binary::gelu_tanh_gradient:
        return f(GeluTanhGradient{});
      default:
        return;
    }
  }
}

// ---- bodies ----

template <class C>
struct UnaryBody {
  using Element = C;
  static constexpr int operands = 2;
  Operands at;
  Unary op;
  double parameter[2];

  template <int V>
  DEVICE void run(const Offsets& offset) const {
    C x[V];
    at.read(1, offset, x);
    visit_unary<C>(op, parameter, [&](auto f) {
#pragma unroll
      for (int i = 0; i < V; ++i) x[i] = f(x[i]);
    });
    at.write(offset, x);
  }
};

template <class C>
struct BinaryBody {
  using Element = C;
  static constexpr int operands = 3;
  Operands at;
  Binary op;
  double parameter[2];

  template <int V>
  DEVICE void run(const Offsets& offset) const {
    Raw raw[2] = {};
    at.template load<V, C>(1, offset, raw[0]);
    at.template load<V, C>(2, offset, raw[1]);
    keep_packed(raw[0]);
    keep_packed(raw[1]);
    C a[V], b[V];
    at.take(1, raw[0], a);
    at.take(2, raw[1], b);
    visit_binary<C>(op, parameter, [&](auto f) {
#pragma unroll
      for (int i = 0; i < V; ++i) a[i] = f(a[i], b[i]);
    });
    at.write(offset, a);
  }
};

template <class C>
struct CompareBody {
  using Element = C;
  static constexpr int operands = 3;
  Operands at;
  Compare op;

  template <int V>
  DEVICE void run(const Offsets& offset) const {
    using namespace functions;
    C a[V], b[V];
    bool result[V];
    auto apply = [&](auto f) {
#pragma unroll
      for (int i = 0; i < V; ++i) result[i] = f(a[i], b[i]);
    };
    Raw raw[2] = {};
    const bool two = op < Compare::logical_not;
    at.template load<V, C>(1, offset, raw[0]);
    if (two) at.template load<V, C>(2, offset, raw[1]);
    keep_packed(raw[0]);
    keep_packed(raw[1]);
    at.take(1, raw[0], a);
    if (two) at.take(2, raw[1], b);
    switch (op) {
      case Compare::equal:
        apply(Equal{});
        break;
      case Compare::not_equal:
        apply(NotEqual{});
        break;
      case Compare::less:
        apply(Less{});
        break;
      case Compare::less_equal:
        apply(LessEqual{});
        break;
      case Compare::logical_and:
        apply(LogicalAnd{});
        break;
      case Compare::logical_or:
        apply(LogicalOr{});
        break;
      case Compare::logical_not:
        apply([](C x, C) { return LogicalNot{}(x); });
        break;
      case Compare::is_nan:
        apply([](C x, C) { return IsNan{}(x); });
        break;
    }
    at.write(offset, result);
  }
};

// Moving and choosing elements needs their size only: B is an unsigned type of that size.
template <class B>
struct WhereBody {
  using Element = B;
  static constexpr int operands = 4;
  Operands at;

  template <int V>
  DEVICE void run(const Offsets& offset) const {
    Raw raw[3] = {};
    at.template load<V, bool>(1, offset, raw[0]);
    at.template load<V, B>(2, offset, raw[1]);
    at.template load<V, B>(3, offset, raw[2]);
#pragma unroll
    for (Raw& each : raw) keep_packed(each);
    bool condition[V];
    B a[V], b[V];
    at.take(1, raw[0], condition);
    at.template take_typed<B>(2, raw[1], a);
    at.template take_typed<B>(3, raw[2], b);
#pragma unroll
    for (int i = 0; i < V; ++i) a[i] = condition[i] ? a[i] : b[i];
    write_as<V, B>(a, at.data[0], offset[0]);
  }
};
// The same where types differ.
template <class C>
struct ChooseBody {
  using Element = C;
  static constexpr int operands = 4;
  Operands at;

  template <int V>
  DEVICE void run(const Offsets& offset) const {
    Raw raw[3] = {};
    at.template load<V, bool>(1, offset, raw[0]);
    at.template load<V, C>(2, offset, raw[1]);
    at.template load<V, C>(3, offset, raw[2]);
#pragma unroll
    for (Raw& each : raw) keep_packed(each);
    bool condition[V];
    C a[V], b[V];
    at.take(1, raw[0], condition);
    at.take(2, raw[1], a);
    at.take(3, raw[2], b);
#pragma unroll
    for (int i = 0; i < V; ++i) a[i] = condition[i] ? a[i] : b[i];
    at.write(offset, a);
  }
};
template <class B>
struct MoveBody {
  using Element = B;
  static constexpr int operands = 2;
  Operands at;

  template <int V>
  DEVICE void run(const Offsets& offset) const {
    Raw raw{};
    at.template load<V, B>(1, offset, raw);
    B x[V];
    at.template take_typed<B>(1, raw, x);
    write_as<V, B>(x, at.data[0], offset[0]);
  }
};
template <class B>
struct FillBody {
  using Element = B;
  static constexpr int operands = 1;
  Operands at;
  B value;

  template <int V>
  DEVICE void run(const Offsets& offset) const {
    B x[V];
#pragma unroll
    for (int i = 0; i < V; ++i) x[i] = value;
    write_as<V, B>(x, at.data[0], offset[0]);
  }
};

// The steps of a chain on values in registers. Operands stay as they came until a step asks for
// one: packed, they take the fewest registers.
template <class C>
struct ChainBody {
  using Element = C;
  static constexpr int operands = 4;
  Operands at;
  Chain chain;
  int inputs;

  template <int V>
  DEVICE void run(const Offsets& offset) const {
    Raw raw[3] = {};
    at.template load<V, C>(1, offset, raw[0]);
    if (inputs > 1) at.template load<V, C>(2, offset, raw[1]);
    if (inputs > 2) at.template load<V, C>(3, offset, raw[2]);
#pragma unroll
    for (Raw& each : raw) keep_packed(each);
    C value[V];
    at.take(1, raw[0], value);
#pragma unroll 1
    for (int s = 0; s < chain.count; ++s) {
      const ChainStep& step = chain.steps[s];
      if (step.operand == 0) {
        visit_unary<C>(step.unary, step.parameter, [&](auto f) {
#pragma unroll
          for (int i = 0; i < V; ++i) value[i] = f(value[i]);
        });
        continue;
      }
      Raw from = raw[0];
      if (step.operand == 2) from = raw[1];
      if (step.operand == 3) from = raw[2];
      C other[V];
      at.take(step.operand, from, other);
      if (step.swapped) {
#pragma unroll
        for (int i = 0; i < V; ++i) {
          const C left = other[i];
          other[i] = value[i], value[i] = left;
        }
      }
      visit_binary<C>(step.binary, step.parameter, [&](auto f) {
#pragma unroll
        for (int i = 0; i < V; ++i) value[i] = f(value[i], other[i]);
      });
    }
    at.write(offset, value);
  }
};

}  // namespace strata::gpu::elementwise
