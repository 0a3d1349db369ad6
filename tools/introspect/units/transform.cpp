#include "tools/introspect/units/transform.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <numbers>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"

namespace strata::introspect {
namespace {

// Where a picture turned by `angle` (radians) and enlarged by `size` about its centre reads its
// pixels: [H, W, 2].
Tensor turned_places(int64_t height, int64_t width, double angle, double size) {
  double middle_row = static_cast<double>(height - 1) / 2;
  double middle_column = static_cast<double>(width - 1) / 2;
  double along = std::cos(angle) / size, across = std::sin(angle) / size;
  std::vector<double> places;
  for (int64_t i = 0; i < height; ++i) {
    for (int64_t j = 0; j < width; ++j) {
      double row = static_cast<double>(i) - middle_row;
      double column = static_cast<double>(j) - middle_column;
      places.push_back(middle_row + along * row - across * column);
      places.push_back(middle_column + across * row + along * column);
    }
  }
  return from_vector(places, {height, width, 2});
}

double uniform(double range, Generator& generator) {
  return rand({1}, -range, range, DType::f64, &generator).item();
}

// Which pixels every output pixel reads, and how much of each.
struct Reads {
  Dims from, to;  // [H, W] and [H', W']
  std::vector<std::array<int64_t, 4>> pixel;
  std::vector<std::array<double, 4>> share;
};

std::shared_ptr<const Reads> reads_of(const Tensor& images, const Tensor& places) {
  auto reads = std::make_shared<Reads>();
  reads->from = {images.size(1), images.size(2)};
  reads->to = {places.size(0), places.size(1)};
  int64_t last_row = images.size(1) - 1, last_column = images.size(2) - 1;
  auto values = places.to_vector<double>();
  for (size_t p = 0; p < values.size(); p += 2) {
    double row = std::clamp(values[p], 0.0, static_cast<double>(last_row));
    double column = std::clamp(values[p + 1], 0.0, static_cast<double>(last_column));
    auto top = static_cast<int64_t>(row), left = static_cast<int64_t>(column);
    int64_t bottom = std::min(top + 1, last_row), right = std::min(left + 1, last_column);
    double down = row - static_cast<double>(top), across = column - static_cast<double>(left);
    int64_t width = last_column + 1;
    reads->pixel.push_back(
        {top * width + left, top * width + right, bottom * width + left, bottom * width + right});
    reads->share.push_back(
        {(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across});
  }
  return reads;
}

// The linear map from pixels to what is read, or its transpose: each image by one thread, in order.
template <class T>
void run(const Tensor& x, const Tensor& out, const Reads& reads, bool transposed) {
  int64_t channels = x.size(3);
  int64_t image_in = x.numel() / std::max<int64_t>(1, x.size(0));
  int64_t image_out = out.numel() / std::max<int64_t>(1, x.size(0));
  const T* from = x.data<T>();
  T* to = out.data<T>();
  parallel_for(x.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      for (size_t p = 0; p < reads.pixel.size(); ++p) {
        for (size_t k = 0; k < 4; ++k) {
          int64_t whole = reads.pixel[p][k] * channels,
                  sampled = static_cast<int64_t>(p) * channels;
          const T* source = from + n * image_in + (transposed ? sampled : whole);
          T* target = to + n * image_out + (transposed ? whole : sampled);
          T share = static_cast<T>(reads.share[p][k]);
          for (int64_t c = 0; c < channels; ++c) target[c] += share * source[c];
        }
      }
    }
  });
}

Tensor sampled(const Tensor& x, const std::shared_ptr<const Reads>& reads, bool transposed) {
  const Dims& plane = transposed ? reads->from : reads->to;
  Tensor in = x.detach().contiguous();
  Tensor out = zeros({x.size(0), plane[0], plane[1], x.size(3)}, x.dtype());
  x.dtype() == DType::f64 ? run<double>(in, out, *reads, transposed)
                          : run<float>(in, out, *reads, transposed);
  return record(out, "sample_bilinear", Caller{}, {x}, {},
                [reads, transposed](const Tensor& gradient, const Saved&) {
                  return Gradients{sampled(gradient, reads, !transposed)};
                });
}

}  // namespace

Tensor sample_bilinear(const Tensor& images, const Tensor& places) {
  if (images.rank() != 4 || places.rank() != 3 || places.size(2) != 2) {
    fail("sample_bilinear", Caller{},
         "images {} and places {} must be [N, H, W, C] and [H', W', 2]", describe(images),
         describe(places));
  }
  if (images.dtype() != DType::f32 && images.dtype() != DType::f64) {
    fail("sample_bilinear", Caller{}, "images {} must be f32 or f64", describe(images));
  }
  return sampled(images, reads_of(images, places), false);
}

Tensor transformed(const Tensor& images, const Transform& transform, Generator& generator) {
  Tensor seen = images;
  if (transform.jitter > 0) {
    auto shift = randint(-transform.jitter, transform.jitter + 1, {2}, DType::i64, &generator)
                     .to_vector<int64_t>();
    seen = roll(seen, {shift[0], shift[1]}, {1, 2});
  }
  if (transform.scale == 0 && transform.rotation == 0) return seen;
  double size = 1 + uniform(transform.scale, generator);
  double angle = uniform(transform.rotation, generator) * std::numbers::pi / 180;
  return sample_bilinear(seen, turned_places(images.size(1), images.size(2), angle, size));
}

}  // namespace strata::introspect
