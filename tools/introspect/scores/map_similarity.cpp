#include "tools/introspect/scores/map_similarity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tools/introspect/representation/shape.h"

namespace strata::introspect {
namespace {

void check(const Tensor& a, const Tensor& b, const char* name) {
  if (a.shape() != b.shape() || a.rank() < 2 || a.numel() == 0) {
    fail(name, Caller{}, "{} and {}: expected attributions [N, ...] of one shape", describe(a),
         describe(b));
  }
}

Tensor as_f64(const Tensor& x) { return x.detach().to(Device::cpu).to(DType::f64); }

Tensor smoothed(const Tensor& maps, int64_t window) {
  std::vector<double> kernel;
  for (int64_t i = 0; i < window; ++i) {
    double distance = static_cast<double>(i) - static_cast<double>(window - 1) / 2;
    kernel.push_back(std::exp(-distance * distance / (2 * 1.5 * 1.5)));
  }
  double total = std::accumulate(kernel.begin(), kernel.end(), 0.0);
  Tensor weights = from_vector(kernel, {window}) / total;
  Tensor rows = conv2d(maps.unsqueeze(3), weights.reshape({1, window, 1, 1}));
  return conv2d(rows, weights.reshape({1, 1, window, 1})).squeeze(3);
}

// [N, H, W], or undefined for what is no map of an image.
Tensor as_maps(const Tensor& attribution) {
  if (attribution.rank() == 4) return sum(as_f64(attribution), {3});
  return attribution.rank() == 3 ? as_f64(attribution) : Tensor();
}

Tensor scaled(const Tensor& maps) {
  Tensor top = max(abs(maps), {1, 2}, true);
  return maps / where(greater(top, zeros_like(top)), top, ones_like(top));
}

}  // namespace

Tensor spearman(const Tensor& a, const Tensor& b) {
  check(a, b, "spearman");
  NoGrad off;
  std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  if (std::any_of(x.begin(), x.end(), [](double v) { return std::isnan(v); }) ||
      std::any_of(y.begin(), y.end(), [](double v) { return std::isnan(v); })) {
    fail("spearman", Caller{}, "{} or {} holds NaNs, which have no rank", describe(a), describe(b));
  }
  int64_t count = a.size(0), each = a.numel() / count;
  std::vector<double> out(static_cast<size_t>(count));
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      auto row = [&](const std::vector<double>& v) {
        return std::vector<double>(v.begin() + n * each, v.begin() + (n + 1) * each);
      };
      out[static_cast<size_t>(n)] = spearman(row(x), row(y));
    }
  });
  return from_vector(out, {count});
}

Tensor ssim(const Tensor& first, const Tensor& second) {
  check(first, second, "ssim");
  if (first.rank() != 3) {
    fail("ssim", Caller{}, "{}: expected maps [N, H, W]", describe(first));
  }
  NoGrad off;
  Tensor a = as_f64(first), b = as_f64(second);
  int64_t window = std::min<int64_t>({11, a.size(1), a.size(2)});
  Tensor range = maximum(max(a, {1, 2}, true), max(b, {1, 2}, true)) -
                 minimum(min(a, {1, 2}, true), min(b, {1, 2}, true));
  range = where(greater(range, zeros_like(range)), range, ones_like(range));
  Tensor c1 = square(range * 0.01), c2 = square(range * 0.03);
  Tensor ma = smoothed(a, window), mb = smoothed(b, window);
  Tensor sa = smoothed(square(a), window) - square(ma);
  Tensor sb = smoothed(square(b), window) - square(mb);
  Tensor sab = smoothed(a * b, window) - ma * mb;
  Tensor top = (2.0 * ma * mb + c1) * (2.0 * sab + c2);
  return mean(top / ((square(ma) + square(mb) + c1) * (sa + sb + c2)), {1, 2});
}

Similarity similarity(const Tensor& a, const Tensor& b) {
  NoGrad off;
  Similarity out;
  out.rank = mean(spearman(a, b)).item();
  out.magnitude_rank = mean(spearman(abs(a), abs(b))).item();
  Tensor maps = as_maps(a), others = as_maps(b);
  out.structure = maps.defined() ? mean(ssim(scaled(maps), scaled(others))).item()
                                 : std::numeric_limits<double>::quiet_NaN();
  return out;
}

}  // namespace strata::introspect
