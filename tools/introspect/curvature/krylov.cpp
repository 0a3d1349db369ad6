#include "tools/introspect/curvature/krylov.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

double inner(const Tensor& a, const Tensor& b) { return sum(a * b).item(); }
double length(const Tensor& a) { return norm(a).item(); }

// The Krylov space of a map and a start: orthonormal rows q_0, q_1, ... in which the map is
// tridiagonal.
class Lanczos {
 public:
  Lanczos(const LinearMap& map, const Tensor& start, int64_t capacity)
      : map_(map), basis_(empty({capacity, map.size}, map.dtype)) {
    append(start / length(start));
  }

  int64_t size() const { return static_cast<int64_t>(diagonal_.size()); }
  Tensor basis() const { return basis_.slice(0, 0, size()); }
  // |A q - (its part in the space)| after the latest step.
  double off() const { return off_.back(); }

  // One product: the row of q_k, and what is left of A q_k outside the space. Returns whether
  // anything is left; if so it is the next q.
  void step() {
    int64_t k = size();
    Tensor q = basis_.select(0, k), w = map_(q);
    diagonal_.push_back(inner(q, w));
    scale_ = std::max(scale_, length(w));
    remaining_ = without_space(w);
    off_.push_back(length(remaining_));
  }
  bool exhausted() const {
    double epsilon = map_.dtype == DType::f64 ? 1e-13 : 1e-6;
    return off() <= epsilon * scale_;
  }
  void go_on() { append(remaining_ / off()); }
  // Goes on with a direction outside the space, to which the map does not lead.
  void go_on_with(const Tensor& direction) {
    off_.back() = 0;
    Tensor rest = without_space(direction);
    append(rest / length(rest));
  }
  // Ritz values and, as columns, their vectors in the basis.
  EigenPairs ritz() const {
    int64_t k = size();
    std::vector<double> matrix(static_cast<size_t>(k * k), 0);
    for (int64_t i = 0; i < k; ++i) {
      matrix[static_cast<size_t>(i * k + i)] = diagonal_[static_cast<size_t>(i)];
      if (i + 1 == k) break;
      matrix[static_cast<size_t>(i * k + i + 1)] = off_[static_cast<size_t>(i)];
      matrix[static_cast<size_t>((i + 1) * k + i)] = off_[static_cast<size_t>(i)];
    }
    return symmetric_eigen(from_vector(matrix, {k, k}));
  }

 private:
  void append(const Tensor& q) { copy_(basis_.select(0, size()), q); }
  // Twice is enough (Parlett 1980).
  Tensor without_space(Tensor w) const {
    Tensor q = basis();
    for (int pass = 0; pass < 2; ++pass) w = w - matmul(matmul(q, w), q);
    return w;
  }

  const LinearMap& map_;
  Tensor basis_, remaining_;
  std::vector<double> diagonal_, off_;
  double scale_ = 0;
};

void check_map(const char* op, const LinearMap& map) {
  if (map.size < 1) fail(op, Caller{}, "the map has size {}", map.size);
}

}  // namespace

Tensor LinearMap::operator()(const Tensor& v) const {
  if (v.rank() != 1 || v.size(0) != size || v.dtype() != dtype) {
    fail("LinearMap", Caller{}, "{} is no vector of {} elements of {}", describe(v), size,
         name_of(dtype));
  }
  return product(v);
}

Tensor rademacher(int64_t size, DType dtype, Generator& generator) {
  return bernoulli({size}, 0.5, &generator).to(dtype) * 2.0 - 1.0;
}

