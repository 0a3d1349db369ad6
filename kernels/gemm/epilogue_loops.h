// Epilogues of products on the CPU as a pass of their own. A bias and a relu go with the product
// (gemm.cpp); the rest comes here.
#pragma once

#include <type_traits>
#include <vector>

#include "kernels/common/parallel.h"
#include "kernels/gemm/activation.h"
#include "kernels/gemm/gemm.h"

namespace strata::cpu {

inline bool finished_with_product(const Epilogue& e) {
  return e.alpha == 1 && !e.residual && !e.preactivation && !e.gradient &&
         (e.activation == Activation::none || e.activation == Activation::relu);
}

// On C that holds the sums; `residual` is not C.
template <class T>
void apply_epilogue(const GemmArguments& g, const T* residual) {
  using Sum = functions::Wrapping<T>;
  auto converted = [](double x) { return static_cast<Sum>(static_cast<T>(x)); };
  const Epilogue& e = g.epilogue;
  const T* bias = static_cast<const T*>(e.bias);
  T *c = static_cast<T*>(g.c), *saved = static_cast<T*>(e.preactivation);
  const Sum alpha = converted(e.alpha), beta = converted(e.beta);
  parallel_for(batch_count(g) * g.M, (1 << 14) / g.N + 1, [&](int64_t begin, int64_t end) {
    for (int64_t at = begin * g.N; at < end * g.N; ++at) {
      Sum p = alpha * static_cast<Sum>(c[at]);
      if (bias) p += static_cast<Sum>(bias[at % g.N]);
      if constexpr (std::is_floating_point_v<T>) {
        if (saved && !e.gradient) saved[at] = p;
        p = e.gradient ? activation_gradient(e.activation, saved[at], p)
                       : activated(e.activation, p);
      }
      if (residual) p += beta * static_cast<Sum>(residual[at]);
      c[at] = static_cast<T>(p);
    }
  });
}

// The product by `product`, then its epilogue.
template <class Product>
void finish_apart(const GemmArguments& g, Product&& product) {
  visit(g.dtype, [&]<class T>(Type<T>) {
    if constexpr (std::is_same_v<T, float> || std::is_same_v<T, double> ||
                  std::is_same_v<T, int32_t> || std::is_same_v<T, int64_t>) {
      const T* residual = static_cast<const T*>(g.epilogue.residual);
      std::vector<T> before;
      if (residual && residual == g.c) {
        before.assign(residual, residual + batch_count(g) * g.M * g.N);
        residual = before.data();
      }
      GemmArguments plain = g;
      plain.epilogue = {};
      product(plain);
      apply_epilogue<T>(g, residual);
    } else {
      product(g);  // refuses the type
    }
  });
}

}  // namespace strata::cpu
