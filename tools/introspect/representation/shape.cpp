#include "tools/introspect/representation/shape.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"
#include "tools/introspect/maps/neighbours.h"
#include "tools/introspect/representation/distances.h"
#include "tools/introspect/representation/nearest.h"

namespace strata::introspect {
namespace {

void check_pair(const char* op, const Tensor& x, const Tensor& y, int64_t least) {
  if (x.rank() != 2 || y.rank() != 2 || x.size(0) != y.size(0) || x.size(0) < least) {
    fail(op, Caller{}, "{} and {} must be [n, p] and [n, q] with n at least {}", describe(x),
         describe(y), least);
  }
}

std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> rank(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t j = i;
    while (j < order.size() && values[order[j]] == values[order[i]]) ++j;
    for (size_t k = i; k < j; ++k) rank[order[k]] = static_cast<double>(i + j - 1) / 2;
    i = j;
  }
  return rank;
}

// Dissimilarities of the pairs i < j, in order. Cosine and correlation distances are half the
// squared distance of unit rows.
std::vector<double> dissimilarities(const Tensor& features, Dissimilarity kind) {
  Tensor x = features.to(DType::f64);
  if (kind == Dissimilarity::cosine) x = on_sphere(x - mean(x, {0}));
  if (kind == Dissimilarity::correlation) x = on_sphere(x - mean(x, {1}, true));
  auto all = squared_distances(x, x).to_vector<double>();
  auto n = static_cast<size_t>(x.size(0));
  std::vector<double> pairs;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = i + 1; j < n; ++j) pairs.push_back(all[i * n + j]);
  }
  return pairs;  // squared: the ranks are those of the distances
}

}  // namespace

double procrustes_distance(const Tensor& x, const Tensor& y, bool scaled) {
  NoGrad off;
  check_pair("procrustes_distance", x, y, 2);
  Tensor a = x.to(DType::f64), b = y.to(DType::f64);
  a = a - mean(a, {0});
  b = b - mean(b, {0});
  if (scaled) {
    double na = norm(a).item(), nb = norm(b).item();
    if (na == 0 || nb == 0) {
      fail("procrustes_distance", Caller{}, "{} is constant and cannot be scaled to norm 1",
           describe(na == 0 ? x : y));
    }
    a = a / na;
    b = b / nb;
  }
  double nuclear = 0;
  for (double s : singular_values(matmul(a.transpose(0, 1), b))) nuclear += s;
  double squared = sum(square(a)).item() + sum(square(b)).item() - 2 * nuclear;
  return std::sqrt(std::max(squared, 0.0));
}

double rsa(const Tensor& x, const Tensor& y, Dissimilarity dissimilarity) {
  NoGrad off;
  check_pair("rsa", x, y, 3);
  return spearman(dissimilarities(x, dissimilarity), dissimilarities(y, dissimilarity));
}

double mutual_neighbours(const Tensor& x, const Tensor& y, int64_t k, bool cosine) {
  NoGrad off;
  check_pair("mutual_neighbours", x, y, 2);
  auto neighbours = [&](const Tensor& t) {
    return nearest_neighbours(cosine ? on_sphere(t) : t, k).index;
  };
  auto a = neighbours(x), b = neighbours(y);
  int64_t shared = 0;
  for (int64_t i = 0; i < x.size(0); ++i) {
    auto first = a.begin() + i * k, other = b.begin() + i * k;
    for (int64_t j = 0; j < k; ++j) shared += std::find(other, other + k, first[j]) != other + k;
  }
  return static_cast<double>(shared) / static_cast<double>(a.size());
}

double spearman(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) {
    fail("spearman", Caller{}, "lists of {} and {} values", a.size(), b.size());
  }
  auto x = ranks(a), y = ranks(b);
  double middle = (static_cast<double>(a.size()) - 1) / 2, xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - middle) * (y[i] - middle);
    xx += (x[i] - middle) * (x[i] - middle);
    yy += (y[i] - middle) * (y[i] - middle);
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : 0;
}

}  // namespace strata::introspect
