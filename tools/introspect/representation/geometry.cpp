#include "tools/introspect/representation/geometry.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

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

}  // namespace strata::introspect
