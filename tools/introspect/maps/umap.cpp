#include "tools/introspect/maps/umap.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "kernels/random/philox.h"
#include "tools/introspect/maps/spectral.h"

namespace strata::introspect {
namespace {

constexpr int64_t groups = 8;
constexpr int most_dimensions = 16;
constexpr double most_step = 4;  // along an axis, before the learning rate

using Point = std::array<double, most_dimensions>;

// What a sampled edge does to one of its ends. Each thread has its own: it keeps the words last
// drawn.
class Forces {
 public:
  Forces(const UmapOptions& options, uint64_t seed)
      : curve_(fit_umap_curve(options.spread, options.min_distance)),
        options_(options),
        random_(seed) {}

  void attract(Point& y, const double* other, double rate) const {
    double square = squared(y, other);
    if (square <= 0) return;
    double power = power_of(square);
    move(y, other, -2 * curve_.a * curve_.b * power / square / (1 + curve_.a * power), rate);
  }
  // From random ones of `count` points; `self` is passed over. The draw is a function of its key.
  void repel(Point& y, const std::vector<double>& points, int64_t count, int64_t self,
             uint64_t edge, int epoch, double rate) {
    for (int drawn = 0; drawn < options_.negatives; ++drawn) {
      auto word = static_cast<size_t>(drawn % 4);
      if (word == 0) {
        words_ = random_({static_cast<uint32_t>(edge), static_cast<uint32_t>(edge >> 32),
                          static_cast<uint32_t>(epoch), static_cast<uint32_t>(drawn / 4)});
      }
      auto chosen =
          static_cast<int64_t>((uint64_t{words_[word]} * static_cast<uint64_t>(count)) >> 32);
      if (chosen == self) continue;
      const double* other = &points[static_cast<size_t>(chosen * options_.dimensions)];
      double square = squared(y, other);
      double push = 2 * options_.repulsion * curve_.b /
                    ((0.001 + square) * (1 + curve_.a * power_of(square)));
      if (square > 0) move(y, other, push, rate);
    }
  }

 private:
  // square^b: most of the time of the descent, and f32 is enough for a step.
  double power_of(double square) const {
    return static_cast<double>(std::pow(static_cast<float>(square), static_cast<float>(curve_.b)));
  }
  double squared(const Point& y, const double* other) const {
    double total = 0;
    for (int j = 0; j < options_.dimensions; ++j) {
      auto i = static_cast<size_t>(j);
      total += (y[i] - other[j]) * (y[i] - other[j]);
    }
    return total;
  }
  void move(Point& y, const double* other, double coefficient, double rate) const {
    for (int j = 0; j < options_.dimensions; ++j) {
      auto i = static_cast<size_t>(j);
      y[i] += rate * std::clamp(coefficient * (y[i] - other[j]), -most_step, most_step);
    }
  }

