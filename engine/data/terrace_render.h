// From the factors of a terrace image to its pixels, 32 x 32 x 3, u8.
//
// Everything that is drawn is in a Scene: the factors, and the nuisances (where, how large, turned
// by how much, which phase, which light, which noise). Each factor and each nuisance is its own
// stream of numbers keyed by (seed, index), so two Scenes that differ in one factor share the rest
// to the bit.
//
// Pixels are the same bits on every machine: + - * / and sqrt of IEEE floats without fused
// multiply-adds (this file's .cpp is compiled with -ffp-contract=off), and polynomials of our own
// for sine and cosine. About 10 microseconds an image with AVX2.
#pragma once

#include <array>
#include <cstdint>

#include "engine/data/terrace_rules.h"

namespace strata::terrace {

inline constexpr int side = 32, pixel_count = side * side, image_bytes = 3 * pixel_count;

// A departure from the training distribution, severity 0 (none) to 5.
//   noise: standard deviation .04 + .03 severity      blur: that many 3 x 3 binomial passes
//   hue: all hues turned by 9 degrees times severity (5 is the next hue)
//   texture: with probability severity / 5 a part is drawn with another texture than its record's
//   cells: with probability severity / 5 the object comes from the cells held out of training
enum class Shift : uint8_t { none, noise, blur, hue, texture, cells };

struct Part {
  float x, y;      // centre, pixels
  float scale;     // 1 is an area of 133 pixels
  float turn;      // of the outline, in turns (1 = 360 degrees)
  float phase[3];  // of its gratings, in turns
};

struct Scene {
  Record record{};
  std::array<int8_t, 2> drawn_texture{};  // differs from the record's under Shift::texture only
  std::array<Part, 2> part{};             // above, below
  float grating_turn = 0;                 // added to the orientation of all gratings, in turns
  float hue_turn = 0;                     // added to the hue, in turns
  float junction_x = 0, junction_y = 0, junction_turn = 0, junction_sign = 1;
  float background_x = 0, background_y = 0, background_sign = 1;
  float ramp_x = 0, ramp_y = 0;  // change of light across the image
  float noise = 0;               // standard deviation
  uint32_t noise_key = 0;
  int blur = 0;
  int mark = -1;  // 0..7: a coloured mark in the upper left corner; -1: none
};

// Coverage 0..255 of each element of a scene, row by row.
struct Masks {
  std::array<uint8_t, pixel_count> part_above, part_below, junction, mark;
  std::array<uint8_t, pixel_count> edge;     // the outlines of both parts, about 2 pixels wide
  std::array<uint8_t, pixel_count> texture;  // the fill of both parts, away from the outline
};

// `pixels`: 3072 bytes, HWC. `masks` may be null.
void render(const Scene& scene, uint8_t* pixels, Masks* masks = nullptr);

}  // namespace strata::terrace
