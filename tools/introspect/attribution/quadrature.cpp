#include "tools/introspect/attribution/quadrature.h"

#include <cmath>
#include <numbers>
#include <utility>

#include "engine/error.h"

namespace strata::introspect {

QuadratureRule gauss_legendre(int n) {
  if (n < 1) fail("quadrature", Caller{}, "{} steps: at least 1 is needed", n);
  QuadratureRule rule{std::vector<double>(static_cast<size_t>(n)),
                      std::vector<double>(static_cast<size_t>(n))};
  for (int i = 0; i < (n + 1) / 2; ++i) {
    double root = std::cos(std::numbers::pi * (i + 0.75) / (n + 0.5)), slope = 1;
    for (int iteration = 0; iteration < 100; ++iteration) {
      double value = 1, previous = 0;  // P_k and P_(k - 1) at the root
      for (int k = 1; k <= n; ++k) {
        double older = std::exchange(previous, value);
        value = ((2 * k - 1) * root * previous - (k - 1) * older) / k;
      }
      slope = n * (root * value - previous) / (root * root - 1);
      double step = value / slope;
      root -= step;
      if (std::abs(step) < 1e-15) break;
    }
    double weight = 1 / ((1 - root * root) * slope * slope);
    auto left = static_cast<size_t>(i), right = static_cast<size_t>(n - 1 - i);
    rule.nodes[left] = 0.5 - 0.5 * root;
    rule.nodes[right] = 0.5 + 0.5 * root;
    rule.weights[left] = rule.weights[right] = weight;
  }
  return rule;
}

QuadratureRule midpoints(int n) {
  if (n < 1) fail("quadrature", Caller{}, "{} steps: at least 1 is needed", n);
  QuadratureRule rule;
  for (int k = 0; k < n; ++k) rule.nodes.push_back((k + 0.5) / n);
  rule.weights.assign(static_cast<size_t>(n), 1.0 / n);
  return rule;
}

}  // namespace strata::introspect
