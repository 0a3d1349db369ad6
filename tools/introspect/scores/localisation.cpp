#include "tools/introspect/scores/localisation.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"

namespace strata::introspect {
namespace {

struct Scored {
  std::vector<double> relevance;  // [N, H W], positive part
  std::vector<uint8_t> mask;      // [N, H W]
  int64_t count, height, width;
  int64_t pixels() const { return height * width; }
};

Scored scored(const Tensor& map, const Tensor& mask, const char* name) {
  if (mask.rank() != 3 || mask.dtype() != DType::boolean || map.size(0) != mask.size(0)) {
    fail(name, Caller{}, "the mask {} does not fit the map {}: expected bool [N, H, W]",
         describe(mask), describe(map));
  }
  NoGrad off;
  Scored out{{}, mask.to_vector<uint8_t>(), mask.size(0), mask.size(1), mask.size(2)};
  out.relevance = relu(relevance_map(map, out.height, out.width)).to_vector<double>();
  for (int64_t n = 0; n < out.count; ++n) {
    auto first = out.relevance.begin() + n * out.pixels();
    if (std::any_of(first, first + out.pixels(), [](double v) { return std::isnan(v); })) {
      fail(name, Caller{}, "the map of image {} holds NaNs, which have no place in an order", n);
    }
    auto begin = out.mask.begin() + n * out.pixels();
    if (std::find(begin, begin + out.pixels(), 1) == begin + out.pixels()) {
      fail(name, Caller{}, "the mask of image {} is empty: there is nothing to point at", n);
    }
  }
  return out;
}

// score(relevance, mask) of each image.
template <class Score>
Tensor each(const Scored& images, Score&& score) {
  std::vector<double> out(static_cast<size_t>(images.count));
  parallel_for(images.count, 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      out[static_cast<size_t>(n)] = score(images.relevance.data() + n * images.pixels(),
                                          images.mask.data() + n * images.pixels());
    }
  });
  return from_vector(out, {images.count});
}

// The mask with every place that is at most `radius` away from it.
std::vector<uint8_t> dilated(const uint8_t* mask, int64_t height, int64_t width, double radius) {
  std::vector<uint8_t> out(mask, mask + height * width);
  auto reach = static_cast<int64_t>(std::floor(radius));
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      if (!mask[y * width + x]) continue;
      for (int64_t v = std::max<int64_t>(0, y - reach); v <= std::min(height - 1, y + reach); ++v) {
        for (int64_t u = std::max<int64_t>(0, x - reach); u <= std::min(width - 1, x + reach);
             ++u) {
          if (std::hypot(v - y, u - x) <= radius) out[static_cast<size_t>(v * width + u)] = 1;
        }
      }
    }
  }
  return out;
}

double area_of(const uint8_t* mask, int64_t pixels) {
  return std::accumulate(mask, mask + pixels, 0.0) / static_cast<double>(pixels);
}

double mass_of(const double* relevance, const uint8_t* mask, int64_t pixels) {
  double all = 0, inside = 0;
  for (int64_t i = 0; i < pixels; ++i) {
    all += relevance[i];
    inside += mask[i] ? relevance[i] : 0;
  }
  return all > 0 ? inside / all : area_of(mask, pixels);
}

// Groups of equal values from the largest down: visit(size of the group, how many are in the mask).
template <class Visit>
void each_level(const double* relevance, const uint8_t* mask, int64_t pixels, Visit&& visit) {
  std::vector<int64_t> order(static_cast<size_t>(pixels));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](int64_t a, int64_t b) { return relevance[a] > relevance[b]; });
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    double inside = 0;
    for (; end < order.size() && relevance[order[end]] == relevance[order[begin]]; ++end) {
      inside += mask[order[end]];
    }
    visit(static_cast<double>(end - begin), inside);
  }
}

double rank_of(const double* relevance, const uint8_t* mask, int64_t pixels) {
  double wanted = std::accumulate(mask, mask + pixels, 0.0), left = wanted, hits = 0;
  each_level(relevance, mask, pixels, [&](double size, double inside) {
    double taken = std::min(left, size);
    hits += inside * taken / size;
    left -= taken;
  });
  return hits / wanted;
}

double auc_of(const double* relevance, const uint8_t* mask, int64_t pixels) {
  double positives = std::accumulate(mask, mask + pixels, 0.0);
  double negatives = static_cast<double>(pixels) - positives;
  if (negatives == 0) return std::numeric_limits<double>::quiet_NaN();
  double above = 0, pairs = 0;  // places in the mask that lie above; pairs in the right order
  each_level(relevance, mask, pixels, [&](double size, double inside) {
    pairs += (size - inside) * (above + inside / 2);
    above += inside;
  });
  return pairs / (positives * negatives);
}

}  // namespace

Tensor pointing_game(const Tensor& map, const Tensor& mask, double tolerance) {
  Scored images = scored(map, mask, "pointing_game");
  return each(images, [&](const double* relevance, const uint8_t* own) {
    std::vector<uint8_t> near = dilated(own, images.height, images.width, tolerance);
    double top = *std::max_element(relevance, relevance + images.pixels());
    double hits = 0, ties = 0;
    for (int64_t i = 0; i < images.pixels(); ++i) {
      if (relevance[i] != top) continue;
      ++ties;
      hits += near[static_cast<size_t>(i)];
    }
    return hits / ties;
  });
}

Tensor relevance_mass(const Tensor& map, const Tensor& mask) {
  Scored images = scored(map, mask, "relevance_mass");
  return each(images,
              [&](const double* r, const uint8_t* m) { return mass_of(r, m, images.pixels()); });
}

Tensor relevance_rank(const Tensor& map, const Tensor& mask) {
  Scored images = scored(map, mask, "relevance_rank");
  return each(images,
              [&](const double* r, const uint8_t* m) { return rank_of(r, m, images.pixels()); });
}

Tensor mask_auc(const Tensor& map, const Tensor& mask) {
  Scored images = scored(map, mask, "mask_auc");
  return each(images,
              [&](const double* r, const uint8_t* m) { return auc_of(r, m, images.pixels()); });
}

Tensor area_share(const Tensor& mask) {
  NoGrad off;
  return mean(mask.to(DType::f64), {1, 2});
}

Verdict Localisation::verdict() const {
  if (mass >= 2 * area) return Verdict::passes;
  return mass < 1.25 * area ? Verdict::fails : Verdict::unclear;
}

Localisation localisation(const Tensor& map, const Tensor& mask, double tolerance) {
  return {mean(pointing_game(map, mask, tolerance)).item(), mean(relevance_mass(map, mask)).item(),
          mean(relevance_rank(map, mask)).item(), mean(mask_auc(map, mask)).item(),
          mean(area_share(mask)).item()};
}

}  // namespace strata::introspect
