#include "tools/draw/colour_map.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace strata::draw {
namespace {

// Every sixteenth colour of viridis.
constexpr std::array<uint32_t, 17> viridis = {
    0x440154, 0x48186a, 0x472d7b, 0x424086, 0x3b528b, 0x33638d, 0x2c728e, 0x26818e, 0x21908c,
    0x1f9f88, 0x28ae80, 0x3ebc74, 0x5dc963, 0x82d34c, 0xabdc32, 0xd5e21a, 0xfde725};

constexpr std::array<uint32_t, categories> petroff = {0x3f90da, 0xffa90e, 0xbd1f01, 0x94a4a2,
                                                      0x832db6, 0xa96b59, 0xe76300, 0xb9ac70,
                                                      0x717581, 0x92dadd};

double to_linear(double c) { return c <= 0.04045 ? c / 12.92 : std::pow((c + 0.055) / 1.055, 2.4); }
double to_srgb(double c) {
  c = std::clamp(c, 0.0, 1.0);
  return c <= 0.0031308 ? c * 12.92 : 1.055 * std::pow(c, 1 / 2.4) - 0.055;
}

Colour sequential(double t) {
  double place = t * (viridis.size() - 1);
  size_t i = std::min<size_t>(static_cast<size_t>(place), viridis.size() - 2);
  double share = place - static_cast<double>(i);
  OkLab a = to_oklab(rgb(viridis[i])), b = to_oklab(rgb(viridis[i + 1]));
  return from_oklab({std::lerp(a.lightness, b.lightness, share), std::lerp(a.a, b.a, share),
                     std::lerp(a.b, b.b, share)});
}

// The chroma is near the most that sRGB has at every lightness for both hues.
Colour diverging(double t) {
  constexpr double darkest = 0.38, chroma = 0.15, blue = 260, red = 25;
  double magnitude = std::abs(2 * t - 1);
  if (magnitude == 0) return neutral;
  double hue = (t < 0.5 ? blue : red) * std::numbers::pi / 180;
  double colourfulness = chroma * magnitude * (2 - magnitude);
  return from_oklab({std::lerp(1.0, darkest, magnitude), colourfulness * std::cos(hue),
                     colourfulness * std::sin(hue)});
}

}  // namespace

Colour rgb(uint32_t hex) {
  return {(hex >> 16 & 255) / 255.0, (hex >> 8 & 255) / 255.0, (hex & 255) / 255.0};
}

std::array<uint8_t, 3> bytes(const Colour& colour) {
  auto byte = [](double c) {
    return static_cast<uint8_t>(std::lround(255 * std::clamp(c, 0.0, 1.0)));
  };
  return {byte(colour.red), byte(colour.green), byte(colour.blue)};
}

OkLab to_oklab(const Colour& colour) {
  double r = to_linear(colour.red), g = to_linear(colour.green), b = to_linear(colour.blue);
  double l = std::cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  double m = std::cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  double s = std::cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return {0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
          1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
          0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s};
}

Colour from_oklab(const OkLab& lab) {
  auto cube = [](double v) { return v * v * v; };
  double l = cube(lab.lightness + 0.3963377774 * lab.a + 0.2158037573 * lab.b);
  double m = cube(lab.lightness - 0.1055613458 * lab.a - 0.0638541728 * lab.b);
  double s = cube(lab.lightness - 0.0894841775 * lab.a - 1.2914855480 * lab.b);
  return {to_srgb(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
          to_srgb(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
          to_srgb(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s)};
}

Colour colour_at(ColourMap map, double t) {
  if (std::isnan(t)) return not_a_number;
  t = std::clamp(t, 0.0, 1.0);
  return map == ColourMap::sequential ? sequential(t) : diverging(t);
}

Colour Range::colour(double value) const {
  return colour_at(map(), high > low ? (value - low) / (high - low) : 0);
}

Colour category(int64_t index) { return rgb(petroff[static_cast<size_t>(index % categories)]); }

}  // namespace strata::draw
