// Pictures, and maps of numbers over pictures.
#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/draw/plot.h"

namespace strata::draw {
namespace {

PlotSize measure_picture(double rows, double columns, const PlotStyle& style) {
  double width = std::clamp(style.height * columns / rows, style.height / 4, style.height * 4);
  return {width, style.height, {0, 0, width, style.height}};
}

bool empty(const Picture& picture) { return picture.height < 1 || picture.width < 1; }

// The map's values at each pixel of a picture of this size: averaged where it shrinks.
std::vector<double> sampled(const HeatMap& map, int64_t height, int64_t width) {
  NoGrad off;
  int64_t rows = map.values.size(0), columns = map.values.size(1);
  Tensor x = map.values.detach().to(Device::cpu).to(DType::f64).reshape({1, rows, columns, 1});
  if (rows > height || columns > width) {
    x = adaptive_avg_pool2d(x, std::min(rows, height), std::min(columns, width));
  }
  x = map.smooth ? upsample_bilinear2d(x, height, width) : upsample_nearest2d(x, height, width);
  return x.to_vector<double>();
}

Picture nearest(const Picture& picture, int64_t height, int64_t width) {
  Picture out{height, width, picture.channels, {}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      int64_t from = (y * picture.height / height) * picture.width + x * picture.width / width;
      for (int64_t c = 0; c < picture.channels; ++c) {
        out.pixels.push_back(picture.pixels[static_cast<size_t>(from * picture.channels + c)]);
      }
    }
  }
  return out;
}

// Luma (ITU-R BT.601) of a picture at this size.
std::vector<double> luma(const Picture& picture, int64_t height, int64_t width) {
  bool shrinks = picture.height > height || picture.width > width;
  Picture sized =
      to_rgb(shrinks ? resize(picture, height, width) : nearest(picture, height, width));
  std::vector<double> out;
  for (size_t i = 0; i + 2 < sized.pixels.size(); i += 3) {
    out.push_back(
        (0.299 * sized.pixels[i] + 0.587 * sized.pixels[i + 1] + 0.114 * sized.pixels[i + 2]) /
        255);
  }
  return out;
}

}  // namespace

std::string complaint(const Image& image) {
  return empty(image.picture) ? "the picture has no pixels" : "";
}

std::string complaint(const HeatMap& map) {
  if (!map.values.defined() || map.values.rank() != 2 || map.values.numel() == 0) {
    return fmt::format("the map is {}; expected [H, W]",
                       map.values.defined() ? describe(map.values) : "undefined");
  }
  if (map.under && empty(*map.under)) return "the picture under the map has no pixels";
  if (!(map.opacity >= 0 && map.opacity <= 1)) {
    return fmt::format("opacity {} is not in [0, 1]", map.opacity);
  }
  return "";
}

PlotSize measure(const Image& image, const PlotStyle& style) {
  return measure_picture(static_cast<double>(image.picture.height),
                         static_cast<double>(image.picture.width), style);
}

PlotSize measure(const HeatMap& map, const PlotStyle& style) {
  if (map.under) return measure(Image{*map.under}, style);
  return measure_picture(static_cast<double>(map.values.size(0)),
                         static_cast<double>(map.values.size(1)), style);
}

void draw(Paper& paper, Point corner, const Image& image, const PlotStyle& style) {
  PlotSize size = measure(image, style);
  Box box{corner.x, corner.y, size.width, size.height};
  paper.picture(box, image.picture, image.smooth);
  paper.frame(box, pale_ink, 0.4);
}

void draw(Paper& paper, Point corner, const HeatMap& map, const PlotStyle& style) {
  PlotSize size = measure(map, style);
  auto height = static_cast<int64_t>(std::lround(size.height * pixels_per_point));
  auto width = static_cast<int64_t>(std::lround(size.width * pixels_per_point));
  std::vector<double> values = sampled(map, height, width), under;
  if (map.under) under = luma(*map.under, height, width);
  Picture out{height, width, 3, {}};
  out.pixels.reserve(values.size() * 3);
  for (size_t i = 0; i < values.size(); ++i) {
    Colour colour = style.range.colour(values[i]);
    if (map.under) {
      auto mix = [&](double c) { return std::lerp(under[i], c, map.opacity); };
      colour = {mix(colour.red), mix(colour.green), mix(colour.blue)};
    }
    for (uint8_t byte : bytes(colour)) out.pixels.push_back(byte);
  }
  Box box{corner.x, corner.y, size.width, size.height};
  paper.picture(box, out, false);
  paper.frame(box, pale_ink, 0.4);
}

Picture to_picture(const Tensor& image, Range range, Caller at) {
  bool fits = image.defined() && image.rank() == 3 && (image.size(2) == 1 || image.size(2) == 3);
  if (!fits) {
    fail("draw", at, "{} is no picture: expected [H, W, 1] or [H, W, 3]",
         image.defined() ? describe(image) : "an undefined tensor");
  }
  Picture out{image.size(0), image.size(1), image.size(2), {}};
  for (double v : image.to_vector<double>()) {
    double share = std::clamp((v - range.low) / (range.high - range.low), 0.0, 1.0);
    out.pixels.push_back(static_cast<uint8_t>(std::isnan(v) ? 0 : std::lround(255 * share)));
  }
  return out;
}

}  // namespace strata::draw
