// What the elementwise kernels share: reading and writing operands of any type, choosing the
// function, and the bodies, which do the work for V neighbouring elements. A rung decides which
// elements a thread takes and hands their offsets to a body.
//
// Type and function are kernel arguments, not template arguments: all threads of a grid take the
// same way through each switch, which costs a jump for V elements and saves a thousand kernels.
// Integers are computed in i64, whatever their type: wrapping commutes with the narrowing store.
#pragma once

#include "kernels/elementwise/chain.h"
#include "kernels/elementwise/functions.h"
#include "kernels/gpu/convert.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::elementwise {

using cpu::max_operands;
using Offsets = int64_t[max_operands];  // of a body's first element, in elements, by operand

template <class F>
DEVICE void visit_type(DType type, F&& f) {
  switch (type) {
    case DType::f64:
      return f(Type<double>{});
    case DType::f32:
      return f(Type<float>{});
    case DType::bf16:
      return f(Type<bf16>{});
    case DType::f16:
      return f(Type<f16>{});
    case DType::i64:
      return f(Type<int64_t>{});
    case DType::i32:
      return f(Type<int32_t>{});
    case DType::u8:
      return f(Type<uint8_t>{});
    case DType::boolean:
      return f(Type<bool>{});
  }
}

// cast() by the hardware's conversions of 16-bit floats.
template <class To, class From>
DEVICE To convert(From value) {
  if constexpr (std::is_same_v<To, From>)
    return value;
  else if constexpr (!std::is_same_v<Compute<From>, From>)
    return convert<To>(to_float(value));
  else if constexpr (!std::is_same_v<Compute<To>, To>)
    return from_float<To>(cast<float>(value));
  else
    return cast<To>(value);
}

// V elements of T as C, by loads of at most 16 bytes.
template <int V, class T, class C>
DEVICE void read_as(C (&values)[V], const void* data, int64_t offset) {
  const T* from = static_cast<const T*>(data) + offset;
  if constexpr (V == 1) {
    values[0] = convert<C>(*from);
  } else {
    constexpr int width = V < vector_width<T> ? V : vector_width<T>;
#pragma unroll
    for (int i = 0; i < V; i += width) {
      const Vec<T, width> part = load_vector<width>(from + i);
      if constexpr (std::is_same_v<C, Compute<T>>) {
        C wide[width];
        expand(part, wide);
#pragma unroll
        for (int j = 0; j < width; ++j) values[i + j] = wide[j];
      } else {
#pragma unroll
        for (int j = 0; j < width; ++j) values[i + j] = convert<C>(part[j]);
      }
    }
  }
}
template <int V, class T, class C>
DEVICE void write_as(const C (&values)[V], void* data, int64_t offset) {
  T* to = static_cast<T*>(data) + offset;
  if constexpr (V == 1) {
    *to = convert<T>(values[0]);
  } else {
    constexpr int width = V < vector_width<T> ? V : vector_width<T>;
#pragma unroll
    for (int i = 0; i < V; i += width) {
      Vec<T, width> part;
      if constexpr (std::is_same_v<C, Compute<T>>) {
        C wide[width];
#pragma unroll
        for (int j = 0; j < width; ++j) wide[j] = values[i + j];
        part = contract<T>(wide);
      } else {
#pragma unroll
        for (int j = 0; j < width; ++j) part[j] = convert<T>(values[i + j]);
      }
      store_vector(to + i, part);
    }
  }
}

struct Operands {
  void* data[max_operands];
  DType dtype[max_operands];
  DType compute;       // the type that values are cut to, where they are computed in i64
  unsigned broadcast;  // bit k: operand k is one element for all V
  unsigned numbers;    // bit k: operand k is number[k]
  struct {
    double real;
    int64_t whole;
  } number[max_operands];

  template <int V, class C>
  DEVICE void read(int k, const Offsets& offset, C (&values)[V]) const {
    if (numbers >> k & 1) {
#pragma unroll
      for (int i = 0; i < V; ++i)
        values[i] = std::is_floating_point_v<C> ? static_cast<C>(number[k].real)
                                                : static_cast<C>(number[k].whole);
      return;
    }
    visit_type(dtype[k], [&]<class T>(Type<T>) {
      if constexpr (V == 1 && std::is_same_v<C, int64_t>)
        values[0] = narrowed(static_cast<const T*>(data[k])[offset[k]]);
      else
        read_typed<T>(k, offset, values);
    });
  }
  // As the CPU converts to the type it computes in.
  template <class T>
  DEVICE int64_t narrowed(T value) const {
    switch (compute) {
      case DType::i32:
        return cast<int32_t>(value);
      case DType::u8:
        return cast<uint8_t>(value);
      case DType::boolean:
        return cast<bool>(value);
      default:
        return cast<int64_t>(value);
    }
  }
  template <class T, int V, class C>
  DEVICE void read_typed(int k, const Offsets& offset, C (&values)[V]) const {
    if (V > 1 && !(broadcast >> k & 1)) return read_as<V, T>(values, data[k], offset[k]);
    C one[1];
    read_as<1, T>(one, data[k], offset[k]);
#pragma unroll
    for (int i = 0; i < V; ++i) values[i] = one[0];
  }
  template <int V, class C>
  DEVICE void write(const Offsets& offset, const C (&values)[V]) const {
    visit_type(dtype[0], [&]<class T>(Type<T>) { write_as<V, T>(values, data[0], offset[0]); });
  }
};

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
    C a[V], b[V];
    at.read(1, offset, a);
    at.read(2, offset, b);
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
    at.read(1, offset, a);
    if (op < Compare::logical_not) at.read(2, offset, b);
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
    bool condition[V];
    B a[V], b[V];
    at.read(1, offset, condition);
    at.template read_typed<B>(2, offset, a);
    at.template read_typed<B>(3, offset, b);
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
    bool condition[V];
    C a[V], b[V];
    at.read(1, offset, condition);
    at.read(2, offset, a);
    at.read(3, offset, b);
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
    B x[V];
    at.template read_typed<B>(1, offset, x);
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

// The steps of a chain on values in registers. All inputs are read first, so that their loads are
// in flight together.
template <class C>
struct ChainBody {
  using Element = C;
  static constexpr int operands = 4;
  Operands at;
  Chain chain;
  int inputs;

  template <int V>
  DEVICE void run(const Offsets& offset) const {
    C value[V], first[V], second[V] = {}, third[V] = {};
    at.read(1, offset, first);
    if (inputs > 1) at.read(2, offset, second);
    if (inputs > 2) at.read(3, offset, third);
#pragma unroll
    for (int i = 0; i < V; ++i) value[i] = first[i];
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
      C left[V], right[V];
#pragma unroll
      for (int i = 0; i < V; ++i) {
        const C other = step.operand == 1 ? first[i] : step.operand == 2 ? second[i] : third[i];
        left[i] = step.swapped ? other : value[i];
        right[i] = step.swapped ? value[i] : other;
      }
      visit_binary<C>(step.binary, step.parameter, [&](auto f) {
#pragma unroll
        for (int i = 0; i < V; ++i) value[i] = f(left[i], right[i]);
      });
    }
    at.write(offset, value);
  }
};

}  // namespace strata::gpu::elementwise
