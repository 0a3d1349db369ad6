// Figures: a grid of panels with titles, colour scales and a caption, drawn by cairo and written as
// PNG with two pixels a point.
//
//   Figure figure;
//   figure.title = "What the class depends on";
//   figure.rows.push_back({.panels = {{"Input", Image{photo}},
//                                     {"Grad-CAM, conv5", HeatMap{map, photo}}}});
//   figure.caption = "Target: ankle boot, 11.3.";
//   write_figure("out.png", figure);
//
// Colours mean numbers: heat maps and matrices of a row share one scale, whose bar stands at the
// end of the row. Values with a sign get a diverging map centred at zero, others a sequential one
// from zero. Nothing is normalised map by map unless a row asks for it, and then each panel has its
// own bar.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "engine/data/image_file.h"
#include "engine/tensor/tensor.h"
#include "tools/draw/colour_map.h"

namespace strata::draw {

// A picture, grey or in colour. Small ones are enlarged: pixel by pixel, or smoothly.
struct Image {
  Picture picture;
  bool smooth = false;
};

// values [H, W], floating. Over a picture (of any size; both fill the panel) the map is laid with
// this opacity; the picture is shown in grey there, so that all colour is the map's.
struct HeatMap {
  Tensor values;
  std::optional<Picture> under = {};
  double opacity = 0.6;
  bool smooth = false;  // interpolates values, not colours; half-pixel centres
};

// A line; its band, where given, is drawn lightly from low to high.
struct Curve {
  std::string name;
  std::vector<double> x, y;
  std::vector<double> low = {}, high = {};
};
struct LineChart {
  std::vector<Curve> curves;
  std::string x_label = {}, y_label = {};
  std::optional<Range> x_range = {}, y_range = {};  // the data's, widened to round numbers
  bool log_y = false;                               // values that are not positive are left out
};

// values [R, C], floating. Labels: one a row and one a column, or none. Numbers are written into
// the cells where they fit.
struct Matrix {
  Tensor values;
  std::vector<std::string> row_labels = {}, column_labels = {};
  std::string row_title = {}, column_title = {};
  bool numbers = true;
  bool coloured = true;  // false: a plain table, whose columns may be of different units
};

// points [N, 2], floating. classes: one a point, or none; names: one a class, shown in the legend.
struct Scatter {
  Tensor points;
  std::vector<int64_t> classes = {};
  std::vector<std::string> names = {};
  std::string x_label = {}, y_label = {};
};

struct Panel {
  std::string title;
  std::variant<Image, HeatMap, LineChart, Matrix, Scatter> content;
  std::string note = {};  // a line below: a score, a verdict
};

struct Row {
  std::vector<Panel> panels;
  std::string label = {};           // at the left, turned
  std::optional<Range> range = {};  // of the colours; the values' by default
  bool shared_scale = true;         // false: each panel has its own scale and bar
  double percentile = 100;          // of magnitudes, where the scale ends; larger ones saturate
  std::string scale_label = {};     // what the bar counts
};

struct Figure {
  std::string title = {};
  std::vector<Row> rows = {};
  std::string caption = {};
  double panel_size = 168;  // points: height of pictures, maps and plots
};

// The range of colours for these values: [-m, m] where one is negative, else [0, m]; m the
// percentile of the magnitudes. [0, 1] where all are zero. NaNs do not count.
Range range_of(const std::vector<Tensor>& values, double percentile = 100);

// A picture tensor [H, W, C], C 1 or 3, values in [low, high], to 8 bits.
Picture to_picture(const Tensor& image, Range range = {}, Caller at = Caller::here());

// A figure without panels, a content of the wrong shape, or labels that do not match are errors
// that name the panel.
Picture render(const Figure& figure, Caller at = Caller::here());
void write_figure(const std::string& path, const Figure& figure, Caller at = Caller::here());

}  // namespace strata::draw
