#include "tools/introspect/maps/tsne.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tools/introspect/maps/pca.h"
#include "tools/introspect/maps/repulsion.h"
#include "tools/introspect/maps/tsne_tiles.h"

namespace strata::introspect {
namespace {

// Where a method is as fast as the one before, on two cores (bench/introspect/tsne_bench.cpp), and
// at 10,000 points no further from the minimum.
constexpr int64_t exact_up_to = 1000, tree_up_to = 5000;
constexpr int64_t sample_rows = 512;

using Points = std::vector<double>;  // [N, 2]

// sum_j p_ij w_ij (y_i - y_j), and sum_ij p_ij log(p_ij / w_ij) where asked for.
Points attraction(const SparseMatrix& p, const Points& y, double* divergence) {
  Points force(y.size());
  std::vector<double> rows(divergence ? y.size() / 2 : 0);
  parallel_for(p.rows(), 32, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      auto at = static_cast<size_t>(2 * i);
      int64_t first = p.start[static_cast<size_t>(i)], last = p.start[static_cast<size_t>(i) + 1];
      const double *value = p.value.data(), *points = y.data();
      const int32_t* column = p.column.data();
      double x0 = y[at], y0 = y[at + 1], fx = 0, fy = 0;
#pragma omp simd reduction(+ : fx, fy)
      for (int64_t e = first; e < last; ++e) {
        double dx = x0 - points[2 * column[e]], dy = y0 - points[2 * column[e] + 1];
        double pull = value[e] / (1 + dx * dx + dy * dy);
        fx += pull * dx;
        fy += pull * dy;
      }
      force[at] = fx, force[at + 1] = fy;
      if (!divergence) continue;
      for (int64_t e = first; e < last; ++e) {
        double dx = x0 - points[2 * column[e]], dy = y0 - points[2 * column[e] + 1];
        if (value[e] <= 0) continue;
        rows[at / 2] += value[e] * (std::log(value[e]) + std::log1p(dx * dx + dy * dy));
      }
    }
  });
  if (divergence) {
    *divergence = 0;
    for (double row : rows) *divergence += row;
  }
  return force;
}

double mass(const SparseMatrix& p) {
  double total = 0;
  for (double value : p.value) total += value;
  return total;
}

TsneMethod chosen(const TsneOptions& options, int64_t n, Device device) {
  if (options.method != TsneMethod::automatic) return options.method;
  if (device == Device::gpu) return TsneMethod::tiles;
  return n <= exact_up_to  ? TsneMethod::exact
         : n <= tree_up_to ? TsneMethod::barnes_hut
                           : TsneMethod::fft;
}

SparseMatrix sparse_affinities(const Tensor& x, double perplexity) {
  auto k = static_cast<int64_t>(3 * perplexity);
  return tsne_affinities(nearest_neighbours(x, std::clamp<int64_t>(k, 1, x.size(0) - 1)),
                         perplexity);
}

// The gradient and the divergence, whichever way the repulsion is found.
class Objective {
 public:
  Objective(const Tensor& x, const TsneOptions& options, TsneMethod method)
      : method_(method), options_(options) {
    if (method == TsneMethod::exact) {
      dense_ = tsne_affinities(x, options.perplexity);
    } else {
      sparse_ = sparse_affinities(x, options.perplexity);
    }
  }

  Points gradient(const Points& y, double exaggeration, double* divergence) {
    if (method_ == TsneMethod::exact) return tsne_gradient(dense_, y, divergence, exaggeration);
    Points pull = attraction(sparse_, y, divergence);
    Repulsion push = method_ == TsneMethod::fft ? grid_(y) : tree_repulsion(y, options_.theta);
    if (divergence) *divergence += mass(sparse_) * std::log(push.z);
    for (size_t i = 0; i < y.size(); ++i) {
      pull[i] = 4 * (exaggeration * pull[i] - push.force[i] / push.z);
    }
    return pull;
  }

 private:
  TsneMethod method_;
  const TsneOptions& options_;
  std::vector<double> dense_;
  SparseMatrix sparse_;
  GridRepulsion grid_{options_.nodes, options_.spacing};
};

