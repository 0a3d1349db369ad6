#include "tools/introspect/scores/road.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/scores/faithfulness.h"

namespace strata::introspect {
namespace {

// The system of one image. Vectors are grids with a border of zeros around the image, zero outside
// the holes.
class Holes {
 public:
  using Grid = std::vector<double>;

  Holes(const uint8_t* removed, int64_t height, int64_t width)
      : height_(height), width_(width), hole_(border()), weight_(border()) {
    Grid inside = border();
    each([&](size_t at, int64_t pixel) {
      inside[at] = 1;
      hole_[at] = removed[pixel];
    });
    sum_neighbours(inside, weight_);
  }

  // Restores one channel of the image, whose pixels are `stride` apart.
  void fill(double* image, int64_t stride) const {
    Grid known = border(), residual = border(), value = border(), product = border();
    each([&](size_t at, int64_t pixel) { known[at] = (1 - hole_[at]) * image[pixel * stride]; });
    sum_neighbours(known, residual);
    each([&](size_t at, int64_t) { residual[at] *= hole_[at]; });
    Grid direction = residual;
    double size = dot(residual, residual), enough = size * 1e-20;
    for (int64_t step = 0; step < 10 * height_ * width_ && size > enough; ++step) {
      multiply(direction, product);
      double along = size / dot(direction, product);
      for (size_t i = 0; i < value.size(); ++i) {
        value[i] += along * direction[i];
        residual[i] -= along * product[i];
      }
      double next = dot(residual, residual), keep = next / size;
      for (size_t i = 0; i < value.size(); ++i) direction[i] = residual[i] + keep * direction[i];
      size = next;
    }
    each([&](size_t at, int64_t pixel) {
      if (hole_[at] != 0) image[pixel * stride] = value[at];
    });
  }

 private:
  Grid border() const { return Grid(static_cast<size_t>((height_ + 2) * (width_ + 2)), 0.0); }
  // visit(index in a grid, index in the image).
  template <class Visit>
  void each(Visit&& visit) const {
    for (int64_t y = 0; y < height_; ++y) {
      for (int64_t x = 0; x < width_; ++x) {
        visit(static_cast<size_t>((y + 1) * (width_ + 2) + x + 1), y * width_ + x);
      }
    }
  }
  // out = the weighted sum of the eight neighbours of each pixel.
  void sum_neighbours(const Grid& v, Grid& out) const {
    int64_t down = width_ + 2;
    for (int64_t y = 1; y <= height_; ++y) {
      const double* row = v.data() + y * down;
      double* to = out.data() + y * down;
      for (int64_t x = 1; x <= width_; ++x) {
        const double* p = row + x;
        to[x] = (p[-1] + p[1] + p[-down] + p[down]) / 6 +
                (p[-down - 1] + p[-down + 1] + p[down - 1] + p[down + 1]) / 12;
      }
    }
  }
  void multiply(const Grid& v, Grid& out) const {
    sum_neighbours(v, out);
    for (size_t i = 0; i < v.size(); ++i) out[i] = hole_[i] * (weight_[i] * v[i] - out[i]);
  }
  static double dot(const Grid& a, const Grid& b) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  }

  int64_t height_, width_;
  Grid hole_, weight_;  // 1 where a pixel is removed; the neighbours' weights that lie in the image
};

}  // namespace

Tensor impute_linear(const Tensor& x, const Tensor& removed, double noise, uint64_t seed) {
  Dims places = x.rank() == 4 ? Dims{x.size(0), x.size(1), x.size(2)} : Dims{};
  if (x.rank() != 4 || removed.dtype() != DType::boolean || removed.shape() != places) {
    fail("impute_linear", Caller{}, "{} with removed {}: expected [N, H, W, C] and bool [N, H, W]",
         describe(x), describe(removed));
  }
  NoGrad off;
  int64_t pixels = x.size(1) * x.size(2), channels = x.size(3);
  Tensor count = sum(removed, {1, 2});
  if (pixels > 0 && x.size(0) > 0 && max(count).item() == static_cast<double>(pixels)) {
    fail("impute_linear", Caller{}, "image {} has no pixel left to restore the others from",
         static_cast<int64_t>(argmax(count, 0).item()));
  }
  std::vector<double> values = x.to_vector<double>();
  std::vector<uint8_t> gone = removed.to_vector<uint8_t>();
  parallel_for(x.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      Holes holes(gone.data() + n * pixels, x.size(1), x.size(2));
      for (int64_t c = 0; c < channels; ++c) {
        holes.fill(values.data() + n * pixels * channels + c, channels);
      }
    }
  });
  Tensor restored = from_vector(values, x.shape());
  if (noise > 0) {
    Generator generator(seed);
    Tensor added = randn({1, x.size(1), x.size(2), channels}, 0, noise, DType::f64, &generator);
    restored = where(removed.to(Device::cpu).unsqueeze(3), restored + added, restored);
  }
  return restored.to(x.dtype()).to(x.device());
}

Road road(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
          const Tensor& attribution, const RoadOptions& options) {
  if (x.rank() != 4 || options.shares.empty()) {
    fail("road", Caller{}, "{} and {} shares: expected images [N, H, W, C] and at least one share",
         describe(x), options.shares.size());
  }
  NoGrad off;
  Tensor relevance = relevance_of_places(attribution, x);
  auto places = static_cast<double>(relevance.size(1));
  std::vector<Tensor> most, least;
  Road out{options.shares, {}, {}, {}};
  for (double share : options.shares) {
    if (!(share > 0 && share < 1)) fail("road", Caller{}, "a share of {} is not in (0, 1)", share);
    for (bool largest : {true, false}) {
      Tensor first = first_places(relevance, std::lround(share * places), largest);
      Tensor removed = first.reshape({x.size(0), x.size(1), x.size(2)});
      Tensor without = impute_linear(x, removed, options.noise, options.seed);
      std::vector<double> scores = scores_of(model, without, target);
      (largest ? most : least).push_back(from_vector(scores, {x.size(0)}));
    }
  }
  out.most_first = stack(most, 1);
  out.least_first = stack(least, 1);
  out.gain = mean(out.least_first - out.most_first, {1});
  return out;
}

}  // namespace strata::introspect
