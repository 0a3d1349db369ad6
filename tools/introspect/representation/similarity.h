// Centred kernel alignment (Kornblith et al. 2019, "Similarity of neural network representations
// revisited"): how alike two representations of the same examples are, whatever rotation, shift or
// scale.
//
//   CKA(X, Y) = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)),  K and L kernels between examples,
// linear (X X') or Gaussian. The plain estimator is biased: representations of widths p and q that
// have nothing in common score sqrt(p q / ((n + p) (n + q))), 0.67 for n = 256 and p = q = 512. The
// debiased one, on the unbiased HSIC of Song et al. 2012, is near 0 for them and may be negative.
// Judge a value by its null band: what rows paired by chance give.
#pragma once

#include <cstdint>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// x [N, D] -> [N, N] of inner products after centring the columns.
Tensor gram(const Tensor& x);
// exp(-|x_i - x_j|^2 / (2 s^2)), s the median distance between rows times `share`. Rows that are
// all equal give ones.
Tensor gaussian_gram(const Tensor& x, double share = 1);

// From two kernel matrices of the same examples, [N, N] of one type, N at least 4. A representation
// that is constant gives 0.
double cka_of_grams(const Tensor& k, const Tensor& l, bool debiased = true);
// x [N, p], y [N, q]. From sums of products of features, in 2 N (p + q)^2 FLOPs and (p + q)^2
// numbers, where that is less than the Gram matrices; the same value in both forms.
double linear_cka(const Tensor& x, const Tensor& y, bool debiased = true);
double gaussian_cka(const Tensor& x, const Tensor& y, double share = 1, bool debiased = true);

// Linear CKA over batches of rows that do not fit in memory together: the value of all rows at
// once, from sums of (p + q)^2 numbers in f64.
class StreamingCka {
 public:
  // x [b, p] and y [b, q]; the widths are the same in every call.
  void add(const Tensor& x, const Tensor& y);
  // Of all rows so far, at least 4.
  double value(bool debiased = true) const;
  int64_t rows() const { return rows_; }

 private:
  double hsic(int a, int b, bool debiased) const;

  // Sums over rows z = [x y], less the mean of the first batch: CKA does not see the shift, and
  // large means would cost digits.
  int64_t rows_ = 0, p_ = 0;
  Tensor shift_, total_, outer_;  // [p + q]; sum z; sum z z'
  Tensor weighted_;               // sum z |x|^2 and sum z |y|^2, [2, p + q]
  Tensor squares_, products_;     // sums of |a|^2, [2], and of |a|^2 |b|^2, [2, 2], a and b x or y
};

// CKA of any kernel over batches (Nguyen, Raghu and Kornblith 2021, "Do wide and deep networks
// learn the same things?"): unbiased HSICs are averaged over batches before the division. Its
// expectation does not depend on the batch size; memory is one batch's Gram matrices.
class MinibatchCka {
 public:
  // Kernel matrices of one batch, as for cka_of_grams.
  void add(const Tensor& k, const Tensor& l);
  double value() const;

 private:
  double kl_ = 0, kk_ = 0, ll_ = 0;
};

// CKA with the rows of one side permuted `draws` times: mean, and the range of the central 95 %.
struct NullBand {
  double mean = 0, low = 0, high = 0;
};
NullBand cka_null_band(const Tensor& k, const Tensor& l, int draws = 100, bool debiased = true,
                       uint64_t seed = 1);

}  // namespace strata::introspect
