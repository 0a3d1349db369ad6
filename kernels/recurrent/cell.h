// One element of a cell, for the CPU and for kernels alike. S: f32 or f64.
#pragma once

#include "kernels/common/vec_math.h"

namespace strata::recurrent {

template <class S>
struct LstmCell {
  S i, f, g, o;  // after their functions

  // From the gates before their functions.
  STRATA_INLINE static LstmCell of(S i, S f, S g, S o) {
    return {math::sigmoid(i), math::sigmoid(f), math::tanh(g), math::sigmoid(o)};
  }
  STRATA_INLINE S next(S cell) const { return f * cell + i * g; }
  STRATA_INLINE S hidden(S next) const { return o * math::tanh(next); }

  // Gradients of the gates before their functions, and of the old cell.
  struct Gradient {
    S i, f, g, o, cell;
  };
  STRATA_INLINE Gradient gradient(S cell, S next, S of_hidden, S of_next) const {
    const S t = math::tanh(next);
    const S d = of_next + of_hidden * o * (S(1) - t * t);
    return {d * g * i * (S(1) - i), d * cell * f * (S(1) - f), d * i * (S(1) - g * g),
            of_hidden * t * o * (S(1) - o), d * f};
  }
};

template <class S>
struct GruCell {
  S r, z, n, h_part;  // r, z, n after their functions; the h part of n before

  STRATA_INLINE static GruCell of(S r, S z, S x_part, S h_part) {
    const S reset = math::sigmoid(r);
    return {reset, math::sigmoid(z), math::tanh(x_part + reset * h_part), h_part};
  }
  STRATA_INLINE S next(S hidden) const { return (S(1) - z) * n + z * hidden; }

  // Gradients of r and z (both parts), of the two parts of n, and of the old hidden state.
  struct Gradient {
    S r, z, x_part, h_part, hidden;
  };
  STRATA_INLINE Gradient gradient(S hidden, S g) const {
    const S of_n = g * (S(1) - z) * (S(1) - n * n);
    return {of_n * h_part * r * (S(1) - r), g * (hidden - n) * z * (S(1) - z), of_n, of_n * r,
            g * z};
  }
};

}  // namespace strata::recurrent
