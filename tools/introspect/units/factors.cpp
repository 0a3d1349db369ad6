#include "tools/introspect/units/factors.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

Tensor checked(const Tensor& x) {
  if (x.rank() < 2 || !is_float(x.dtype())) {
    fail("factorise", Caller{}, "{} is not a matrix [M, C] or an activation [N, ..., C] of floats",
         describe(x));
  }
  Tensor rows = x.detach().reshape({-1, x.size(-1)}).contiguous();
  if (!(min(rows).item() >= 0) || !std::isfinite(max(rows).item())) {
    fail("factorise", Caller{},
         "{} holds values from {} to {}; non-negative factors need finite values of at least 0, so "
         "take the activation behind its ReLU",
         describe(x), min(rows).item(), max(rows).item());
  }
  return rows;
}

// One sweep over the columns j of factor [n, k]: f_j = max(0, (a_j - sum_{l != j} f_l b_lj) /
// b_jj), with a = X times the other factor and b the other factor's Gram matrix. Rows do not mix.
template <class T>
void sweep(const Tensor& factor, const Tensor& numerator, const Tensor& gram) {
  int64_t k = factor.size(1);
  T* f = factor.data<T>();
  const T *a = numerator.data<T>(), *b = gram.data<T>();
  parallel_for(factor.size(0), 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* row = f + i * k;
      for (int64_t j = 0; j < k; ++j) {
        if (b[j * k + j] <= 0) continue;
        T rest = a[i * k + j] + row[j] * b[j * k + j];
        for (int64_t l = 0; l < k; ++l) rest -= row[l] * b[l * k + j];
        row[j] = std::max<T>(0, rest / b[j * k + j]);
      }
    }
  });
}

void update(const Tensor& factor, const Tensor& numerator, const Tensor& gram) {
  Tensor a = numerator.contiguous(), b = gram.contiguous();
  factor.dtype() == DType::f64 ? sweep<double>(factor, a, b) : sweep<float>(factor, a, b);
  note_write(factor, "factorise", Caller{});
}

Tensor gram_of(const Tensor& factor) { return matmul(factor.transpose(0, 1), factor); }

// W [M, k] and H' [C, k] from the leading singular triples: of each pair of vectors the positive or
// the negative parts, whichever have the larger product of norms.
std::pair<Tensor, Tensor> singular_start(const Tensor& x, int64_t k) {
  EigenPairs pairs = symmetric_eigen(gram_of(x));
  Tensor fill = scalar(mean(x).item(), x.dtype());
  std::vector<Tensor> left, right;
  for (int64_t j = 0; j < k; ++j) {
    Tensor v = pairs.vectors.select(1, j).to(x.dtype()).contiguous();
    Tensor u = matmul(x, v);
    Tensor up = relu(u), vp = relu(v), un = relu(-u), vn = relu(-v);
    double positive = norm(up).item() * norm(vp).item();
    double negative = norm(un).item() * norm(vn).item();
    Tensor a = positive >= negative ? up : un, b = positive >= negative ? vp : vn;
    // The triple's size is shared equally: |a b'| = max(positive, negative).
    double scale = std::sqrt(std::max(positive, negative));
    left.push_back(a * (scale / (norm(a).item() + 1e-30)));
    right.push_back(b * (scale / (norm(b).item() + 1e-30)));
  }
  auto filled = [&](const std::vector<Tensor>& columns) {
    Tensor joined = stack(columns, 1);
    return where(equal(joined, zeros_like(joined)), fill, joined).contiguous();
  };
  return {filled(left), filled(right)};
}

// |X - W H'|^2 / |X|^2 from the products that an update has anyway.
double relative_error(double energy, const Tensor& w, const Tensor& numerator, const Tensor& gram) {
  double cross = sum((numerator * w).to(DType::f64)).item();
  double own = sum((gram_of(w) * gram).to(DType::f64)).item();
  return energy > 0 ? std::sqrt(std::max(0.0, energy - 2 * cross + own) / energy) : 0;
}

// Directions of length 1, the most energetic factor first.
void put_in_order(Tensor& w, Tensor& h) {
  Tensor lengths = norm(h, {0});
  w = w * lengths;
  h = h / (lengths + 1e-30);
  auto energy = sum(square(w), {0}).to_vector<double>();
  std::vector<int64_t> order(energy.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return energy[static_cast<size_t>(a)] > energy[static_cast<size_t>(b)];
  });
  Tensor index = from_vector(order, {static_cast<int64_t>(order.size())});
  w = index_select(w, 1, index);
  h = index_select(h, 1, index);
}

Tensor in_shape_of(const Tensor& x, const Tensor& weights) {
  Dims shape = x.shape();
  shape[x.rank() - 1] = weights.size(1);
  return weights.reshape(shape);
}

}  // namespace

Factors factorise(const Tensor& x, int64_t k, const FactorOptions& options) {
  NoGrad off;
  Tensor rows = checked(x);
  if (k < 1 || k > std::min(rows.size(0), rows.size(1))) {
    fail("factorise", Caller{}, "{} factors of {} x {} values: expected 1 to {}", k, rows.size(0),
         rows.size(1), std::min(rows.size(0), rows.size(1)));
  }
  auto [w, h] = singular_start(rows, k);
  double energy = sum(square(rows.to(DType::f64))).item(), before = 1;
  Factors result;
  Tensor transposed = rows.transpose(0, 1);
  while (result.iterations < options.max_iterations) {
    update(h, matmul(transposed, w), gram_of(w));
    Tensor numerator = matmul(rows, h), gram = gram_of(h);
    update(w, numerator, gram);
    ++result.iterations;
    if (result.iterations % 10 > 0) continue;
    double now = relative_error(energy, w, numerator, gram);
    if (before - now < options.tolerance) break;
    before = now;
  }
  result.error = relative_error(energy, w, matmul(rows, h), gram_of(h));
  put_in_order(w, h);
  result.weights = in_shape_of(x, w.contiguous());
  result.directions = h.transpose(0, 1).contiguous();
  return result;
}

Tensor factor_weights(const Tensor& x, const Tensor& directions, int iterations) {
  NoGrad off;
  Tensor rows = checked(x);
  if (directions.rank() != 2 || directions.size(1) != rows.size(1)) {
    fail("factor_weights", Caller{}, "directions {} do not fit activations {}",
         describe(directions), describe(x));
  }
  Tensor h = directions.to(rows.dtype()).transpose(0, 1).contiguous();
  Tensor numerator = matmul(rows, h), gram = gram_of(h);
  Tensor w = zeros({rows.size(0), h.size(1)}, rows.dtype());
  for (int i = 0; i < iterations; ++i) update(w, numerator, gram);
  return in_shape_of(x, w);
}

}  // namespace strata::introspect
