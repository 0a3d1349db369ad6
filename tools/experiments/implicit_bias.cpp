#include "tools/experiments/implicit_bias.h"

#include <cmath>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::experiments {
namespace {

constexpr DType f64 = DType::f64;

Tensor transposed(const Tensor& x) { return x.transpose(0, 1); }
double length(const Tensor& v) { return norm(v).item(); }

// sign(v) max(|v| - threshold, 0).
Tensor shrink(const Tensor& v, double threshold) {
  return relu(v - threshold) - relu(-v - threshold);
}

}  // namespace

double descend(Optimizer& optimizer, const std::function<Tensor()>& loss, int64_t steps,
               double tolerance) {
  for (int64_t step = 0; step < steps; ++step) {
    const Tensor value = loss();
    if (value.item() <= tolerance) return value.item();
    optimizer.zero_grad();
    value.backward();
    optimizer.step();
  }
  return loss().item();
}

Regression sparse_regression(int64_t n, int64_t d, int64_t nonzero, Generator& generator) {
  Regression problem;
  problem.x = randn({n, d}, 0, 1, f64, &generator);
  const std::vector<int64_t> place = randperm(d, &generator).to_vector<int64_t>();
  const std::vector<double> draw = rand({nonzero}, -1, 1, f64, &generator).to_vector<double>();
  std::vector<double> truth(static_cast<size_t>(d), 0.0);
  for (size_t i = 0; i < draw.size(); ++i)
    truth[static_cast<size_t>(place[i])] = draw[i] < 0 ? draw[i] - 1 : draw[i] + 1;
  problem.truth = from_vector(truth, {d});
  problem.y = matmul(problem.x, problem.truth);
  return problem;
}

double relative_residual(const Regression& problem, const Tensor& w) {
  return relative_distance(matmul(problem.x, w), problem.y);
}

double relative_distance(const Tensor& a, const Tensor& b) { return length(a - b) / length(b); }

Tensor nearest_solution(const Regression& problem, const Tensor& start) {
  const Tensor xt = transposed(problem.x);
  const Tensor gram_inverse = introspect::inverse_positive(matmul(problem.x, xt));
  const Tensor missing = problem.y - matmul(problem.x, start);
  return start + matmul(xt, matmul(gram_inverse, missing));
}

Tensor smallest_l1(const Regression& problem) {
  const Tensor xt = transposed(problem.x);
  const Tensor pseudo_inverse = matmul(xt, introspect::inverse_positive(matmul(problem.x, xt)));
  const Tensor onto_rows = matmul(pseudo_inverse, problem.x);
  const Tensor least = matmul(pseudo_inverse, problem.y);
  Tensor w = least, sparse = least, dual = zeros_like(least);
  for (int step = 0; step < 20000; ++step) {
    const Tensor target = sparse - dual;
    w = target - matmul(onto_rows, target) + least;
    sparse = shrink(w + dual, 0.2);
    dual = dual + w - sparse;
    if (step % 100 == 99 && length(w - sparse) <= 1e-11 * length(w)) break;
  }
  return w;
}

Tensor diagonal_limit(const Regression& problem, double scale) {
  const double unit = 2 * scale * scale;
  const Tensor xt = transposed(problem.x);
  // The dual, unit sum cosh(X' nu) - y nu, is convex. A step changes no X' nu by more than 2,
  // within which cosh is near enough to a parabola, and one that does not lower the dual is halved.
  auto dual = [&](const Tensor& nu) {
    const Tensor e = exp(matmul(xt, nu));
    return unit * sum((e + reciprocal(e)) / 2).item() - dot(problem.y, nu).item();
  };
  Tensor nu = zeros({problem.x.size(0)}, f64), w;
  double value = dual(nu);
  for (int step = 0; step < 500; ++step) {
    const Tensor e = exp(matmul(xt, nu));
    w = (e - reciprocal(e)) * (unit / 2);
    const Tensor missing = problem.y - matmul(problem.x, w);
    if (length(missing) <= 1e-12 * length(problem.y)) break;
    const Tensor curvature = (e + reciprocal(e)) * (unit / 2);
    const Tensor hessian = matmul(problem.x * curvature, xt);
    const Tensor direction = matmul(introspect::inverse_positive(hessian), missing);
    double share = std::min(1.0, 2 / max(abs(matmul(xt, direction))).item());
    double next = dual(nu + direction * share);
    while (!(next < value) && share > 1e-12) {
      share /= 2;
      next = dual(nu + direction * share);
    }
    if (!(next < value)) break;
    nu = nu + direction * share;
    value = next;
  }
  return w;
}

Tensor train_diagonal(const Regression& problem, double scale, double rate, int64_t steps) {
  const Dims shape = problem.truth.shape();
  Tensor u = full(shape, scale, f64).set_requires_grad();
  Tensor v = full(shape, scale, f64).set_requires_grad();
  const Regression& p = problem;
  const double half_mean = 0.5 / static_cast<double>(p.x.size(0));
  SGD sgd(std::vector<Tensor>{u, v}, {.learning_rate = rate});
  descend(
      sgd, [&] { return sum(square(matmul(p.x, square(u) - square(v)) - p.y)) * half_mean; }, steps,
      1e-20);
  return (square(u) - square(v)).detach();
}

