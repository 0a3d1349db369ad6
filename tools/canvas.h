// A picture to draw on: small pictures enlarged, lines of text in a 5 x 7 pixel font.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "engine/data/image_file.h"

namespace strata {

using Colour = std::array<uint8_t, 3>;

class Canvas {
 public:
  Canvas(int64_t height, int64_t width, Colour paper = {255, 255, 255});

  // Everything is clipped at the edges. Places are of the upper left corner, in pixels.
  void rectangle(int64_t y, int64_t x, int64_t height, int64_t width, Colour colour);
  void picture(int64_t y, int64_t x, const Picture& picture, int64_t scale);
  // ASCII; other characters show as '?'. A character is 6 * scale wide and 8 * scale high.
  void text(int64_t y, int64_t x, const std::string& line, Colour ink = {40, 40, 40},
            int64_t scale = 1);
  static int64_t text_width(const std::string& line, int64_t scale = 1) {
    return static_cast<int64_t>(line.size()) * 6 * scale;
  }
  const Picture& result() const { return picture_; }

 private:
  void set(int64_t y, int64_t x, const uint8_t* colour);
  Picture picture_;
};

}  // namespace strata
