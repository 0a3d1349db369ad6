#include "tools/introspect/representation/geometry.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"
#include "tools/introspect/maps/neighbours.h"
#include "tools/introspect/representation/distances.h"

namespace strata::introspect {
namespace {

constexpr int64_t rows_a_tile = 512;
constexpr double infinity = std::numeric_limits<double>::infinity();

// Eigenvalues, rounding below 0 cut off.
std::vector<double> spectrum(const Tensor& gram) {
  auto values = symmetric_eigenvalues(gram);
  for (double& v : values) v = std::max(v, 0.0);
  return values;
}

}  // namespace

double effective_rank(const Tensor& gram) {
  auto values = spectrum(gram);
  double total = std::accumulate(values.begin(), values.end(), 0.0), entropy = 0;
  if (total <= 0) return 0;
  for (double v : values) {
    if (v > 0) entropy -= v / total * std::log(v / total);
  }
  return std::exp(entropy);
}

double participation_ratio(const Tensor& gram) {
  double total = 0, squares = 0;
  for (double v : spectrum(gram)) {
    total += v;
    squares += v * v;
  }
  return squares > 0 ? total * total / squares : 0;
}

int64_t numerical_rank(const Tensor& gram, double tolerance) {
  auto values = spectrum(gram);
  double rounding = gram.dtype() == DType::f64 ? 2.2e-16 : 1.2e-7;
  double share = tolerance > 0 ? tolerance : static_cast<double>(gram.size(0)) * rounding;
  return std::count_if(values.begin(), values.end(),
                       [&](double v) { return v > share * values[0]; });
}

std::vector<double> covariance_spectrum(const Tensor& x) {
  NoGrad off;
  if (x.rank() != 2 || x.size(0) < 2) {
    fail("covariance_spectrum", Caller{}, "{} must be [N, D] with N at least 2", describe(x));
  }
  Tensor centred = x.to(DType::f64);
  centred = centred - mean(centred, {0});
  Tensor transposed = centred.transpose(0, 1);
  bool wide = x.size(1) > x.size(0);
  Tensor product = wide ? matmul(centred, transposed) : matmul(transposed, centred);
  return spectrum(product / static_cast<double>(x.size(0)));
}

NoiseEdges marchenko_pastur(int64_t n, int64_t d, double variance) {
  double root = std::sqrt(static_cast<double>(d) / static_cast<double>(n));
  return {variance * (1 - root) * (1 - root), variance * (1 + root) * (1 + root)};
}

double two_nearest_dimension(const Tensor& x) {
  NoGrad off;
  if (x.rank() != 2 || x.size(0) < 10) {
    fail("two_nearest_dimension", Caller{}, "{} must be [N, D] with N at least 10", describe(x));
  }
  auto distances = nearest_neighbours(x, 2).distance;
  std::vector<double> logs;
  for (size_t i = 0; i < distances.size(); i += 2) {
    if (distances[i] > 0) logs.push_back(std::log(distances[i + 1] / distances[i]));
  }
  if (logs.size() < 10) {
    fail("two_nearest_dimension", Caller{}, "{} has {} rows without a duplicate; 10 are needed",
         describe(x), logs.size());
  }
  std::sort(logs.begin(), logs.end());
  double count = static_cast<double>(logs.size()), xy = 0, xx = 0;
  for (size_t i = 0; i < logs.size() * 9 / 10; ++i) {
    xy += logs[i] * -std::log(1 - static_cast<double>(i + 1) / count);
    xx += logs[i] * logs[i];
  }
  return xx > 0 ? xy / xx : 0;
}

double silhouette(const Tensor& x, const std::vector<int64_t>& labels) {
  NoGrad off;
  int64_t n = static_cast<int64_t>(labels.size());
  std::map<int64_t, int64_t> position;
  for (int64_t label : labels) position.emplace(label, static_cast<int64_t>(position.size()));
  auto classes = static_cast<int64_t>(position.size());
  if (x.rank() != 2 || x.size(0) != n || classes < 2) {
    fail("silhouette", Caller{},
         "{} with {} labels of {} classes; needs [N, D], N labels and two "
         "classes",
         describe(x), n, classes);
  }
  std::vector<int64_t> own;
  for (int64_t label : labels) own.push_back(position[label]);
  Tensor members = one_hot(from_vector(own, {n}), classes, DType::f64);
  auto counts = sum(members, {0}).to_vector<double>();
  double total = 0;
  for (int64_t first = 0; first < n; first += rows_a_tile) {
    int64_t last = std::min(n, first + rows_a_tile);
    Tensor distances = sqrt(squared_distances(x.slice(0, first, last), x)).to(DType::f64);
    for (int64_t i = first; i < last; ++i) {  // not the row itself, which rounding keeps from 0
      fill_(distances.select(0, i - first).slice(0, i, i + 1), 0);
    }
    auto sums = matmul(distances, members).to_vector<double>();
    for (int64_t i = first; i < last; ++i) {
      const double* row = sums.data() + (i - first) * classes;
      int64_t mine = own[static_cast<size_t>(i)];
      double mates = counts[static_cast<size_t>(mine)] - 1, other = infinity;
      if (mates < 1) continue;
      for (int64_t c = 0; c < classes; ++c) {
        if (c != mine) other = std::min(other, row[c] / counts[static_cast<size_t>(c)]);
      }
      double inside = row[mine] / mates, larger = std::max(inside, other);
      if (larger > 0) total += (other - inside) / larger;
    }
  }
  return total / static_cast<double>(n);
}

double share_of_zeros(const Tensor& activation) {
  NoGrad off;
  if (activation.numel() == 0) return 0;
  return mean(equal(activation, zeros({}, activation.dtype())).to(DType::f32)).item();
}

double hoyer_sparsity(const Tensor& x) {
  NoGrad off;
  auto l1 = sum(abs(x), {1}).to_vector<double>(), l2 = norm(x, {1}).to_vector<double>();
  double root = std::sqrt(static_cast<double>(x.size(1))), total = 0, rows = 0;
  for (size_t i = 0; i < l1.size(); ++i) {
    if (l2[i] == 0) continue;
    total += (root - l1[i] / l2[i]) / (root - 1);
    ++rows;
  }
  return rows > 0 ? total / rows : 0;
}

Tensor slowness(const Tensor& x) {
  NoGrad off;
  if (x.rank() != 3 || x.size(1) < 2) {
    fail("slowness", Caller{}, "{} must be [N, T, C] with T at least 2", describe(x));
  }
  Tensor values = x.to(DType::f64);
  Tensor change = values.slice(1, 1, x.size(1)) - values.slice(1, 0, x.size(1) - 1);
  Tensor variance = var(values, {0, 1}, false, 0);
  Tensor still = equal(variance, zeros({}, DType::f64));
  Tensor one = ones({}, DType::f64);
  return mean(square(change), {0, 1}) / where(still, one, variance);
}

}  // namespace strata::introspect
