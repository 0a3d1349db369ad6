// Line charts and scatter plots: axes, legends, points.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/ops/random.h"
#include "tools/draw/plot.h"
#include "tools/draw/scale.h"

namespace strata::draw {
namespace {

const Font tick_font{.size = 8, .colour = pale_ink}, label_font{.size = 8.5},
    legend_font{.size = 8};
constexpr double aspect = 1.45, gap = 3, legend_gap = 12, sample = 14;

struct Extent {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool seen() const { return high >= low; }
};

// One axis: from value to place in [0, 1], and its ticks.
struct Axis {
  double low, high;
  bool logarithmic;
  std::vector<double> ticks;
  std::vector<std::string> texts;
  double place(double value) const {
    if (logarithmic) return (std::log(value) - std::log(low)) / (std::log(high) - std::log(low));
    return (value - low) / (high - low);
  }
};

Axis make_axis(Extent extent, const std::optional<Range>& wanted, bool logarithmic, int count) {
  if (wanted) extent = {wanted->low, wanted->high};
  if (!extent.seen()) extent = {logarithmic ? 0.1 : 0.0, 1};
  if (extent.high == extent.low) {
    double margin = extent.low == 0 ? 1 : std::abs(extent.low) / 2;
    extent = {extent.low - margin, extent.high + margin};
  }
  Axis axis{extent.low, extent.high, logarithmic, {}, {}};
  if (logarithmic) {
    if (!wanted) {
      axis.low = std::pow(10, std::floor(std::log10(axis.low) + 1e-9));
      axis.high = std::pow(10, std::ceil(std::log10(axis.high) - 1e-9));
      if (axis.low == axis.high) axis.high *= 10;
    }
    axis.ticks = decade_ticks(axis.low, axis.high, count);
    for (double tick : axis.ticks) axis.texts.push_back(number_text(tick));
    return axis;
  }
  axis.ticks = round_ticks(axis.low, axis.high, count);
  double step = axis.ticks.size() > 1 ? axis.ticks[1] - axis.ticks[0] : axis.high - axis.low;
  if (!wanted) {  // up to the next round number where that is near
    double below = std::floor(axis.low / step + 1e-9) * step;
    double above = std::ceil(axis.high / step - 1e-9) * step;
    axis.low = axis.low - below < step / 2 ? below : axis.low - step * 0.1;
    axis.high = above - axis.high < step / 2 ? above : axis.high + step * 0.1;
    axis.ticks = round_ticks(axis.low, axis.high, count);
  }
  step = axis.ticks.size() > 1 ? axis.ticks[1] - axis.ticks[0] : axis.high - axis.low;
  for (double tick : axis.ticks) axis.texts.push_back(tick_text(tick, step));
  return axis;
}

struct ChartAxes {
  Axis x, y;
};

ChartAxes axes_of(const LineChart& chart) {
  Extent x, y;
  auto add_y = [&](double value) {
    if (!chart.log_y || value > 0) y.add(value);
  };
  for (const Curve& curve : chart.curves) {
    for (double v : curve.x) x.add(v);
    for (double v : curve.y) add_y(v);
    for (double v : curve.low) add_y(v);
    for (double v : curve.high) add_y(v);
  }
  std::optional<Range> across = chart.x_range;
  if (!across && x.seen() && x.high > x.low) across = Range{x.low, x.high};
  return {make_axis(x, across, false, 6), make_axis(y, chart.y_range, chart.log_y, 5)};
}

Colour curve_colour(size_t i) { return category(static_cast<int64_t>(i)); }
double curve_dash(size_t i) {
  return 3.0 * static_cast<double>(static_cast<int64_t>(i) / categories);
}

std::vector<LegendEntry> legend_of(const LineChart& chart) {
  std::vector<LegendEntry> entries;
  for (size_t i = 0; i < chart.curves.size(); ++i) {
    if (!chart.curves[i].name.empty()) {
      entries.push_back({chart.curves[i].name, curve_colour(i), curve_dash(i)});
    }
  }
  return entries;
}

std::vector<LegendEntry> legend_of(const Scatter& scatter) {
  std::vector<LegendEntry> entries;
  for (size_t i = 0; i < scatter.names.size(); ++i) {
    entries.push_back({scatter.names[i], curve_colour(i)});
  }
  return entries;
}

void draw_axes(Paper& paper, const Box& plot, const Axis& x, const Axis& y) {
  for (size_t i = 0; i < y.ticks.size(); ++i) {
    double at = plot.bottom() - y.place(y.ticks[i]) * plot.height;
    paper.line({{plot.x, at}, {plot.right(), at}}, grid_ink, 0.6);
    paper.text({plot.x - gap - 1, at + tick_font.size * 0.36}, y.texts[i], tick_font, Align::right);
  }
  for (size_t i = 0; i < x.ticks.size(); ++i) {
    double at = plot.x + x.place(x.ticks[i]) * plot.width;
    paper.line({{at, plot.bottom()}, {at, plot.bottom() + gap}}, pale_ink, 0.6);
    paper.text({at, plot.bottom() + gap + 1 + tick_font.size}, x.texts[i], tick_font,
               Align::centre);
  }
  paper.line({{plot.x, plot.bottom()}, {plot.right(), plot.bottom()}}, pale_ink, 0.8);
}

// Pieces of a curve between values that cannot be drawn.
std::vector<std::vector<Point>> pieces(const std::vector<double>& xs, const std::vector<double>& ys,
                                       const ChartAxes& axes, const Box& plot) {
  std::vector<std::vector<Point>> out(1);
  for (size_t i = 0; i < xs.size(); ++i) {
    bool drawn = std::isfinite(xs[i]) && std::isfinite(ys[i]);
    if (axes.y.logarithmic && ys[i] <= 0) drawn = false;
    if (!drawn) {
      out.emplace_back();
      continue;
    }
    out.back().push_back({plot.x + axes.x.place(xs[i]) * plot.width,
                          plot.bottom() - axes.y.place(ys[i]) * plot.height});
  }
  return out;
}

void draw_curve(Paper& paper, const Curve& curve, size_t index, const ChartAxes& axes,
                const Box& plot) {
  if (!curve.low.empty()) {
    auto above = pieces(curve.x, curve.high, axes, plot);
    auto below = pieces(curve.x, curve.low, axes, plot);
    if (above.size() == 1 && below.size() == 1) {
      std::vector<Point> outline = above[0];
      outline.insert(outline.end(), below[0].rbegin(), below[0].rend());
      paper.polygon(outline, curve_colour(index), 0.18);
    }
  }
  for (const auto& piece : pieces(curve.x, curve.y, axes, plot)) {
    paper.line(piece, curve_colour(index), 1.5, curve_dash(index));
    if (piece.size() == 1) paper.disc(piece[0], 1.8, curve_colour(index));
  }
}

}  // namespace

double legend_width(const std::vector<LegendEntry>& entries) {
  double widest = 0;
  for (const auto& entry : entries) widest = std::max(widest, text_width(entry.name, legend_font));
  return entries.empty() ? 0 : legend_gap + sample + 5 + widest;
}

double legend_height(const std::vector<LegendEntry>& entries) {
  return static_cast<double>(entries.size()) * 1.5 * legend_font.size;
}

void draw_legend(Paper& paper, Point corner, const std::vector<LegendEntry>& entries, bool dots) {
  double x = corner.x + legend_gap, y = corner.y + 0.75 * legend_font.size;
  for (const auto& entry : entries) {
    if (dots) {
      paper.disc({x + sample - 4, y}, 3, entry.colour);
    } else {
      paper.line({{x, y}, {x + sample, y}}, entry.colour, 1.5, entry.dash);
    }
    paper.text({x + sample + 5, y + legend_font.size * 0.36}, entry.name, legend_font);
    y += 1.5 * legend_font.size;
  }
}

std::string complaint(const LineChart& chart) {
  for (const Curve& curve : chart.curves) {
    bool banded = !curve.low.empty() || !curve.high.empty();
    if (curve.x.size() != curve.y.size() ||
        (banded && (curve.low.size() != curve.x.size() || curve.high.size() != curve.x.size()))) {
      return fmt::format(
          "curve '{}' has {} x for {} y and a band of {} and {}; expected as many of each",
          curve.name, curve.x.size(), curve.y.size(), curve.low.size(), curve.high.size());
    }
  }
  return chart.curves.empty() ? "the chart has no curves" : "";
}

PlotSize measure(const LineChart& chart, const PlotStyle& style) {
  double left = 0;
  for (const auto& text : axes_of(chart).y.texts) {
    left = std::max(left, text_width(text, tick_font));
  }
  left += gap + 1;
  if (!chart.y_label.empty()) left += line_height(label_font) + 2;
  double below = gap + 1 + line_height(tick_font);
  if (!chart.x_label.empty()) below += line_height(label_font);
  double legend = legend_width(legend_of(chart)), width = style.height * aspect;
  double right = legend > 0 ? legend : tick_font.size;  // half of the last tick's number
  double height = std::max(style.height + below, legend_height(legend_of(chart)));
  return {left + width + right, height, {left, 0, width, style.height}};
}

void draw(Paper& paper, Point corner, const LineChart& chart, const PlotStyle& style) {
  PlotSize size = measure(chart, style);
  ChartAxes axes = axes_of(chart);
  Box plot{corner.x + size.plot.x, corner.y + size.plot.y, size.plot.width, size.plot.height};
  draw_axes(paper, plot, axes.x, axes.y);
  {
    auto inside = paper.clip({plot.x - 2, plot.y - 2, plot.width + 4, plot.height + 4});
    for (size_t i = 0; i < chart.curves.size(); ++i) {
      draw_curve(paper, chart.curves[i], i, axes, plot);
    }
  }
  draw_legend(paper, {plot.right(), plot.y}, legend_of(chart), false);
  if (!chart.x_label.empty()) {
    double y = plot.bottom() + gap + 1 + line_height(tick_font) + label_font.size;
    paper.text({plot.centre().x, y}, chart.x_label, label_font, Align::centre);
  }
  if (!chart.y_label.empty()) {
    paper.text({corner.x + label_font.size, plot.centre().y}, chart.y_label, label_font,
               Align::centre, 90);
  }
}

std::string complaint(const Scatter& scatter) {
  const Tensor& points = scatter.points;
  if (!points.defined() || points.rank() != 2 || points.size(1) != 2) {
    return fmt::format("the points are {}; expected [N, 2]",
                       points.defined() ? describe(points) : "undefined");
  }
  if (!scatter.classes.empty() && static_cast<int64_t>(scatter.classes.size()) != points.size(0)) {
    return fmt::format("{} classes for {} points", scatter.classes.size(), points.size(0));
  }
  auto classes = static_cast<int64_t>(scatter.names.size());
  for (int64_t c : scatter.classes) {
    if (c < 0 || (classes > 0 && c >= classes)) {
      return fmt::format("class {} of a point has no name: there are {}", c, classes);
    }
  }
  return "";
}

PlotSize measure(const Scatter& scatter, const PlotStyle& style) {
  double side = style.height * 1.4;
  double left = scatter.y_label.empty() ? 0 : line_height(label_font) + 2;
  double below = scatter.x_label.empty() ? 0 : line_height(label_font) + 2;
  auto legend = legend_of(scatter);
  double height = std::max(side + below, legend_height(legend));
  return {left + side + legend_width(legend), height, {left, 0, side, side}};
}

// Distances are what an embedding shows, so both axes have one scale, and no numbers.
void draw(Paper& paper, Point corner, const Scatter& scatter, const PlotStyle& style) {
  PlotSize size = measure(scatter, style);
  Box plot{corner.x + size.plot.x, corner.y + size.plot.y, size.plot.width, size.plot.height};
  std::vector<double> at = scatter.points.to_vector<double>();
  Extent x, y;
  for (size_t i = 0; i + 1 < at.size(); i += 2) {
    x.add(at[i]);
    y.add(at[i + 1]);
  }
  int64_t count = scatter.points.size(0);
  double span = x.seen() ? std::max({x.high - x.low, y.high - y.low, 1e-12}) : 1;
  double scale = plot.width * 0.94 / span;
  double radius = std::clamp(42 / std::sqrt(static_cast<double>(count) + 1), 0.8, 3.0);
  Generator order(1);  // so that the class that comes last does not cover the others
  for (int64_t i : randperm(count, &order).to_vector<int64_t>()) {
    auto k = static_cast<size_t>(2 * i);
    if (!std::isfinite(at[k]) || !std::isfinite(at[k + 1])) continue;
    Point p{plot.centre().x + (at[k] - (x.low + x.high) / 2) * scale,
            plot.centre().y - (at[k + 1] - (y.low + y.high) / 2) * scale};
    int64_t colour = scatter.classes.empty() ? 0 : scatter.classes[static_cast<size_t>(i)];
    paper.disc(p, radius, category(colour), 0.75);
  }
  paper.frame(plot, grid_ink, 0.8);
  draw_legend(paper, {plot.right(), plot.y}, legend_of(scatter), true);
  if (!scatter.x_label.empty()) {
    paper.text({plot.centre().x, plot.bottom() + 2 + label_font.size}, scatter.x_label, label_font,
               Align::centre);
  }
  if (!scatter.y_label.empty()) {
    paper.text({corner.x + label_font.size, plot.centre().y}, scatter.y_label, label_font,
               Align::centre, 90);
  }
}

}  // namespace strata::draw