  UmapCurve curve_;
  const UmapOptions& options_;
  Philox random_;
  std::array<uint32_t, 4> words_{};
};

// An edge of relative weight r is drawn r times an epoch on average, evenly.
bool is_drawn(double relative, int epoch) {
  return std::floor((epoch + 1) * relative) > std::floor(epoch * relative);
}

// The points of each group, chosen at random so that neighbours are mostly of different ones.
std::vector<std::vector<int64_t>> divided(int64_t n, uint64_t seed) {
  std::vector<std::vector<int64_t>> members(groups);
  Philox random(seed);
  for (int64_t i = 0; i < n; ++i) {
    members[random.block(static_cast<uint64_t>(i))[0] % groups].push_back(i);
  }
  return members;
}

int epochs_of(const UmapOptions& options, int64_t n) {
  return options.epochs > 0 ? options.epochs : n <= 10000 ? 500 : 200;
}

Tensor map_of(const std::vector<double>& y, int64_t dimensions) {
  return from_vector(std::vector<float>(y.begin(), y.end()),
                     {static_cast<int64_t>(y.size()) / dimensions, dimensions});
}

void descend(const SparseMatrix& graph, const UmapOptions& options, std::vector<double>& y) {
  int64_t n = graph.rows(), d = options.dimensions;
  int epochs = epochs_of(options, n);
  double strongest = *std::max_element(graph.value.begin(), graph.value.end());
  auto members = divided(n, options.seed);
  std::vector<double> moved(y.size());
  const Forces shared(options, options.seed + 1);
  for (int epoch = 0; epoch < epochs; ++epoch) {
    if (options.on_frame && options.every > 0 && epoch % options.every == 0) {
      options.on_frame(epoch, map_of(y, d));
    }
    double rate = options.learning_rate * (1 - static_cast<double>(epoch) / epochs);
    for (const std::vector<int64_t>& group : members) {
      auto size = static_cast<int64_t>(group.size());
      parallel_for(size, 16, [&](int64_t begin, int64_t end) {
        Forces forces = shared;
        for (int64_t g = begin; g < end; ++g) {
          int64_t i = group[static_cast<size_t>(g)];
          Point point{};
          std::copy_n(&y[static_cast<size_t>(i * d)], d, point.begin());
          auto last = static_cast<size_t>(graph.start[static_cast<size_t>(i) + 1]);
          for (auto e = static_cast<size_t>(graph.start[static_cast<size_t>(i)]); e < last; ++e) {
            if (!is_drawn(graph.value[e] / strongest, epoch)) continue;
            // The edge is drawn as (i, j) and as (j, i), and attracts both ends each time.
            const double* other = &y[static_cast<size_t>(graph.column[e] * d)];
            forces.attract(point, other, rate);
            forces.repel(point, y, n, i, e, epoch, rate);
            forces.attract(point, other, rate);
          }
          std::copy_n(point.begin(), d, &moved[static_cast<size_t>(i * d)]);
        }
      });
      for (int64_t i : group) {
        std::copy_n(&moved[static_cast<size_t>(i * d)], d, &y[static_cast<size_t>(i * d)]);
      }
    }
  }
}

void check(const Tensor& x, const UmapOptions& options) {
  if (x.rank() != 2 || x.size(0) < 3) {
    fail("umap", Caller{}, "{} must be [N, D] with N at least 3", describe(x));
  }
  if (options.neighbours < 2 || options.neighbours > x.size(0)) {
    fail("umap", Caller{}, "{} neighbours, the point itself counted, of {}: needs 2 to N",
         options.neighbours, describe(x));
  }
  if (options.dimensions < 1 || options.dimensions > most_dimensions || options.negatives < 0) {
    fail("umap", Caller{}, "{} dimensions and {} negatives: needs 1 to {}, and 0 or more",
         options.dimensions, options.negatives, most_dimensions);
  }
}

}  // namespace

Tensor umap(const Tensor& x, const UmapOptions& options, const Neighbours& given,
            const Tensor& start) {
  NoGrad off;
  check(x, options);
  int64_t n = x.size(0);
  if (given.count && given.rows() != n) {
    fail("umap", Caller{}, "neighbours of {} points for {}", given.rows(), describe(x));
  }
  SparseMatrix graph =
      fuzzy_graph(given.count ? given : nearest_neighbours(x, options.neighbours - 1), options);
  std::vector<double> y;
  if (start.defined()) {
    if (start.shape() != Dims{n, options.dimensions}) {
      fail("umap", Caller{}, "the start {} of {} must be [N, {}]", describe(start), describe(x),
           options.dimensions);
    }
    y = start.to_vector<double>();
  } else {
    Generator generator(options.seed + 2);
    Tensor layout = spectral_layout(graph, x, options.dimensions, options.seed) * 5.0;
    y = (layout + randn(layout.shape(), 0, 1e-4, DType::f64, &generator)).to_vector<double>();
  }
  descend(graph, options, y);
  Tensor map = map_of(y, options.dimensions);
  if (options.on_frame && options.every > 0) options.on_frame(epochs_of(options, n), map);
  return map;
}

Tensor umap_transform(const Tensor& x, const Tensor& map, const Tensor& fresh,
                      const UmapOptions& options) {
  NoGrad off;
  check(x, options);
  int64_t d = options.dimensions, k = options.neighbours;
  if (map.shape() != Dims{x.size(0), d}) {
    fail("umap_transform", Caller{}, "{} is no map of {} in {} dimensions", describe(map),
         describe(x), d);
  }
  Neighbours near = nearest_neighbours(fresh, x, k);
  std::vector<double> y = map.to_vector<double>();
  std::vector<double> placed(static_cast<size_t>(fresh.size(0) * d));
  int epochs = std::max(1, epochs_of(options, x.size(0)) / 3);
  const Forces shared(options, options.seed + 3);
  parallel_for(fresh.size(0), 4, [&](int64_t begin, int64_t end) {
    Forces forces = shared;
    std::vector<double> weight(static_cast<size_t>(k));
    for (int64_t i = begin; i < end; ++i) {
      const double* distance = &near.distance[static_cast<size_t>(i * k)];
      const int32_t* index = &near.index[static_cast<size_t>(i * k)];
      fill_memberships(distance, k, std::log2(k), false, weight.data());
      double total = 0;
      Point point{};
      // A point that is known already starts where it is.
      int64_t considered = distance[0] == 0 ? 1 : k;
      for (int64_t j = 0; j < considered; ++j) total += weight[static_cast<size_t>(j)];
      for (int64_t j = 0; j < considered; ++j) {
        for (int64_t c = 0; c < d; ++c) {
          point[static_cast<size_t>(c)] +=
              weight[static_cast<size_t>(j)] / total * y[static_cast<size_t>(index[j] * d + c)];
        }
      }
      for (int epoch = 0; epoch < epochs; ++epoch) {
        double rate = options.learning_rate / 4 * (1 - static_cast<double>(epoch) / epochs);
        for (int64_t j = 0; j < k; ++j) {
          if (!is_drawn(weight[static_cast<size_t>(j)] / weight[0], epoch)) continue;
          forces.attract(point, &y[static_cast<size_t>(index[j] * d)], rate);
          forces.repel(point, y, x.size(0), -1, static_cast<uint64_t>(j), epoch, rate);
        }
      }
      std::copy_n(point.begin(), d, &placed[static_cast<size_t>(i * d)]);
    }
  });
  return map_of(placed, d);
}

}  // namespace strata::introspect
