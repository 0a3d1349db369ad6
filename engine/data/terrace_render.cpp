#include "engine/data/terrace_render.h"

#include <algorithm>
#include <cmath>

namespace strata::terrace {
namespace {

using Row = std::array<float, side>;
using Plane = std::array<float, pixel_count>;

// cos and sin of an angle in turns, to 1e-9: Taylor series on [-1/8, 1/8] turns and quadrants.
struct Direction {
  float cosine, sine;
};
Direction direction(double turns) {
  double whole = std::floor(4 * turns + 0.5);
  double a = (turns - whole / 4) * 6.283185307179586, s = a * a;
  double sine = a * (1 - s / 6 * (1 - s / 20 * (1 - s / 42 * (1 - s / 72))));
  double cosine = 1 - s / 2 * (1 - s / 12 * (1 - s / 30 * (1 - s / 56 * (1 - s / 90))));
  switch (static_cast<int64_t>(whole) & 3) {
    case 0:
      return {static_cast<float>(cosine), static_cast<float>(sine)};
    case 1:
      return {static_cast<float>(-sine), static_cast<float>(cosine)};
    case 2:
      return {static_cast<float>(-cosine), static_cast<float>(-sine)};
    default:
      return {static_cast<float>(sine), static_cast<float>(-cosine)};
  }
}

// sin(2 pi u) to .001 by two parabolas; u > -64. Straight-line code, so that loops over it
// vectorise.
inline float wave(float u) {
  float shifted = u + 64.5f;
  float f = shifted - static_cast<float>(static_cast<int>(shifted)) - 0.5f;  // [-.5, .5)
  float s = 8 * f - 16 * f * std::abs(f);
  return s + 0.225f * (s * std::abs(s) - s);
}

inline float clamp01(float x) { return std::min(std::max(x, 0.0f), 1.0f); }
// Coverage of a pixel whose centre is `distance` outside an edge.
inline float cover(float distance) { return clamp01(0.5f - distance); }

// Rounded up, so that a mask is nonzero wherever anything was drawn.
inline uint8_t byte(float coverage) { return static_cast<uint8_t>(std::ceil(coverage * 255)); }

// Signed distance (negative inside) of each pixel of a row to an outline of scale 1 at the origin,
// times `scale`. All four have an area of 133 pixels.
void outline_row(int kind, const Row& u, const Row& v, float scale, Row& distance) {
  switch (kind) {
    case 0:  // disc
      for (int x = 0; x < side; ++x)
        distance[x] = std::sqrt(u[x] * u[x] + v[x] * v[x]) - 6.5f * scale;
      break;
    case 1:  // square
      for (int x = 0; x < side; ++x)
        distance[x] = std::max(std::abs(u[x]), std::abs(v[x])) - 5.77f * scale;
      break;
    case 2:  // triangle, point up; centred between point and base
      for (int x = 0; x < side; ++x) {
        float w = v[x] - 2.53f * scale;
        float slope = 0.8660254f * std::abs(u[x]) - 0.5f * w;
        distance[x] = std::max(w, slope) - 5.06f * scale;
      }
      break;
    default:  // cross
      for (int x = 0; x < side; ++x) {
        float a = std::abs(u[x]), b = std::abs(v[x]);
        float longer = std::max(a, b), shorter = std::min(a, b);
        distance[x] = std::max(longer - 7.3f * scale, shorter - 2.8f * scale);
      }
  }
}

// Gratings of a texture: how many, and the turn between them (30 degrees are 1/12 turn).
struct Gratings {
  int count;
  double step;
};
constexpr Gratings gratings[kinds] = {{1, 0}, {2, 0.25}, {2, 0.125}, {3, 1.0 / 6}};
constexpr double periods[3] = {3.2, 3.9, 4.8};  // pixels

struct Painter {
  Plane red, green, blue;
  Masks* masks;

  void background(const Scene& scene) {
    for (int y = 0; y < side; ++y) {
      float dy = static_cast<float>(y) - 15.5f, v = dy - scene.background_y;
      for (int x = 0; x < side; ++x) {
        float dx = static_cast<float>(x) - 15.5f, u = dx - scene.background_x;
        float a = 2 * clamp01(u + 0.5f) - 1, b = 2 * clamp01(v + 0.5f) - 1, tone = 0;
        switch (scene.record[terrace::background]) {
          case 0:
            tone = b;
            break;
          case 1:
            tone = a;
            break;
          case 2:
            tone = a * b;
            break;
          default:
            tone = 2 * cover(std::sqrt(u * u + v * v) - 12.4f) - 1;
        }
        float light = 0.5f + 0.12f * scene.background_sign * tone +
                      (scene.ramp_x * dx + scene.ramp_y * dy) * (1.0f / side);
        red[y * side + x] = green[y * side + x] = blue[y * side + x] = light;
      }
    }
  }