TopPairs top_eigenpairs(const LinearMap& map, const TopOptions& options) {
  NoGrad off;
  check_map("top_eigenpairs", map);
  if (options.count < 1 || options.count > map.size) {
    fail("top_eigenpairs", Caller{}, "{} eigenvalues of a map of size {}", options.count, map.size);
  }
  Generator generator(options.seed);
  auto draw = [&] { return randn({map.size}, 0, 1, map.dtype, &generator); };
  int64_t count = options.count;
  int64_t capacity = std::min<int64_t>(map.size, std::max<int64_t>(options.steps, count));
  Lanczos space(map, draw(), capacity);
  bool complete = false;  // a start's space was exhausted: what repeats is found by going on
  for (;;) {
    space.step();
    complete = complete || space.exhausted();
    int64_t k = space.size();
    if (k >= count) {
      EigenPairs ritz = space.ritz();
      auto residual = [&](int64_t i) {
        return space.off() * std::abs(ritz.vectors.data<double>()[(k - 1) * k + i]);
      };
      double largest = std::max(std::abs(ritz.values.front()), std::abs(ritz.values.back()));
      bool converged = true;
      for (int64_t i = 0; i < count; ++i) {
        converged = converged && residual(i) <= options.tolerance * largest;
      }
      if (k == capacity || (converged && !complete)) {
        TopPairs found{
            {ritz.values.begin(), ritz.values.begin() + count}, {}, {}, static_cast<int>(k)};
        for (int64_t i = 0; i < count; ++i) found.residuals.push_back(residual(i));
        Tensor rotation = ritz.vectors.slice(1, 0, count).transpose(0, 1).to(map.dtype);
        found.vectors = matmul(rotation, space.basis());
        return found;
      }
    }
    if (space.exhausted()) {
      space.go_on_with(draw());
    } else {
      space.go_on();
    }
  }
}

Spectrum spectrum(const LinearMap& map, const SpectrumOptions& options) {
  NoGrad off;
  check_map("spectrum", map);
  Generator generator(options.seed);
  Spectrum found;
  int64_t capacity = std::min<int64_t>(map.size, options.steps);
  for (int probe = 0; probe < options.probes; ++probe) {
    Lanczos space(map, rademacher(map.size, map.dtype, generator), capacity);
    for (space.step(); space.size() < capacity && !space.exhausted(); space.step()) space.go_on();
    EigenPairs ritz = space.ritz();
    for (size_t i = 0; i < ritz.values.size(); ++i) {
      double first = ritz.vectors.data<double>()[i];
      found.nodes.push_back(ritz.values[i]);
      found.weights.push_back(first * first / options.probes);
    }
  }
  return found;
}

std::vector<double> Spectrum::density(const std::vector<double>& at, double deviation) const {
  double scale = 1 / (deviation * std::sqrt(2 * std::numbers::pi));
  std::vector<double> values;
  for (double x : at) {
    double total = 0;
    for (size_t i = 0; i < nodes.size(); ++i) {
      double z = (x - nodes[i]) / deviation;
      total += weights[i] * scale * std::exp(-z * z / 2);
    }
    values.push_back(total);
  }
  return values;
}

TraceEstimate trace(const LinearMap& map, int probes, uint64_t seed) {
  NoGrad off;
  check_map("trace", map);
  if (probes < 2) fail("trace", Caller{}, "needs at least 2 probes for its error; got {}", probes);
  Generator generator(seed);
  std::vector<double> samples;
  double mean = 0, squares = 0;
  for (int i = 0; i < probes; ++i) {
    Tensor v = rademacher(map.size, map.dtype, generator);
    samples.push_back(inner(v, map(v)));
    mean += samples.back() / probes;
  }
  for (double s : samples) squares += (s - mean) * (s - mean);
  return {mean, std::sqrt(squares / (probes - 1) / probes)};
}

Solution solve(const LinearMap& map, const Tensor& b, const SolveOptions& options) {
  NoGrad off;
  check_map("solve", map);
  double size = length(b);
  Solution found{zeros_like(b)};
  if (size == 0) return found;
  Tensor r = b, direction = b;
  double rr = inner(r, r);
  while (std::sqrt(rr) > options.tolerance * size && found.steps < options.steps) {
    Tensor image = map(direction) + options.damping * direction;
    ++found.steps;
    double curvature = inner(direction, image), squared = inner(direction, direction);
    if (!(curvature > 0)) {
      fail("solve", Caller{},
           "conjugate gradients met a direction of curvature {:.3g} with damping {:.3g}; the map "
           "must be positive definite: use a damping above {:.3g}, or a map that is never negative "
           "(the Fisher matrix)",
           curvature / squared, options.damping, options.damping - curvature / squared);
    }
    double step = rr / curvature;
    found.x = found.x + step * direction;
    r = r - step * image;
    double next = inner(r, r);
    direction = r + (next / rr) * direction;
    rr = next;
  }
  found.residual = std::sqrt(rr) / size;
  return found;
}

}  // namespace strata::introspect
