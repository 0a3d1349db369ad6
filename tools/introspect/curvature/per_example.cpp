#include "tools/introspect/curvature/per_example.h"

#include <cmath>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

Tensor example_gradient(const ExampleLoss& loss, const std::vector<Tensor>& parameters,
                        int64_t example) {
  EnableGrad on;
  return flat_gradient(loss(example), parameters);
}

double squared_norm(const Tensor& v) { return sum(v * v).item(); }

struct Mean {
  double value, error;
};
Mean mean_of(const std::vector<double>& samples) {
  double n = static_cast<double>(samples.size()), total = 0, squares = 0;
  for (double s : samples) total += s / n;
  for (double s : samples) squares += (s - total) * (s - total);
  return {total,
          n > 1 ? std::sqrt(squares / (n - 1) / n) : std::numeric_limits<double>::infinity()};
}

}  // namespace

Tensor per_example_gradients(const ExampleLoss& loss, const std::vector<Tensor>& parameters,
                             int64_t count) {
  NoGrad off;
  if (parameters.empty()) fail("per_example_gradients", Caller{}, "there are no parameters");
  Tensor rows = empty({count, element_count(parameters)}, parameters[0].dtype());
  for (int64_t i = 0; i < count; ++i) {
    copy_(rows.select(0, i), example_gradient(loss, parameters, i));
  }
  return rows;
}

std::vector<double> per_example_gradient_norms(const ExampleLoss& loss,
                                               const std::vector<Tensor>& parameters,
                                               int64_t count) {
  NoGrad off;
  std::vector<double> norms;
  for (int64_t i = 0; i < count; ++i) {
    norms.push_back(std::sqrt(squared_norm(example_gradient(loss, parameters, i))));
  }
  return norms;
}

double NoiseScale::scale() const {
  return squared_gradient > 0 ? noise / squared_gradient : std::numeric_limits<double>::infinity();
}

NoiseScale noise_scale(const std::vector<double>& small_squares,
                       const std::vector<double>& big_squares, int64_t small, int64_t big) {
  if (small < 1 || big <= small || small_squares.empty() ||
      small_squares.size() != big_squares.size()) {
    fail("noise_scale", Caller{},
         "needs pairs of squared norms of two batch sizes, the second larger; got {} of {} and {} "
         "of {}",
         small_squares.size(), small, big_squares.size(), big);
  }
  double a = static_cast<double>(small), b = static_cast<double>(big);
  std::vector<double> signal, noise;
  for (size_t i = 0; i < small_squares.size(); ++i) {
    signal.push_back((b * big_squares[i] - a * small_squares[i]) / (b - a));
    noise.push_back((small_squares[i] - big_squares[i]) / (1 / a - 1 / b));
  }
  Mean g = mean_of(signal), s = mean_of(noise);
  return {g.value, g.error, s.value, s.error};
}

NoiseScale gradient_noise_scale(const BatchLoss& loss, const std::vector<Tensor>& parameters,
                                int64_t count, const NoiseScaleOptions& options) {
  if (options.small < 1 || options.big % options.small != 0) {
    fail("gradient_noise_scale", Caller{},
         "a big batch of {} does not divide into small ones of {}", options.big, options.small);
  }
  Generator generator(options.seed);
  int64_t parts = options.big / options.small;
  std::vector<double> small_squares, big_squares;
  for (int repeat = 0; repeat < options.repeats; ++repeat) {
    Tensor total;
    double squares = 0;
    for (int64_t part = 0; part < parts; ++part) {
      Tensor drawn = randint(0, count, {options.small}, DType::i64, &generator);
      EnableGrad on;
      Tensor g = flat_gradient(loss(drawn.to_vector<int64_t>()), parameters);
      NoGrad off;
      squares += squared_norm(g) / static_cast<double>(parts);
      total = total.defined() ? total + g : g;
    }
    small_squares.push_back(squares);
    big_squares.push_back(squared_norm(total / static_cast<double>(parts)));
  }
  return noise_scale(small_squares, big_squares, options.small, options.big);
}

}  // namespace strata::introspect
