// A white sheet to draw on: anti-aliased lines, text and pictures, by cairo, which no other file
// includes. Places and sizes are in points from the upper left corner; a point is two pixels.
//
// Text is UTF-8 in the system's sans-serif font; without any font installed, cairo's built-in
// stroke font is used.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/data/image_file.h"
#include "tools/draw/colour_map.h"

namespace strata::draw {

inline constexpr double pixels_per_point = 2;

struct Point {
  double x = 0, y = 0;
};
struct Box {
  double x = 0, y = 0, width = 0, height = 0;
  double right() const { return x + width; }
  double bottom() const { return y + height; }
  Point centre() const { return {x + width / 2, y + height / 2}; }
};

inline constexpr Colour ink{0.13, 0.13, 0.13}, pale_ink{0.38, 0.38, 0.38}, grid_ink{0.9, 0.9, 0.9};

struct Font {
  double size = 9;
  bool bold = false;
  Colour colour = ink;
};
enum class Align { left, centre, right };

double text_width(const std::string& text, const Font& font);
// Breaks at spaces so that each line is at most `width` wide; longer words keep a line of their
// own.
std::vector<std::string> wrap(const std::string& text, double width, const Font& font);
inline double line_height(const Font& font) { return 1.3 * font.size; }

class Paper {
 public:
  Paper(double width, double height, Caller at = Caller::here());
  ~Paper();

  void fill(const Box& box, const Colour& colour, double opacity = 1);
  void frame(const Box& box, const Colour& colour, double width = 0.5);
  // `dash` is the length of strokes and gaps; 0 draws through.
  void line(const std::vector<Point>& points, const Colour& colour, double width = 1,
            double dash = 0);
  void polygon(const std::vector<Point>& points, const Colour& colour, double opacity = 1);
  void disc(Point centre, double radius, const Colour& colour, double opacity = 1);
  // Fills the box. Enlarged pixel by pixel, or smoothly.
  void picture(const Box& box, const Picture& picture, bool smooth);
  // `at` is on the baseline; `turn` in degrees, anticlockwise.
  void text(Point at, const std::string& text, const Font& font, Align align = Align::left,
            double turn = 0);
  // Lines below each other; at.y is the top of the first.
  void lines(Point at, const std::vector<std::string>& lines, const Font& font,
             Align align = Align::left);
  // Until the end of the scope that holds the result, nothing is drawn outside the box.
  std::shared_ptr<void> clip(const Box& box);

  Picture result() const;

 private:
  struct Sheet;
  std::unique_ptr<Sheet> sheet_;
};

}  // namespace strata::draw