  // Lays the colour (r, g, b)(x) over row y with the given coverage.
  void blend(int y, const Row& coverage, const Row& light, const float* tint) {
    for (int x = 0; x < side; ++x) {
      float a = coverage[x];
      float& r = red[y * side + x];
      float& g = green[y * side + x];
      float& b = blue[y * side + x];
      r += a * (light[x] + tint[0] - r);
      g += a * (light[x] + tint[1] - g);
      b += a * (light[x] + tint[2] - b);
    }
  }

  void part(const Scene& scene, int slot) {
    const Part& part = scene.part[slot];
    const Gratings& texture = gratings[static_cast<int>(scene.drawn_texture[slot])];
    Direction turned = direction(part.turn);
    float period = static_cast<float>(periods[static_cast<int>(scene.record[frequency])]);
    Direction line[3];
    for (int g = 0; g < texture.count; ++g) {
      line[g] = direction(scene.record[orientation] / 12.0 + scene.grating_turn + g * texture.step);
      line[g].cosine /= period;
      line[g].sine /= period;
    }
    // Equal contrast (variance) for every texture, so that contrast does not tell them apart.
    float amplitude = 0.24f / std::sqrt(static_cast<float>(texture.count));
    // The hue: around a circle about grey in the plane of equal r + g + b.
    double angle = scene.record[hue] / 8.0 + scene.hue_turn;
    float tint[3];
    for (int c = 0; c < 3; ++c) tint[c] = 0.22f * direction(angle - c / 3.0).cosine;

    int first = std::max(0, static_cast<int>(part.y - 11)), last = std::min(side, first + 24);
    for (int y = first; y < last; ++y) {
      Row u, v, distance, coverage, light;
      float dy = static_cast<float>(y) - part.y;
      for (int x = 0; x < side; ++x) {
        float dx = static_cast<float>(x) - part.x;
        u[x] = dx * turned.cosine + dy * turned.sine;
        v[x] = dy * turned.cosine - dx * turned.sine;
        light[x] = 0;
      }
      outline_row(scene.record[outline_above + slot], u, v, part.scale, distance);
      for (int g = 0; g < texture.count; ++g)
        for (int x = 0; x < side; ++x)
          light[x] += wave((static_cast<float>(x) - part.x) * line[g].cosine + dy * line[g].sine +
                           part.phase[g]);
      for (int x = 0; x < side; ++x) {
        light[x] = 0.5f + amplitude * light[x];
        coverage[x] = cover(distance[x]);
      }
      blend(y, coverage, light, tint);
      if (masks) note_part(y, slot, coverage, distance);
    }
  }

  void note_part(int y, int slot, const Row& coverage, const Row& distance) {
    for (int x = 0; x < side; ++x) {
      int i = y * side + x;

      (slot == 0 ? masks->part_above : masks->part_below)[i] = byte(coverage[x]);
      masks->edge[i] = std::max(masks->edge[i], byte(cover(std::abs(distance[x]) - 1)));
      masks->texture[i] = std::max(masks->texture[i], byte(cover(distance[x] + 1.5f)));
    }
  }

