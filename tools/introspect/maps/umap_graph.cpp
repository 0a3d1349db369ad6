#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "tools/introspect/maps/umap.h"

namespace strata::introspect {
namespace {

constexpr double least_sigma = 1e-3;  // in mean distances (McInnes's own floor)

// Weakens edges by what labels say of them, then makes the strongest of each row 1 again.
void supervise(SparseMatrix& graph, const UmapOptions& options) {
  const std::vector<int64_t>& labels = options.labels;
  if (static_cast<int64_t>(labels.size()) != graph.rows()) {
    fail("umap", Caller{}, "{} labels for {} points", labels.size(), graph.rows());
  }
  double other = options.label_weight < 1 ? std::exp(-2.5 / (1 - options.label_weight)) : 0;
  SparseMatrix rows = graph;
  for (size_t i = 0; i < labels.size(); ++i) {
    double strongest = 0;
    auto begin = static_cast<size_t>(graph.start[i]), end = static_cast<size_t>(graph.start[i + 1]);
    for (size_t e = begin; e < end; ++e) {
      int64_t mine = labels[i], its = labels[static_cast<size_t>(graph.column[e])];
      rows.value[e] *= mine < 0 || its < 0 ? std::exp(-1) : mine == its ? 1 : other;
      strongest = std::max(strongest, rows.value[e]);
    }
    for (size_t e = begin; e < end; ++e) rows.value[e] /= strongest > 0 ? strongest : 1;
  }
  for (size_t i = 0; i < labels.size(); ++i) {
    for (auto e = static_cast<size_t>(graph.start[i]); e < static_cast<size_t>(graph.start[i + 1]);
         ++e) {
      auto j = static_cast<size_t>(graph.column[e]);
      auto from = graph.column.begin() + graph.start[j];
      auto back = std::lower_bound(from, graph.column.begin() + graph.start[j + 1],
                                   static_cast<int32_t>(i));
      double p = rows.value[e], q = rows.value[static_cast<size_t>(back - graph.column.begin())];
      graph.value[e] = p + q - p * q;
    }
  }
}

}  // namespace

UmapCurve fit_umap_curve(double spread, double min_distance) {
  if (!(spread > 0) || !(min_distance >= 0) || min_distance > spread) {
    fail("umap", Caller{}, "min_distance {} and spread {}: needs 0 <= min_distance <= spread > 0",
         min_distance, spread);
  }
  constexpr int points = 300;
  // Residuals' squares at (a, b), and the normal equations of a step.
  struct Fit {
    double error = 0, aa = 0, ab = 0, bb = 0, ga = 0, gb = 0;
  };
  auto fit_at = [&](double a, double b) {
    Fit fit;
    for (int i = 1; i < points; ++i) {  // at 0 every curve is right
      double x = 3 * spread * i / (points - 1);
      double wanted = x < min_distance ? 1 : std::exp(-(x - min_distance) / spread);
      double power = std::pow(x, 2 * b), y = 1 / (1 + a * power), off = wanted - y;
      double da = -y * y * power, db = -y * y * a * power * 2 * std::log(x);
      fit.error += off * off;
      fit.aa += da * da, fit.ab += da * db, fit.bb += db * db;
      fit.ga += da * off, fit.gb += db * off;
    }
    return fit;
  };
  double a = 1, b = 1, damping = 1e-3;
  Fit now = fit_at(a, b);
  for (int step = 0; step < 200 && damping < 1e12; ++step) {
    double aa = now.aa * (1 + damping), bb = now.bb * (1 + damping);
    double det = aa * bb - now.ab * now.ab;
    double to_a = a + (bb * now.ga - now.ab * now.gb) / det;
    double to_b = b + (aa * now.gb - now.ab * now.ga) / det;
    Fit next = to_a > 0 && to_b > 0 ? fit_at(to_a, to_b) : Fit{.error = INFINITY};
    if (next.error < now.error) {
      a = to_a, b = to_b, now = next;
      damping /= 10;
    } else {
      damping *= 10;
    }
  }
  return {a, b};
}

void fill_memberships(const double* distance, int64_t count, double total, bool connected,
                      double* weight) {
  double rho = 0, mean = 0;
  for (int64_t j = 0; j < count; ++j) {
    mean += distance[j] / static_cast<double>(count);
    if (connected && rho == 0) rho = distance[j];
  }
  double low = 0, high = INFINITY, sigma = mean > 0 ? mean : 1;
  for (int step = 0; step < 200; ++step) {
    double sum = 0;
    for (int64_t j = 0; j < count; ++j) {
      weight[j] = std::exp(-std::max(0.0, distance[j] - rho) / sigma);
      sum += weight[j];
    }
    if (std::abs(sum - total) < 1e-9 * total || sigma < least_sigma * mean) break;
    if (sum > total) {
      high = sigma;
      sigma = (low + sigma) / 2;
    } else {
      low = sigma;
      sigma = std::isinf(high) ? 2 * sigma : (sigma + high) / 2;
    }
    if (sigma > 1e300) break;  // all of them weigh 1 and it is not enough
  }
}

SparseMatrix fuzzy_graph(const Neighbours& neighbours, const UmapOptions& options) {
  int64_t n = neighbours.rows(), k = options.neighbours - 1;
  if (k < 1 || k > neighbours.count) {
    fail("umap", Caller{}, "{} neighbours, the point itself counted, of {} known: needs 2 to {}",
         options.neighbours, neighbours.count, neighbours.count + 1);
  }
  std::vector<double> weights(static_cast<size_t>(n * k));
  std::vector<int32_t> columns(weights.size());
  parallel_for(n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      auto from = static_cast<size_t>(i * neighbours.count), to = static_cast<size_t>(i * k);
      fill_memberships(&neighbours.distance[from], k, std::log2(options.neighbours), true,
                       &weights[to]);
      std::copy_n(&neighbours.index[from], k, &columns[to]);
    }
  });
  SparseMatrix graph = symmetrised(columns, weights, k, 1);
  if (!options.labels.empty()) supervise(graph, options);
  return graph;
}

}  // namespace strata::introspect
