#include "tools/introspect/scores/infidelity.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/scores/faithfulness.h"

namespace strata::introspect {
namespace {

Tensor scored(const Scores& model, const Tensor& x, const std::vector<int64_t>& target) {
  return from_vector(scores_of(model, x, target), {x.size(0)});
}

Tensor sum_of_each(const Tensor& x) {
  return sum(x.to(Device::cpu).to(DType::f64).flatten(1), {1});
}

Tensor distance_to(const Tensor& x, const Tensor& baseline) {
  return baseline.defined() ? x - baseline.to(x.dtype()).to(x.device()) : x;
}

void check(const Tensor& x, const Tensor& attribution, int samples, const char* name) {
  if (attribution.shape() != x.shape() || samples < 1) {
    fail(name, Caller{},
         "attribution {} of an input {}, {} samples: expected x's shape, at least 1",
         describe(attribution), describe(x), samples);
  }
}

}  // namespace

Perturbation gaussian_perturbation(double deviation) {
  return [deviation](const Tensor& x, Generator& generator) {
    Dims one = x.shape();
    one[0] = 1;
    return randn(one, 0, deviation, x.dtype(), &generator).to(x.device());
  };
}

Perturbation to_baseline(Tensor baseline) {
  return [baseline](const Tensor& x, Generator&) { return distance_to(x, baseline); };
}

Perturbation square_to_baseline(int64_t size, Tensor baseline) {
  return [size, baseline](const Tensor& x, Generator& generator) {
    if (x.rank() != 4 || size < 1 || size > std::min(x.size(1), x.size(2))) {
      fail("square_to_baseline", Caller{}, "a square of {} pixels does not fit {}", size,
           describe(x));
    }
    auto begin = [&](int64_t extent) {
      return randint(0, extent - size + 1, {1}, DType::i64, &generator).item();
    };
    auto inside = [&](int64_t extent, double from) {
      Tensor place = arange(0, static_cast<double>(extent), 1, DType::f64);
      return logical_and(greater_equal(place, scalar(from, DType::f64)),
                         less(place, scalar(from + static_cast<double>(size), DType::f64)));
    };
    Tensor rows = inside(x.size(1), begin(x.size(1))).reshape({x.size(1), 1, 1});
    Tensor columns = inside(x.size(2), begin(x.size(2))).reshape({x.size(2), 1});
    Tensor square = logical_and(rows, columns).to(x.device());
    Tensor distance = distance_to(x, baseline);
    return where(square, distance, zeros_like(distance));
  };
}

Tensor infidelity(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                  const Tensor& attribution, const Perturbation& perturbation,
                  const InfidelityOptions& options) {
  check(x, attribution, options.samples, "infidelity");
  NoGrad off;
  Generator generator(options.seed);
  Tensor clean = scored(model, x, target), input = x.detach();
  // Sums over the samples of p^2, p d and d^2, p the predicted and d the actual change.
  Tensor pp = zeros_like(clean), pd = pp, dd = pp, squares = pp;
  for (int k = 0; k < options.samples; ++k) {
    Tensor change = perturbation(input, generator).expand(x.shape());
    Tensor predicted = sum_of_each(change * attribution.detach());
    Tensor actual = clean - scored(model, input - change, target);
    squares = squares + square(predicted - actual);
    pp = pp + square(predicted);
    pd = pd + predicted * actual;
    dd = dd + square(actual);
  }
  if (options.best_scale) {
    Tensor some = greater(pp, zeros_like(pp));
    squares = relu(where(some, dd - square(pd) / where(some, pp, ones_like(pp)), dd));
  }
  return squares / static_cast<double>(options.samples);
}

Tensor removal_infidelity(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                          const Tensor& attribution, const RemovalInfidelityOptions& options) {
  check(x, attribution, options.samples, "removal_infidelity");
  if (!(options.share > 0 && options.share <= 1)) {
    fail("removal_infidelity", Caller{}, "a share of {} is not in (0, 1]", options.share);
  }
  NoGrad off;
  Generator generator(options.seed);
  Tensor clean = scored(model, x, target), relevance = relevance_of_places(attribution, x);
  int64_t places = relevance.size(1);
  int64_t count = std::max<int64_t>(1, std::lround(options.share * static_cast<double>(places)));
  Tensor squares = zeros_like(clean);
  for (int k = 0; k < options.samples; ++k) {
    Tensor draw = rand({1, places}, 0, 1, DType::f64, &generator);
    Tensor removed = first_places(draw, count).expand(relevance.shape());
    Tensor predicted = sum(where(removed, relevance, zeros_like(relevance)), {1});
    Tensor left = replaced(x, removed, options.baseline);
    squares = squares + square(predicted - (clean - scored(model, left, target)));
  }
  return squares / static_cast<double>(options.samples);
}

}  // namespace strata::introspect