Tensor separable_points(int64_t n, int64_t d, double gap, Generator& generator) {
  const Tensor direction = randn({d}, 0, 1, f64, &generator);
  const Tensor unit = direction / length(direction);
  const Tensor points = randn({n, d}, 0, 1, f64, &generator);
  const Tensor label = sign(matmul(points, unit));
  return points * label.unsqueeze(1) + unit * gap;
}

Tensor hard_margin(const Tensor& z) {
  const size_t n = static_cast<size_t>(z.size(0));
  const std::vector<double> gram = matmul(z, transposed(z)).to_vector<double>();
  // max sum a - |sum a z|^2 / 2 over a >= 0; w = sum a z. It has no bound where nothing separates.
  std::vector<double> a(n, 0.0), margin(n, 0.0);
  double change = 1;
  for (int pass = 0; pass < 100000 && change > 1e-15; ++pass) {
    change = 0;
    for (size_t i = 0; i < n; ++i) {
      const double next = std::max(0.0, a[i] + (1 - margin[i]) / gram[i * n + i]);
      const double step = next - a[i];
      if (step == 0) continue;
      a[i] = next;
      change = std::max(change, std::abs(step) / (1 + next));
      for (size_t j = 0; j < n; ++j) margin[j] += step * gram[i * n + j];
    }
  }
  const Tensor w = matmul(from_vector(a, {z.size(0)}), z);
  const double smallest = min(matmul(z, w)).item();
  if (!(smallest > 0.99))
    fail("hard_margin", Caller::here(),
         "no direction separates the {} points (best margin found {:g} of 1): the labels do not "
         "follow from the points",
         n, smallest);
  return w / length(w);
}

double slowest_pull(const Tensor& z, const Tensor& direction) {
  const Tensor along = matmul(z, direction);
  const std::vector<double> distance = (along / min(along)).to_vector<double>();
  double pull = HUGE_VAL;
  std::vector<int64_t> at_margin;
  for (size_t i = 0; i < distance.size(); ++i) {
    if (distance[i] > 1 + 1e-7)
      pull = std::min(pull, distance[i] - 1);
    else
      at_margin.push_back(static_cast<int64_t>(i));
  }
  const auto k = static_cast<int64_t>(at_margin.size());
  const Tensor support = index_select(z, 0, from_vector(at_margin, {k}));
  const Tensor gram = matmul(support, transposed(support));
  // Gram a = 1, and sum a z z' has the eigenvalues of sqrt(a) Gram sqrt(a).
  const Tensor root = sqrt(matmul(introspect::inverse_positive(gram), ones({k}, f64)));
  const Tensor settling = gram * root * root.unsqueeze(1);
  for (double value : introspect::symmetric_eigenvalues(settling)) pull = std::min(pull, value);
  return pull;
}

AngleCurve margin_angles(const Tensor& z, const Tensor& direction, int64_t steps) {
  Tensor w = zeros({z.size(1)}, f64).set_requires_grad();
  const double largest = max(sum(square(z), {1})).item();
  SGD sgd(std::vector<Tensor>{w}, {.learning_rate = 1 / largest});
  AngleCurve curve;
  double time = 0;
  for (int64_t step = 0; step < steps; ++step) {
    const Tensor loss = mean(softplus(-matmul(z, w)));
    if (loss.item() < 1e-290) break;  // where f64 ends
    const double rate = 1 / (largest * loss.item());
    sgd.set_learning_rate(rate);
    sgd.zero_grad();
    loss.backward();
    sgd.step();
    time += rate;
    const Tensor at = w.detach();
    const double along = dot(at, direction).item();
    curve.log_time.push_back(std::log(time));
    curve.angle.push_back(std::atan2(length(at - direction * along), along));
  }
  return curve;
}

Completion completion(int64_t n, int64_t rank, double share_seen, Generator& generator) {
  const Tensor left = randn({n, rank}, 0, 1, f64, &generator);
  const Tensor right = randn({n, rank}, 0, 1, f64, &generator);
  return {matmul(left, transposed(right)), bernoulli({n, n}, share_seen, &generator).to(f64)};
}

Tensor train_factors(const Completion& problem, double scale, double rate, int64_t steps,
                     Generator& generator) {
  const Dims shape = problem.matrix.shape();
  Tensor u = randn(shape, 0, scale, f64, &generator).set_requires_grad();
  Tensor v = randn(shape, 0, scale, f64, &generator).set_requires_grad();
  SGD sgd(std::vector<Tensor>{u, v}, {.learning_rate = rate});
  descend(
      sgd,
      [&] {
        const Tensor error = (matmul(u, v.transpose(0, 1)) - problem.matrix) * problem.seen;
        return sum(square(error)) * 0.5;
      },
      steps, 1e-12);
  return matmul(u, transposed(v)).detach();
}

double effective_rank_of(const Tensor& matrix) {
  const std::vector<double> values = introspect::singular_values(matrix);
  double total = 0, entropy = 0;
  for (double v : values) total += v;
  for (double v : values)
    if (v > 0) entropy -= v / total * std::log(v / total);
  return std::exp(entropy);
}

}  // namespace strata::experiments
