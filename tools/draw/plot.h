// How each kind of content checks, measures and draws itself; figure.cpp places them.
#pragma once

#include "tools/draw/figure.h"
#include "tools/draw/paper.h"

namespace strata::draw {

struct PlotStyle {
  double height = 168;  // points, of the plot without what is written around it
  Range range = {};     // of colours
};

// Outer size, and where in it the plot itself stands: titles are centred over that.
struct PlotSize {
  double width = 0, height = 0;
  Box plot = {};
};

// What is wrong with a content, empty if nothing.
std::string complaint(const Image& image);
std::string complaint(const HeatMap& map);
std::string complaint(const LineChart& chart);
std::string complaint(const Matrix& matrix);
std::string complaint(const Scatter& scatter);

PlotSize measure(const Image& image, const PlotStyle& style);
PlotSize measure(const HeatMap& map, const PlotStyle& style);
PlotSize measure(const LineChart& chart, const PlotStyle& style);
PlotSize measure(const Matrix& matrix, const PlotStyle& style);
PlotSize measure(const Scatter& scatter, const PlotStyle& style);

// `corner` is the upper left of the outer size.
void draw(Paper& paper, Point corner, const Image& image, const PlotStyle& style);
void draw(Paper& paper, Point corner, const HeatMap& map, const PlotStyle& style);
void draw(Paper& paper, Point corner, const LineChart& chart, const PlotStyle& style);
void draw(Paper& paper, Point corner, const Matrix& matrix, const PlotStyle& style);
void draw(Paper& paper, Point corner, const Scatter& scatter, const PlotStyle& style);

// A legend's entries below each other: name and colour; lines with a dash, or dots.
struct LegendEntry {
  std::string name;
  Colour colour;
  double dash = 0;
};
double legend_width(const std::vector<LegendEntry>& entries);
double legend_height(const std::vector<LegendEntry>& entries);
void draw_legend(Paper& paper, Point corner, const std::vector<LegendEntry>& entries, bool dots);

}  // namespace strata::draw
