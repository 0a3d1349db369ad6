#include "kernels/common/parallel.h"
#include "tools/introspect/maps/repulsion.h"

namespace strata::introspect {

Repulsion exact_repulsion(const std::vector<double>& y) {
  auto n = static_cast<int64_t>(y.size() / 2);
  std::vector<double> px(y.size() / 2), py(px), weights(px);
  for (size_t i = 0; i < px.size(); ++i) px[i] = y[2 * i], py[i] = y[2 * i + 1];
  Repulsion result{std::vector<double>(y.size()), 0};
  parallel_for(n, 8, [&](int64_t begin, int64_t end) {
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      const double *xs = px.data(), *ys = py.data();
      double x0 = px[i], y0 = py[i], fx = 0, fy = 0, z = 0;
#pragma omp simd reduction(+ : fx, fy, z)
      for (int64_t j = 0; j < n; ++j) {
        double dx = x0 - xs[j], dy = y0 - ys[j], w = 1 / (1 + dx * dx + dy * dy);
        z += w;
        fx += w * w * dx;
        fy += w * w * dy;
      }
      result.force[2 * i] = fx, result.force[2 * i + 1] = fy;
      weights[i] = z - 1;  // without itself
    }
  });
  for (double w : weights) result.z += w;
  return result;
}

}  // namespace strata::introspect
