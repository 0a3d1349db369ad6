#include "engine/data/augment.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/data/keyed_random.h"

namespace strata {
namespace {

struct View {
  int64_t height, width, channels;
  uint8_t* pixels;
  int64_t bytes() const { return height * width * channels; }
};

void shift_whole(const View& image, int64_t down, int64_t right) {
  std::vector<uint8_t> from(image.pixels, image.pixels + image.bytes());
  std::fill(image.pixels, image.pixels + image.bytes(), uint8_t{0});
  int64_t first = std::max<int64_t>(0, right), last = std::min(image.width, image.width + right);
  for (int64_t y = 0; y < image.height && first < last; ++y) {
    int64_t source = y - down;
    if (source < 0 || source >= image.height) continue;
    const uint8_t* row = from.data() + (source * image.width + first - right) * image.channels;
    std::copy(row, row + (last - first) * image.channels,
              image.pixels + (y * image.width + first) * image.channels);
  }
}

void flip(const View& image) {
  for (int64_t y = 0; y < image.height; ++y)
    for (int64_t x = 0; x < image.width / 2; ++x)
      for (int64_t c = 0; c < image.channels; ++c)
        std::swap(image.pixels[(y * image.width + x) * image.channels + c],
                  image.pixels[(y * image.width + image.width - 1 - x) * image.channels + c]);
}

// Each pixel is fetched, bilinearly, from where the turned, zoomed and shifted image has it; black
// outside.
void resample(const View& image, double turn, double zoom, double down, double right) {
  std::vector<uint8_t> from(image.pixels, image.pixels + image.bytes());
  double cosine = std::cos(turn) / zoom, sine = std::sin(turn) / zoom;
  double middle_y = static_cast<double>(image.height - 1) / 2;
  double middle_x = static_cast<double>(image.width - 1) / 2;
  auto at = [&](int64_t y, int64_t x, int64_t c) -> double {
    if (y < 0 || y >= image.height || x < 0 || x >= image.width) return 0;
    return from[static_cast<size_t>((y * image.width + x) * image.channels + c)];
  };
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      double dy = static_cast<double>(y) - middle_y - down;
      double dx = static_cast<double>(x) - middle_x - right;
      double v = middle_y + dy * cosine - dx * sine, u = middle_x + dx * cosine + dy * sine;
      auto y0 = static_cast<int64_t>(std::floor(v)), x0 = static_cast<int64_t>(std::floor(u));
      double b = v - static_cast<double>(y0), a = u - static_cast<double>(x0);
      for (int64_t c = 0; c < image.channels; ++c) {
        double value = (1 - b) * ((1 - a) * at(y0, x0, c) + a * at(y0, x0 + 1, c)) +
                       b * ((1 - a) * at(y0 + 1, x0, c) + a * at(y0 + 1, x0 + 1, c));
        image.pixels[(y * image.width + x) * image.channels + c] =
            static_cast<uint8_t>(value + 0.5);
      }
    }
  }
}

void cut_out(const View& image, int64_t side, int64_t centre_y, int64_t centre_x) {
  int64_t top = centre_y - side / 2, left = centre_x - side / 2;
  for (int64_t y = std::max<int64_t>(0, top); y < std::min(image.height, top + side); ++y)
    for (int64_t x = std::max<int64_t>(0, left); x < std::min(image.width, left + side); ++x)
      for (int64_t c = 0; c < image.channels; ++c)
        image.pixels[(y * image.width + x) * image.channels + c] = 128;
}

}  // namespace

Augment augment_for(const std::string& dataset_name) {
  Augment augment;
  if (dataset_name == "mnist") {
    augment.shift = 2;
    augment.rotate = 12;
    augment.zoom = 0.1;
  } else if (dataset_name == "fashion") {
    augment.flip = true;
    augment.shift = 1.5;
    augment.rotate = 4;
    augment.zoom = 0.06;
  } else if (dataset_name == "cifar10" || dataset_name == "cifar100" || dataset_name == "folder") {
    augment.pad_crop = 4;
    augment.flip = true;
    augment.cutout = 8;
  }
  return augment;
}

void augment_image(const Augment& augment, uint64_t seed, uint64_t epoch, uint64_t index,
                   int64_t height, int64_t width, int64_t channels, uint8_t* pixels) {
  View image{height, width, channels, pixels};
  // One key for (epoch, index): both stay below 2^32 in practice; the high half takes the epoch.
  KeyedRandom random(seed, epoch << 32 ^ index, 0x61756721u);
  auto whole = [&](int64_t reach) {
    return static_cast<int64_t>(random.below(static_cast<uint32_t>(2 * reach + 1))) - reach;
  };
  if (augment.pad_crop > 0) {
    int64_t down = whole(augment.pad_crop), right = whole(augment.pad_crop);
    shift_whole(image, down, right);
  }
  if (augment.flip && random.below(2)) flip(image);
  if (augment.shift > 0 || augment.rotate > 0 || augment.zoom > 0) {
    double turn = random.uniform(-augment.rotate, augment.rotate) * (3.14159265358979 / 180);
    double zoom = 1 + random.uniform(-augment.zoom, augment.zoom);
    double down = random.uniform(-augment.shift, augment.shift);
    double right = random.uniform(-augment.shift, augment.shift);
    resample(image, turn, zoom, down, right);
  }
  if (augment.cutout > 0) {
    auto y = static_cast<int64_t>(random.below(static_cast<uint32_t>(height)));
    auto x = static_cast<int64_t>(random.below(static_cast<uint32_t>(width)));
    cut_out(image, augment.cutout, y, x);
  }
}

}  // namespace strata