Points start_of(const Tensor& x, const Tensor& start) {
  if (start.defined()) {
    if (start.shape() != Dims{x.size(0), 2}) {
      fail("tsne", Caller{}, "the start {} of {} must be [N, 2]", describe(start), describe(x));
    }
    return start.to_vector<double>();
  }
  // A sample of wide data is enough to start from.
  int64_t step = x.size(1) <= sample_rows ? 1 : (x.size(0) + sample_rows - 1) / sample_rows;
  Tensor sample = x.slice(0, 0, x.size(0), step);
  Pca pca = fit_pca(sample, std::min({int64_t{2}, sample.size(0) - 1, x.size(1)}));
  Points scores = pca.transform(x).to_vector<double>();
  auto width = pca.variances.size();
  double deviation = std::sqrt(std::max(pca.variances[0], 1e-30));
  Points plane(static_cast<size_t>(x.size(0)) * 2, 0.0);
  for (size_t i = 0; i < plane.size() / 2; ++i) {
    for (size_t k = 0; k < width; ++k) {
      plane[i * 2 + k] = scores[i * width + k] / deviation * 1e-4;
    }
  }
  return plane;
}

Tensor map_of(const Points& y) {
  double n = static_cast<double>(y.size() / 2), mx = 0, my = 0;
  for (size_t i = 0; i < y.size(); i += 2) mx += y[i] / n, my += y[i + 1] / n;
  std::vector<float> map;
  map.reserve(y.size());
  for (size_t i = 0; i < y.size(); i += 2) {
    map.push_back(static_cast<float>(y[i] - mx));
    map.push_back(static_cast<float>(y[i + 1] - my));
  }
  return from_vector(map, {static_cast<int64_t>(y.size() / 2), 2});
}

Points descend(Objective& objective, Points y, double rate, const TsneOptions& options) {
  Points velocity(y.size(), 0.0), gains(y.size(), 1.0);
  const Points origin = y;
  double pull = options.anchor / static_cast<double>(y.size() / 2);
  for (int iteration = 0; iteration < options.iterations; ++iteration) {
    bool early = iteration < options.exaggerated;
    if (options.on_frame && options.every > 0 && iteration % options.every == 0) {
      options.on_frame(iteration, map_of(y));
    }
    Points gradient = objective.gradient(y, early ? early_exaggeration : 1, nullptr);
    double momentum = early ? 0.5 : 0.8;
    for (size_t i = 0; i < y.size(); ++i) {
      double slope = gradient[i] + pull * (y[i] - origin[i]);
      bool downhill = slope * velocity[i] < 0;
      gains[i] = std::max(0.01, downhill ? gains[i] + 0.2 : gains[i] * 0.8);
      velocity[i] = momentum * velocity[i] - rate * gains[i] * slope;
      y[i] += velocity[i];
    }
  }
  return y;
}

}  // namespace

std::vector<double> tsne_gradient(const std::vector<double>& p, const std::vector<double>& y,
                                  double* divergence, double exaggeration) {
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
    gradient[2 * i] = 4 * (exaggeration * rows[i * 6] - rows[i * 6 + 2] / z);
    gradient[2 * i + 1] = 4 * (exaggeration * rows[i * 6 + 1] - rows[i * 6 + 3] / z);
  }
  return gradient;
}

double tsne_divergence(const SparseMatrix& affinities, const Tensor& map) {
  if (map.shape() != Dims{affinities.rows(), 2}) {
    fail("tsne_divergence", Caller{}, "{} is no map of {} points", describe(map),
         affinities.rows());
  }
  Points y = map.to_vector<double>();
  double divergence = 0;
  attraction(affinities, y, &divergence);
  return divergence + mass(affinities) * std::log(exact_repulsion(y).z);
}

TsneResult tsne(const Tensor& data, const TsneOptions& options, const Tensor& start) {
  NoGrad off;
  if (data.rank() != 2 || data.size(0) < 4) {
    fail("tsne", Caller{}, "{} must be [N, D] with N at least 4", describe(data));
  }
  Tensor x = data.to(Device::cpu);
  double n = static_cast<double>(x.size(0));
  double rate = options.learning_rate > 0 ? options.learning_rate
                                          : std::max(50.0, n / early_exaggeration / 4);
  TsneResult result;
  result.method = chosen(options, x.size(0), data.device());
  Points y = start_of(x, start);
  if (result.method == TsneMethod::tiles) {
    SparseMatrix p = sparse_affinities(x, options.perplexity);
    Tensor from = from_vector(y, {x.size(0), 2});
    result.map = descend_by_tiles(p, from, rate, options, data.device());
    result.divergence = tsne_divergence(p, result.map);
  } else {
    Objective objective(x, options, result.method);
    y = descend(objective, std::move(y), rate, options);
    objective.gradient(y, 1, &result.divergence);
    result.map = map_of(y);
  }
  if (options.on_frame && options.every > 0) options.on_frame(options.iterations, result.map);
  return result;
}

}  // namespace strata::introspect
