#include "tools/draw/paper.h"

#include <cairo/cairo.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <sstream>

#ifdef __SANITIZE_ADDRESS__
// fontconfig keeps pointers as offsets, which the leak checker takes for lost.
extern "C" const char* __lsan_default_suppressions() { return "leak:libfontconfig\n"; }
#endif

namespace strata::draw {
namespace {

void ink_with(cairo_t* pen, const Colour& colour, double opacity = 1) {
  cairo_set_source_rgba(pen, colour.red, colour.green, colour.blue, opacity);
}

// A word that is too wide, in pieces that end at its dots and dashes: paths of layers are such
// words.
std::vector<std::string> pieces_of(const std::string& word, double width, const Font& font) {
  if (text_width(word, font) <= width) return {word};
  std::vector<std::string> pieces(1);
  for (char letter : word) {
    pieces.back() += letter;
    if (std::string("._/-").find(letter) != std::string::npos) pieces.emplace_back();
  }
  if (pieces.back().empty()) pieces.pop_back();
  return pieces;
}

void choose(cairo_t* pen, const Font& font) {
  cairo_select_font_face(pen, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                         font.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
  cairo_set_font_size(pen, font.size);
  // Hinting would fit letters to the pixels of a screen, and make widths depend on the scale.
  cairo_font_options_t* options = cairo_font_options_create();
  cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
  cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
  cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
  cairo_set_font_options(pen, options);
  cairo_font_options_destroy(options);
}

}  // namespace

struct Paper::Sheet {
  cairo_surface_t* surface;
  cairo_t* pen;
  Sheet(int width, int height)
      : surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height)),
        pen(cairo_create(surface)) {}
  Sheet(const Sheet&) = delete;
  ~Sheet() {
    cairo_destroy(pen);
    cairo_surface_destroy(surface);
  }
};

double text_width(const std::string& text, const Font& font) {
  cairo_surface_t* surface = cairo_image_surface_create(CAIRO_FORMAT_A8, 1, 1);
  cairo_t* pen = cairo_create(surface);
  choose(pen, font);
  cairo_text_extents_t extents;
  cairo_text_extents(pen, text.c_str(), &extents);
  cairo_destroy(pen);
  cairo_surface_destroy(surface);
  return extents.x_advance;
}

std::vector<std::string> wrap(const std::string& text, double width, const Font& font) {
  std::vector<std::string> lines;
  std::istringstream paragraphs(text);
  for (std::string paragraph; std::getline(paragraphs, paragraph);) {
    std::istringstream words(paragraph);
    std::string line;
    for (std::string word; words >> word;) {
      std::string space = line.empty() ? "" : " ";
      for (const std::string& piece : pieces_of(word, width, font)) {
        std::string longer = line + space + piece;
        if (!line.empty() && text_width(longer, font) > width) {
          lines.push_back(line);
          longer = piece;
        }
        line = longer;
        space.clear();
      }
    }
    lines.push_back(line);
  }
  return lines;
}

Paper::Paper(double width, double height, Caller at) {
  int columns = static_cast<int>(std::ceil(width * pixels_per_point));
  int rows = static_cast<int>(std::ceil(height * pixels_per_point));
  sheet_ = std::make_unique<Sheet>(columns, rows);
  if (cairo_status_t status = cairo_status(sheet_->pen); status != CAIRO_STATUS_SUCCESS) {
    fail("draw", at, "a sheet of {} x {} pixels cannot be made: {}", columns, rows,
         cairo_status_to_string(status));
  }
  cairo_scale(sheet_->pen, pixels_per_point, pixels_per_point);
  fill({0, 0, width + 1, height + 1}, {1, 1, 1});
}

Paper::~Paper() = default;

void Paper::fill(const Box& box, const Colour& colour, double opacity) {
  ink_with(sheet_->pen, colour, opacity);
  cairo_rectangle(sheet_->pen, box.x, box.y, box.width, box.height);
  cairo_fill(sheet_->pen);
}

void Paper::frame(const Box& box, const Colour& colour, double width) {
  ink_with(sheet_->pen, colour);
  cairo_set_line_width(sheet_->pen, width);
  cairo_rectangle(sheet_->pen, box.x - width / 2, box.y - width / 2, box.width + width,
                  box.height + width);
  cairo_stroke(sheet_->pen);
}

void Paper::line(const std::vector<Point>& points, const Colour& colour, double width,
                 double dash) {
  if (points.empty()) return;
  cairo_t* pen = sheet_->pen;
  ink_with(pen, colour);
  cairo_set_line_width(pen, width);
  cairo_set_line_join(pen, CAIRO_LINE_JOIN_ROUND);
  cairo_set_dash(pen, &dash, dash > 0 ? 1 : 0, 0);
  cairo_new_path(pen);  // text leaves its end behind
  for (const Point& p : points) cairo_line_to(pen, p.x, p.y);
  cairo_stroke(pen);
  cairo_set_dash(pen, nullptr, 0, 0);
}

