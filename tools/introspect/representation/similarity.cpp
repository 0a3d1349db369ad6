#include "tools/introspect/representation/similarity.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/representation/distances.h"

namespace strata::introspect {
namespace {

// Sums over two kernel matrices that both estimators need, in f64; the debiased one leaves the
// diagonals out.
struct Sums {
  double product = 0;   // sum_ij K_ij L_ij
  double k = 0, l = 0;  // of all entries
  double rows = 0;      // sum_i (sum_j K_ij) (sum_j L_ij)
};

double hsic_of(const Sums& s, double n, bool debiased) {
  if (debiased) {
    return (s.product + s.k * s.l / ((n - 1) * (n - 2)) - 2 * s.rows / (n - 2)) / (n * (n - 3));
  }
  return (s.product - 2 * s.rows / n + s.k * s.l / (n * n)) / ((n - 1) * (n - 1));
}

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
  Sums s =
      k.dtype() == DType::f64 ? sums_of<double>(k, l, debiased) : sums_of<float>(k, l, debiased);
  return hsic_of(s, static_cast<double>(k.size(0)), debiased);
}

double aligned(double kl, double kk, double ll) {
  double scale = std::sqrt(std::abs(kk * ll));
  return scale > 0 ? kl / scale : 0;
}

void check_count(int64_t n) {
  if (n < 4) fail("cka", Caller{}, "needs at least 4 examples; {} were given", n);
}
void check_grams(const Tensor& k, const Tensor& l) {
  if (k.rank() != 2 || k.shape() != l.shape() || k.size(0) != k.size(1) || k.dtype() != l.dtype()) {
    fail("cka", Caller{}, "Gram matrices {} and {} must both be [N, N] of the same type",
         describe(k), describe(l));
  }
  check_count(k.size(0));
}

// The columns of side 0 (x, the first p) or 1 (y).
Tensor side_of(const Tensor& x, int axis, int side, int64_t p) {
  return side == 0 ? x.slice(axis, 0, p) : x.slice(axis, p, x.size(axis));
}

}  // namespace

Tensor gram(const Tensor& x) {
  NoGrad off;
  if (x.rank() != 2) fail("gram", Caller{}, "{} must be [N, D]", describe(x));
  Tensor centred = x - mean(x, {0});
  return matmul(centred, centred.transpose(0, 1)).contiguous();
}

Tensor gaussian_gram(const Tensor& x, double share) {
  NoGrad off;
  if (!(share > 0)) fail("gaussian_gram", Caller{}, "the share of the median is {}", share);
  double width = share * median_distance(x);
  Tensor squares = squared_distances(x, x);
  if (width == 0) return ones_like(squares);
  return exp(squares * (-1 / (2 * width * width))).contiguous();
}

double cka_of_grams(const Tensor& k, const Tensor& l, bool debiased) {
  check_grams(k, l);
  return aligned(hsic(k, l, debiased), hsic(k, k, debiased), hsic(l, l, debiased));
}

double linear_cka(const Tensor& x, const Tensor& y, bool debiased) {
  if (x.rank() != 2 || y.rank() != 2 || x.size(0) != y.size(0)) {
    fail("cka", Caller{}, "{} and {} must be [N, p] and [N, q]", describe(x), describe(y));
  }
  if (x.size(1) + y.size(1) >= x.size(0)) return cka_of_grams(gram(x), gram(y), debiased);
  StreamingCka all;
  all.add(x, y);
  return all.value(debiased);
}

double gaussian_cka(const Tensor& x, const Tensor& y, double share, bool debiased) {
  return cka_of_grams(gaussian_gram(x, share), gaussian_gram(y, share), debiased);
}

