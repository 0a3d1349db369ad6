#include "tools/watch/line_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace strata::watch {
namespace {

constexpr int label_width = 10, dots_across = 2, dots_down = 4;

// The braille bit of each dot of a character: Unicode numbers the upper six by column.
constexpr uint8_t dot_bit[dots_down][dots_across] = {
    {0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void include(double v) { low = std::min(low, v), high = std::max(high, v); }
  bool empty() const { return low > high; }
  double place(double v) const { return (v - low) / (high - low); }
};

class Canvas {
 public:
  Canvas(int width, int height)
      : width_(width),
        height_(height),
        dots_(static_cast<size_t>(width * height)),
        marks_(dots_.size()) {}

  // x and y from 0 to 1, from the lower left.
  int column(double x) const {
    return static_cast<int>(std::lround(x * (width_ * dots_across - 1)));
  }
  int row(double y) const {
    return static_cast<int>(std::lround((1 - y) * (height_ * dots_down - 1)));
  }
  void mark(int x, int y) { marks_[cell(x, y)] = true; }
  void line(int x0, int y0, int x1, int y1) {
    const int steps = std::max({std::abs(x1 - x0), std::abs(y1 - y0), 1});
    for (int i = 0; i <= steps; ++i)
      dot(x0 + static_cast<int>(std::lround(double(x1 - x0) * i / steps)),
          y0 + static_cast<int>(std::lround(double(y1 - y0) * i / steps)));
  }
  std::string text(int row, bool ascii) const {
    std::string out;
    for (int x = 0; x < width_; ++x) {
      const auto at = static_cast<size_t>(row * width_ + x);
      if (marks_[at]) {
        out += ascii ? "o" : "●";
      } else if (!dots_[at]) {
        out += ' ';
      } else if (ascii) {
        out += '*';
      } else {  // U+2800 + dots, in UTF-8
        out += {'\xe2', static_cast<char>(0xa0 | dots_[at] >> 6),
                static_cast<char>(0x80 | (dots_[at] & 0x3f))};
      }
    }
    return out;
  }

 private:
  size_t cell(int x, int y) const {
    return static_cast<size_t>(y / dots_down * width_ + x / dots_across);
  }
  void dot(int x, int y) { dots_[cell(x, y)] |= dot_bit[y % dots_down][x % dots_across]; }

  int width_, height_;
  std::vector<uint8_t> dots_;
  std::vector<bool> marks_;
};

void draw(Canvas& canvas, const Series& series, const Range& x, const Range& y) {
  bool before = false;
  int last_x = 0, last_y = 0;
  for (auto& [px, py] : series.points) {
    if (!std::isfinite(py)) {
      before = false;
      continue;
    }
    const int at_x = canvas.column(x.place(px)), at_y = canvas.row(y.place(py));
    if (series.marks) {
      canvas.mark(at_x, at_y);
    } else {
      canvas.line(before ? last_x : at_x, before ? last_y : at_y, at_x, at_y);
    }
    before = true;
    last_x = at_x;
    last_y = at_y;
  }
}

std::string axis_label(double v) { return fmt::format("{:>{}.3g} ", v, label_width - 2); }

}  // namespace

int columns_of(const std::string& text) {
  return static_cast<int>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::string fitted(const std::string& text, int columns) {
  std::string out;
  int used = 0;
  for (char c : text) {
    const bool starts = (c & 0xc0) != 0x80;
    if (starts && used == columns) return out;
    used += starts;
    out += c;
  }
  return out + std::string(static_cast<size_t>(std::max(0, columns - used)), ' ');
}

std::vector<std::string> line_plot(const std::vector<Series>& series, const PlotOptions& o) {
  const int width = o.width - label_width - 1, height = o.height - 2;
  Range x, y;
  for (const Series& s : series) {
    for (auto& [px, py] : s.points) {
      if (!std::isfinite(py)) continue;
      x.include(px);
      y.include(py);
    }
  }
  std::vector<std::string> lines;
  if (y.empty() || width < 4 || height < 1) {
    lines.assign(static_cast<size_t>(std::max(0, o.height)), fitted("", o.width));
    if (!lines.empty()) lines[0] = fitted(y.empty() ? "  nothing yet" : "  too narrow", o.width);
    return lines;
  }
  x.include(0);
  x.include(o.x_end);
  if (o.from_zero) y.include(0);
  if (x.low == x.high) x.high = x.low + 1;
  if (y.low == y.high) y.high = y.low + std::max(1e-6, std::abs(y.low) * 0.1);
  Canvas canvas(width, height);
  for (const Series& s : series) draw(canvas, s, x, y);
  for (int row = 0; row < height; ++row) {
    const std::string label = row == 0            ? axis_label(y.high)
                              : row == height - 1 ? axis_label(y.low)
                                                  : std::string(label_width - 1, ' ');
    lines.push_back(label + (o.ascii ? "|" : "│") + canvas.text(row, o.ascii) + " ");
  }
  std::string base(label_width - 1, ' ');
  base += o.ascii ? "+" : "└";
  for (int i = 0; i < width; ++i) base += o.ascii ? "-" : "─";
  lines.push_back(base + " ");
  const std::string first = fmt::format("{:g}", x.low), last = fmt::format("{:g}", x.high);
  lines.push_back(fmt::format("{}{}{:>{}} ", std::string(label_width, ' '), first, last,
                              width - static_cast<int>(first.size())));
  for (std::string& line : lines) line = fitted(line, o.width);
  return lines;
}

}  // namespace strata::watch
