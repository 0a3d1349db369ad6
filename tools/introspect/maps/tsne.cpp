#include "tools/introspect/maps/tsne.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tools/introspect/representation/features.h"

namespace strata::introspect {
namespace {

// Squared Euclidean distances [N, N], f64, never negative.
std::vector<double> squared_distances(const Tensor& x) {
  NoGrad off;
  int64_t n = x.size(0), d = x.size(1);
  Tensor points = x.to(DType::f32).contiguous();
  const float* data = points.data<float>();
  std::vector<double> distances(static_cast<size_t>(n * n), 0.0);
  parallel_for(n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        float total = 0;
#pragma omp simd reduction(+ : total)
        for (int64_t k = 0; k < d; ++k) {
          float difference = data[i * d + k] - data[j * d + k];
          total += difference * difference;
        }
        distances[static_cast<size_t>(i * n + j)] = static_cast<double>(total);
      }
    }
  });
  return distances;
}

// Conditional probabilities of one row; the precision is found by bisection on the entropy.
void fill_row(const double* distances, int64_t n, int64_t self, double entropy_wanted,
              double* row) {
  double low = 0, high = INFINITY, precision = 1, nearest = INFINITY;
  for (int64_t j = 0; j < n; ++j) {
    if (j != self) nearest = std::min(nearest, distances[j]);
  }
  double scale = 0;
  for (int64_t j = 0; j < n; ++j) scale += distances[j];
  if (scale > 0) precision = static_cast<double>(n) / scale;
  for (int step = 0; step < 200; ++step) {
    double sum = 0, weighted = 0;
    for (int64_t j = 0; j < n; ++j) {
      row[j] = j == self ? 0 : std::exp(-precision * (distances[j] - nearest));
      sum += row[j];
      weighted += row[j] * (distances[j] - nearest);
    }
    double entropy = std::log(sum) + precision * weighted / sum;
    for (int64_t j = 0; j < n; ++j) row[j] /= sum;
    if (std::abs(entropy - entropy_wanted) < 1e-6) break;
    if (entropy > entropy_wanted) {
      low = precision;
      precision = std::isinf(high) ? precision * 2 : (precision + high) / 2;
    } else {
      high = precision;
      precision = (precision + low) / 2;
    }
    if (precision > 1e300 || precision < 1e-300) break;  // duplicates: no precision reaches it
  }
}

void check(const Tensor& x, double perplexity) {
  if (x.rank() != 2 || x.size(0) < 4) {
    fail("tsne", Caller{}, "{} must be [N, D] with N at least 4", describe(x));
  }
  if (perplexity < 1 || perplexity * 3 > static_cast<double>(x.size(0) - 1)) {
    fail("tsne", Caller{}, "perplexity {} needs 1 <= perplexity <= (N - 1) / 3 = {:.1f}",
         perplexity, static_cast<double>(x.size(0) - 1) / 3);
  }
}

std::vector<double> start_of(const Tensor& x, const Tensor& start) {
  if (start.defined()) return start.to_vector<double>();
  auto components = principal_components(x.to(DType::f32), 2);
  auto y = project(x.to(DType::f32), components, false).to_vector<double>();
  size_t width = components.variances.size();
  double deviation = std::sqrt(std::max(components.variances[0], 1e-30));
  std::vector<double> plane(static_cast<size_t>(x.size(0)) * 2, 0.0);
  for (size_t i = 0; i < plane.size() / 2; ++i) {
    for (size_t k = 0; k < width; ++k) plane[i * 2 + k] = y[i * width + k] / deviation * 1e-4;
  }
  return plane;
}

}  // namespace

std::vector<double> tsne_affinities(const Tensor& x, double perplexity) {
  check(x, perplexity);
  int64_t n = x.size(0);
  auto distances = squared_distances(x);
  std::vector<double> p(distances.size());
  parallel_for(n, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      fill_row(&distances[static_cast<size_t>(i * n)], n, i, std::log(perplexity),
               &p[static_cast<size_t>(i * n)]);
    }
  });
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) {
      auto a = static_cast<size_t>(i * n + j), b = static_cast<size_t>(j * n + i);
      p[a] = p[b] = (p[a] + p[b]) / (2 * static_cast<double>(n));
    }
  }
  return p;
}