  // Straight strokes from a point: L two at a right angle, T three, X four, Y three at 120 degrees.
  // Arms are longer where they are fewer, so that the amount of ink does not tell.
  void junction(const Scene& scene) {
    struct Kind {
      int arms;
      float length;
      double turn[4];
    };
    static constexpr Kind kinds_of_junction[kinds] = {{2, 4.7f, {0, 0.25}},
                                                      {3, 3.5f, {0, 0.25, 0.5}},
                                                      {4, 2.9f, {0, 0.25, 0.5, 0.75}},
                                                      {3, 3.5f, {0, 1.0 / 3, 2.0 / 3}}};
    const Kind& kind = kinds_of_junction[static_cast<int>(scene.record[terrace::junction])];
    Direction arm[4];
    for (int k = 0; k < kind.arms; ++k) arm[k] = direction(scene.junction_turn + kind.turn[k]);
    const float none[3] = {0, 0, 0};
    Row ink;
    ink.fill(0.5f + 0.42f * scene.junction_sign);
    int first = std::max(0, static_cast<int>(scene.junction_y - 6));
    int last = std::min(side, first + 14);
    for (int y = first; y < last; ++y) {
      Row coverage{};
      float dy = static_cast<float>(y) - scene.junction_y;
      for (int k = 0; k < kind.arms; ++k) {
        for (int x = 0; x < side; ++x) {
          float dx = static_cast<float>(x) - scene.junction_x;
          float along = dx * arm[k].cosine + dy * arm[k].sine;
          float across = std::abs(dy * arm[k].cosine - dx * arm[k].sine);
          float beyond = std::max(along - kind.length, -0.6f - along);
          coverage[x] = std::max(coverage[x], cover(std::max(across - 0.65f, beyond)));
        }
      }
      blend(y, coverage, ink, none);
      if (masks)
        for (int x = 0; x < side; ++x) masks->junction[y * side + x] = byte(coverage[x]);
    }
  }

  // A square of 3 x 3 pixels whose colour is the mark's value (a shortcut, when it goes with the
  // label).
  void mark(const Scene& scene) {
    float tint[3];
    for (int c = 0; c < 3; ++c)
      tint[c] = 0.45f * direction(scene.mark / 8.0 + 1 / 16.0 - c / 3.0).cosine;
    Row coverage{}, light;
    light.fill(0.5f);
    for (int x = 1; x < 4; ++x) coverage[x] = 1;
    for (int y = 1; y < 4; ++y) {
      blend(y, coverage, light, tint);
      if (masks)
        for (int x = 1; x < 4; ++x) masks->mark[y * side + x] = 255;
    }
  }

  // (1 2 1) / 4 along rows, then along columns; edges repeat.
  static void blur(Plane& plane) {
    Plane rows;
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x) {
        const float* line = &plane[y * side];
        rows[y * side + x] =
            0.25f * (line[std::max(x - 1, 0)] + 2 * line[x] + line[std::min(x + 1, side - 1)]);
      }
    for (int y = 0; y < side; ++y)
      for (int x = 0; x < side; ++x)
        plane[y * side + x] =
            0.25f * (rows[std::max(y - 1, 0) * side + x] + 2 * rows[y * side + x] +
                     rows[std::min(y + 1, side - 1) * side + x]);
  }

  // Noise of value i of the image: the sum of the four bytes of a hash of (key, i), centred and
  // scaled to variance 1; nearly Gaussian (kurtosis 2.7), within 3.45 standard deviations.
  static void store(const Plane& plane, int channel, const Scene& scene, uint8_t* pixels) {
    float gain = scene.noise * (1.0f / 147.8f);  // sqrt(4 (256^2 - 1) / 12)
    uint32_t start = scene.noise_key + static_cast<uint32_t>(channel) * pixel_count * 0x9E3779B9u;
    std::array<uint8_t, pixel_count> bytes;
    for (int i = 0; i < pixel_count; ++i) {
      uint32_t h = start + static_cast<uint32_t>(i) * 0x9E3779B9u;
      h ^= h >> 16;
      h *= 0x7feb352du;
      h ^= h >> 15;
      h *= 0x846ca68bu;
      h ^= h >> 16;
      uint32_t pairs = (h & 0x00ff00ffu) + ((h >> 8) & 0x00ff00ffu);
      int sum = static_cast<int>((pairs & 0xffffu) + (pairs >> 16)) - 510;
      float value = clamp01(plane[i] + gain * static_cast<float>(sum));
      bytes[i] = static_cast<uint8_t>(static_cast<int>(value * 255 + 0.5f));
    }
    for (int i = 0; i < pixel_count; ++i) pixels[3 * i + channel] = bytes[i];
  }
};

}  // namespace

void render(const Scene& scene, uint8_t* pixels, Masks* masks) {
  Painter painter;
  painter.masks = masks;
  if (masks) *masks = Masks{};
  painter.background(scene);
  painter.part(scene, 1);
  painter.part(scene, 0);
  painter.junction(scene);
  if (scene.mark >= 0) painter.mark(scene);
  Plane* planes[3] = {&painter.red, &painter.green, &painter.blue};
  for (int channel = 0; channel < 3; ++channel) {
    for (int pass = 0; pass < scene.blur; ++pass) Painter::blur(*planes[channel]);
    Painter::store(*planes[channel], channel, scene, pixels);
  }
}

}  // namespace strata::terrace
