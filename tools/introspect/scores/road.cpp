#include "tools/introspect/scores/road.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/scores/faithfulness.h"

namespace strata::introspect {
namespace {

// The system of one image: one unknown a removed pixel.
class Holes {
 public:
  Holes(const uint8_t* removed, int64_t height, int64_t width) {
    unknown_.assign(static_cast<size_t>(height * width), -1);
    for (int64_t i = 0; i < height * width; ++i) {
      if (!removed[i]) continue;
      unknown_[static_cast<size_t>(i)] = static_cast<int64_t>(pixel_.size());
      pixel_.push_back(i);
    }
    for (int64_t i : pixel_) {
      double weights = 0;
      for (int64_t dy = -1; dy <= 1; ++dy) {
        for (int64_t dx = -1; dx <= 1; ++dx) {
          int64_t y = i / width + dy, x = i % width + dx;
          if ((dy == 0 && dx == 0) || y < 0 || y >= height || x < 0 || x >= width) continue;
          double weight = dy == 0 || dx == 0 ? 1.0 / 6 : 1.0 / 12;
          neighbours_.push_back({y * width + x, weight});
          weights += weight;
        }
      }
      ends_.push_back(neighbours_.size());
      diagonal_.push_back(weights);
    }
  }

  // Writes the restored pixels of one channel, `stride` apart, into `image`.
  void fill(double* image, int64_t stride) const {
    size_t n = pixel_.size();
    std::vector<double> residual(n, 0), value(n, 0), direction, image_of(n);
    each_neighbour([&](size_t row, int64_t pixel, double weight) {
      if (unknown_[static_cast<size_t>(pixel)] < 0) residual[row] += weight * image[pixel * stride];
    });
    direction = residual;
    double size = dot(residual, residual), target = size * 1e-24;
    for (size_t step = 0; step < 10 * n && size > target; ++step) {
      apply(direction, image_of);
      double along = size / dot(direction, image_of);
      for (size_t i = 0; i < n; ++i) {
        value[i] += along * direction[i];
        residual[i] -= along * image_of[i];
      }
      double next = dot(residual, residual);
      for (size_t i = 0; i < n; ++i) direction[i] = residual[i] + next / size * direction[i];
      size = next;
    }
    for (size_t i = 0; i < n; ++i) image[pixel_[i] * stride] = value[i];
  }

 private:
  struct Neighbour {
    int64_t pixel;
    double weight;
  };
  template <class Visit>
  void each_neighbour(Visit&& visit) const {
    size_t at = 0;
    for (size_t row = 0; row < ends_.size(); ++row) {
      for (; at < ends_[row]; ++at) visit(row, neighbours_[at].pixel, neighbours_[at].weight);
    }
  }
  void apply(const std::vector<double>& v, std::vector<double>& out) const {
    for (size_t i = 0; i < v.size(); ++i) out[i] = diagonal_[i] * v[i];
    each_neighbour([&](size_t row, int64_t pixel, double weight) {
      int64_t column = unknown_[static_cast<size_t>(pixel)];
      if (column >= 0) out[row] -= weight * v[static_cast<size_t>(column)];
    });
  }
  static double dot(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  }

  std::vector<int64_t> pixel_, unknown_;
  std::vector<Neighbour> neighbours_;
  std::vector<size_t> ends_;
  std::vector<double> diagonal_;
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