std::vector<double> tsne_gradient(const std::vector<double>& p, const std::vector<double>& y,
                                  double* divergence) {
  int64_t n = static_cast<int64_t>(y.size()) / 2;
  std::vector<double> px(static_cast<size_t>(n)), py(px);
  for (int64_t i = 0; i < n; ++i) {
    px[static_cast<size_t>(i)] = y[static_cast<size_t>(2 * i)];
    py[static_cast<size_t>(i)] = y[static_cast<size_t>(2 * i + 1)];
  }
  // By row: attraction, repulsion, sum of weights, sum of p log w.
  std::vector<double> rows(static_cast<size_t>(n) * 6);
  parallel_for(n, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const double* pi = &p[static_cast<size_t>(i * n)];
      double x0 = px[static_cast<size_t>(i)], y0 = py[static_cast<size_t>(i)];
      double ax = 0, ay = 0, rx = 0, ry = 0, z = 0;
#pragma omp simd reduction(+ : ax, ay, rx, ry, z)
      for (int64_t j = 0; j < n; ++j) {
        double dx = x0 - px[static_cast<size_t>(j)], dy = y0 - py[static_cast<size_t>(j)];
        double w = 1 / (1 + dx * dx + dy * dy), pw = pi[j] * w, ww = w * w;
        ax += pw * dx;
        ay += pw * dy;
        rx += ww * dx;
        ry += ww * dy;
        z += w;
      }
      double* row = &rows[static_cast<size_t>(i) * 6];
      row[0] = ax, row[1] = ay, row[2] = rx, row[3] = ry, row[4] = z - 1;  // without itself
      row[5] = 0;
      if (!divergence) continue;
      for (int64_t j = 0; j < n; ++j) {
        if (j == i || pi[j] <= 0) continue;
        double dx = x0 - px[static_cast<size_t>(j)], dy = y0 - py[static_cast<size_t>(j)];
        row[5] += pi[j] * (std::log(pi[j]) + std::log1p(dx * dx + dy * dy));
      }
    }
  });
  double z = 0, kl = 0, mass = 0;
  for (int64_t i = 0; i < n; ++i) {
    z += rows[static_cast<size_t>(i) * 6 + 4];
    kl += rows[static_cast<size_t>(i) * 6 + 5];
  }
  if (divergence) {
    for (double value : p) mass += value;
    *divergence = kl + mass * std::log(z);
  }
  std::vector<double> gradient(y.size());
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    gradient[2 * i] = 4 * (rows[i * 6] - rows[i * 6 + 2] / z);
    gradient[2 * i + 1] = 4 * (rows[i * 6 + 1] - rows[i * 6 + 3] / z);
  }
  return gradient;
}

TsneResult tsne(const Tensor& x, const TsneOptions& options, const Tensor& start) {
  auto p = tsne_affinities(x, options.perplexity);
  std::vector<double> y = start_of(x, start), velocity(y.size(), 0.0), gains(y.size(), 1.0);
  double n = static_cast<double>(x.size(0));
  double rate = options.learning_rate > 0 ? options.learning_rate : std::max(50.0, n / 48);
  for (double& value : p) value *= 12;
  for (int iteration = 0; iteration < options.iterations; ++iteration) {
    if (iteration == options.exaggerated) {
      for (double& value : p) value /= 12;
    }
    auto gradient = tsne_gradient(p, y, nullptr);
    double momentum = iteration < options.exaggerated ? 0.5 : 0.8;
    for (size_t i = 0; i < y.size(); ++i) {
      bool agrees = (gradient[i] > 0) == (velocity[i] > 0);
      gains[i] = std::max(0.01, agrees ? gains[i] * 0.8 : gains[i] + 0.2);
      velocity[i] = momentum * velocity[i] - rate * gains[i] * gradient[i];
      y[i] += velocity[i];
    }
  }
  if (options.iterations <= options.exaggerated) {
    for (double& value : p) value /= 12;
  }
  TsneResult result;
  tsne_gradient(p, y, &result.divergence);
  double mx = 0, my = 0;
  for (size_t i = 0; i < y.size(); i += 2) mx += y[i] / n, my += y[i + 1] / n;
  std::vector<float> map;
  for (size_t i = 0; i < y.size(); i += 2) {
    map.push_back(static_cast<float>(y[i] - mx));
    map.push_back(static_cast<float>(y[i + 1] - my));
  }
  result.map = from_vector(map, {x.size(0), 2});
  return result;
}

}  // namespace strata::introspect
