#include "tools/introspect/representation/similarity.h"

#include <cmath>
#include <vector>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

// Sums that both estimators need, in f64.
struct Sums {
  double product = 0;   // sum_ij K_ij L_ij
  double k = 0, l = 0;  // sums of all entries
  double rows = 0;      // sum_i (sum_j K_ij) (sum_j L_ij)
};

template <class T>
Sums sums_of(const Tensor& k, const Tensor& l, bool skip_diagonal) {
  int64_t n = k.size(0);
  const T *a = k.data<T>(), *b = l.data<T>();
  Sums s;
  for (int64_t i = 0; i < n; ++i) {
    double product = 0, ka = 0, lb = 0;
    for (int64_t j = 0; j < n; ++j) {
      double x = a[i * n + j], y = b[i * n + j];
      product += x * y;
      ka += x;
      lb += y;
    }
    if (skip_diagonal) {
      double x = a[i * n + i], y = b[i * n + i];
      product -= x * y;
      ka -= x;
      lb -= y;
    }
    s.product += product;
    s.k += ka;
    s.l += lb;
    s.rows += ka * lb;
  }
  return s;
}

double hsic(const Tensor& k, const Tensor& l, bool debiased) {
  double n = static_cast<double>(k.size(0));
  Sums s =
      k.dtype() == DType::f64 ? sums_of<double>(k, l, debiased) : sums_of<float>(k, l, debiased);
  if (debiased) {
    return (s.product + s.k * s.l / ((n - 1) * (n - 2)) - 2 * s.rows / (n - 2)) / (n * (n - 3));
  }
  return (s.product - 2 * s.rows / n + s.k * s.l / (n * n)) / ((n - 1) * (n - 1));
}

}  // namespace

Tensor gram(const Tensor& x) {
  NoGrad off;
  if (x.rank() != 2) fail("gram", Caller{}, "{} must be [N, D]", describe(x));
  Tensor centred = x - mean(x, {0});
  return matmul(centred, centred.transpose(0, 1)).contiguous();
}

double cka_of_grams(const Tensor& k, const Tensor& l, bool debiased) {
  if (k.rank() != 2 || k.shape() != l.shape() || k.size(0) != k.size(1) || k.dtype() != l.dtype()) {
    fail("cka", Caller{}, "Gram matrices {} and {} must both be [N, N] of the same type",
         describe(k), describe(l));
  }
  if (k.size(0) < 4) {
    fail("cka", Caller{}, "needs at least 4 examples; {} were given", k.size(0));
  }
  double scale = std::sqrt(std::abs(hsic(k, k, debiased) * hsic(l, l, debiased)));
  return scale > 0 ? hsic(k, l, debiased) / scale : 0;
}

double linear_cka(const Tensor& x, const Tensor& y, bool debiased) {
  return cka_of_grams(gram(x), gram(y), debiased);
}

}  // namespace strata::introspect