void Paper::polygon(const std::vector<Point>& points, const Colour& colour, double opacity) {
  ink_with(sheet_->pen, colour, opacity);
  cairo_new_path(sheet_->pen);
  for (const Point& p : points) cairo_line_to(sheet_->pen, p.x, p.y);
  cairo_close_path(sheet_->pen);
  cairo_fill(sheet_->pen);
}

void Paper::disc(Point centre, double radius, const Colour& colour, double opacity) {
  ink_with(sheet_->pen, colour, opacity);
  cairo_new_path(sheet_->pen);
  cairo_arc(sheet_->pen, centre.x, centre.y, radius, 0, 2 * std::numbers::pi);
  cairo_fill(sheet_->pen);
}

void Paper::picture(const Box& box, const Picture& given, bool smooth) {
  int64_t height = std::max<int64_t>(1, std::lround(box.height * pixels_per_point));
  int64_t width = std::max<int64_t>(1, std::lround(box.width * pixels_per_point));
  bool shrinks = given.height > height || given.width > width;
  Picture rgb = to_rgb(smooth || shrinks ? resize(given, height, width) : given);
  int rows = static_cast<int>(rgb.height), columns = static_cast<int>(rgb.width);
  cairo_surface_t* source = cairo_image_surface_create(CAIRO_FORMAT_RGB24, columns, rows);
  unsigned char* out = cairo_image_surface_get_data(source);
  int stride = cairo_image_surface_get_stride(source);
  const uint8_t* in = rgb.pixels.data();
  for (int y = 0; y < rows; ++y) {
    auto* row = reinterpret_cast<uint32_t*>(out + static_cast<ptrdiff_t>(y) * stride);
    for (int x = 0; x < columns; ++x, in += 3) {
      row[x] = uint32_t{in[0]} << 16 | uint32_t{in[1]} << 8 | in[2];
    }
  }
  cairo_surface_mark_dirty(source);
  cairo_t* pen = sheet_->pen;
  cairo_save(pen);
  cairo_translate(pen, box.x, box.y);
  cairo_scale(pen, box.width / columns, box.height / rows);
  cairo_set_source_surface(pen, source, 0, 0);
  cairo_pattern_set_filter(cairo_get_source(pen), CAIRO_FILTER_NEAREST);
  cairo_pattern_set_extend(cairo_get_source(pen), CAIRO_EXTEND_PAD);
  cairo_rectangle(pen, 0, 0, columns, rows);
  cairo_fill(pen);
  cairo_restore(pen);
  cairo_surface_destroy(source);
}

void Paper::text(Point at, const std::string& text, const Font& font, Align align, double turn) {
  cairo_t* pen = sheet_->pen;
  double share = align == Align::left ? 0 : align == Align::centre ? 0.5 : 1;
  double back = share * text_width(text, font);
  cairo_save(pen);
  choose(pen, font);
  ink_with(pen, font.colour);
  cairo_translate(pen, at.x, at.y);
  cairo_rotate(pen, -turn * std::numbers::pi / 180);
  cairo_move_to(pen, -back, 0);
  cairo_show_text(pen, text.c_str());
  cairo_restore(pen);
}

void Paper::lines(Point at, const std::vector<std::string>& lines, const Font& font, Align align) {
  for (const std::string& line : lines) {
    text({at.x, at.y + font.size}, line, font, align);
    at.y += line_height(font);
  }
}

std::shared_ptr<void> Paper::clip(const Box& box) {
  cairo_t* pen = sheet_->pen;
  cairo_save(pen);
  cairo_rectangle(pen, box.x, box.y, box.width, box.height);
  cairo_clip(pen);
  return std::shared_ptr<void>(pen, [](void* p) { cairo_restore(static_cast<cairo_t*>(p)); });
}

Picture Paper::result() const {
  cairo_surface_flush(sheet_->surface);
  int rows = cairo_image_surface_get_height(sheet_->surface);
  int columns = cairo_image_surface_get_width(sheet_->surface);
  int stride = cairo_image_surface_get_stride(sheet_->surface);
  const unsigned char* in = cairo_image_surface_get_data(sheet_->surface);
  Picture out{rows, columns, 3, {}};
  out.pixels.reserve(static_cast<size_t>(rows) * static_cast<size_t>(columns) * 3);
  for (int y = 0; y < rows; ++y) {
    auto* row = reinterpret_cast<const uint32_t*>(in + static_cast<ptrdiff_t>(y) * stride);
    for (int x = 0; x < columns; ++x) {
      for (int shift : {16, 8, 0}) out.pixels.push_back(static_cast<uint8_t>(row[x] >> shift));
    }
  }
  return out;
}

}  // namespace strata::draw