void StreamingCka::add(const Tensor& x, const Tensor& y) {
  NoGrad off;
  if (x.rank() != 2 || y.rank() != 2 || x.size(0) != y.size(0) ||
      (rows_ > 0 && (x.size(1) != p_ || x.size(1) + y.size(1) != shift_.size(0)))) {
    fail("cka", Caller{}, "batch {} and {} must be [b, p] and [b, q], p and q as before",
         describe(x), describe(y));
  }
  if (x.size(0) == 0) return;
  Tensor z = concatenate({x.to(DType::f64), y.to(DType::f64)}, 1);
  if (rows_ == 0) {
    int64_t width = z.size(1);
    p_ = x.size(1);
    shift_ = mean(z, {0});
    total_ = zeros({width}, DType::f64);
    outer_ = zeros({width, width}, DType::f64);
    weighted_ = zeros({2, width}, DType::f64);
    squares_ = zeros({2}, DType::f64);
    products_ = zeros({2, 2}, DType::f64);
  }
  z = z - shift_;
  Tensor lengths = concatenate(
      {sum(square(side_of(z, 1, 0, p_)), {1}, true), sum(square(side_of(z, 1, 1, p_)), {1}, true)},
      1);  // |x|^2 and |y|^2, [b, 2]
  add_(total_, sum(z, {0}));
  add_(outer_, matmul(z.transpose(0, 1), z));
  add_(weighted_, matmul(lengths.transpose(0, 1), z));
  add_(squares_, sum(lengths, {0}));
  add_(products_, matmul(lengths.transpose(0, 1), lengths));
  rows_ += z.size(0);
}

// With K_ij = a_i.a_j and L_ij = b_i.b_j every sum over pairs is one over rows: sum_ij K_ij L_ij is
// |A'B|^2, sum_j K_ij is a_i.s for s = sum a.
double StreamingCka::hsic(int a, int b, bool debiased) const {
  Tensor sa = side_of(total_, 0, a, p_), sb = side_of(total_, 0, b, p_);
  Tensor ab = side_of(side_of(outer_, 0, a, p_), 1, b, p_);
  Sums s{sum(square(ab)).item(), dot(sa, sa).item(), dot(sb, sb).item(),
         dot(sa, matmul(ab, sb)).item()};
  if (debiased) {
    double both = products_.select(0, a).select(0, b).item();
    s.product -= both;
    s.k -= squares_.select(0, a).item();
    s.l -= squares_.select(0, b).item();
    s.rows += both - dot(sa, side_of(weighted_.select(0, b), 0, a, p_)).item() -
              dot(sb, side_of(weighted_.select(0, a), 0, b, p_)).item();
  }
  return hsic_of(s, static_cast<double>(rows_), debiased);
}

double StreamingCka::value(bool debiased) const {
  NoGrad off;
  check_count(rows_);
  return aligned(hsic(0, 1, debiased), hsic(0, 0, debiased), hsic(1, 1, debiased));
}

void MinibatchCka::add(const Tensor& k, const Tensor& l) {
  check_grams(k, l);
  kl_ += hsic(k, l, true);
  kk_ += hsic(k, k, true);
  ll_ += hsic(l, l, true);
}

double MinibatchCka::value() const { return aligned(kl_, kk_, ll_); }

NullBand cka_null_band(const Tensor& k, const Tensor& l, int draws, bool debiased, uint64_t seed) {
  NoGrad off;
  check_grams(k, l);
  if (draws < 1) fail("cka_null_band", Caller{}, "{} draws", draws);
  double kk = hsic(k, k, debiased), ll = hsic(l, l, debiased);
  Generator generator(seed);
  std::vector<double> values;
  NullBand band;
  for (int i = 0; i < draws; ++i) {
    Tensor order = randperm(k.size(0), &generator);
    Tensor permuted = index_select(index_select(l, 0, order), 1, order).contiguous();
    values.push_back(aligned(hsic(k, permuted, debiased), kk, ll));
    band.mean += values.back() / draws;
  }
  std::sort(values.begin(), values.end());
  auto quantile = [&](double share) {
    return values[static_cast<size_t>(std::lround(share * (draws - 1)))];
  };
  band.low = quantile(0.025);
  band.high = quantile(0.975);
  return band;
}

}  // namespace strata::introspect
