// Line plots as text: eight dots a character (Unicode's braille patterns, U+2800), for a terminal.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace strata::watch {

struct Series {
  std::string name;
  std::vector<std::pair<double, double>> points;  // x rising; a y that is not finite is a gap
  bool marks = false;                             // single marks instead of a line
};

struct PlotOptions {
  int width = 60, height = 8;  // characters, axes included
  bool from_zero = false;      // the lower end of the y axis
  bool ascii = false;          // '*' and 'o' for terminals that have no braille
  double x_end = 0;            // the right end of the x axis, if the points do not reach it
};

// `height` lines of `width` characters: labels of the y axis at the left, of the x axis below. A
// plot with nothing to show says so.
std::vector<std::string> line_plot(const std::vector<Series>& series, const PlotOptions& options);

// Columns that a UTF-8 text takes, for texts of characters one column wide.
int columns_of(const std::string& text);
// Cut or filled up with spaces to so many columns.
std::string fitted(const std::string& text, int columns);

}  // namespace strata::watch
