// The activations of epilogues, for loops and kernels alike.
#pragma once

#include "kernels/elementwise/functions.h"
#include "kernels/gemm/gemm.h"

namespace strata {

template <class T>
STRATA_HOST_DEVICE T activated(Activation activation, T p) {
  switch (activation) {
    case Activation::relu:
      return functions::Relu{}(p);
    case Activation::gelu:
      return functions::Gelu{}(p);
    case Activation::gelu_tanh:
      return functions::GeluTanh{}(p);
    case Activation::none:
      break;
  }
  return p;
}

// g times the derivative at p.
template <class T>
STRATA_HOST_DEVICE T activation_gradient(Activation activation, T p, T g) {
  switch (activation) {
    case Activation::relu:
      return functions::ReluGradient{}(p, g);
    case Activation::gelu:
      return functions::GeluGradient{}(p, g);
    case Activation::gelu_tanh:
      return functions::GeluTanhGradient{}(p, g);
    case Activation::none:
      break;
  }
  return g;
}

}  // namespace strata
