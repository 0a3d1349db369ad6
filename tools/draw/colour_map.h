// Colour maps whose lightness can be read as the value: equal steps of value look like equal steps.
//
// Sequential, for magnitudes: viridis (Smith, van der Walt and Firing 2015, CC0), from dark to
// light with lightness rising throughout. Diverging, for signed values: blue, white, red, with
// lightness and chroma equal functions of the magnitude, so that neither sign looks stronger; zero
// is exactly white. Colours between anchors are interpolated in OKLab (Ottosson 2020). Categories:
// the ten accessible colours of Petroff 2021.
#pragma once

#include <array>
#include <cstdint>

namespace strata::draw {

struct Colour {
  double red = 0, green = 0, blue = 0;  // sRGB in [0, 1]
  bool operator==(const Colour&) const = default;
};
// 0xrrggbb.
Colour rgb(uint32_t hex);
std::array<uint8_t, 3> bytes(const Colour& colour);

// Lightness in [0, 1], and the two opponent axes: a green to red, b blue to yellow.
struct OkLab {
  double lightness = 0, a = 0, b = 0;
};
OkLab to_oklab(const Colour& colour);
// Colours outside sRGB are clipped.
Colour from_oklab(const OkLab& lab);

enum class ColourMap { sequential, diverging };
// The diverging map's colour of zero, and the colour of what is not a number.
inline constexpr Colour neutral{1, 1, 1}, not_a_number{0.8, 0.8, 0.8};

// `t` in [0, 1] from the low end to the high one, clipped; 1/2 is the diverging map's neutral.
Colour colour_at(ColourMap map, double t);

// The values that the ends of a colour map stand for.
struct Range {
  double low = 0, high = 1;
  // Diverging where it reaches below zero; white is zero when the range is symmetric.
  ColourMap map() const { return low < 0 ? ColourMap::diverging : ColourMap::sequential; }
  Colour colour(double value) const;
};

// The colour of class `index`; they repeat after ten.
Colour category(int64_t index);
inline constexpr int64_t categories = 10;

}  // namespace strata::draw
