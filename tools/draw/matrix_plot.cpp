// Matrices: one coloured cell a number, with names of rows and columns.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/draw/plot.h"

namespace strata::draw {
namespace {

const Font label_font{.size = 8}, title_font{.size = 8.5, .colour = pale_ink};
constexpr double gap = 4, slant = 45;

double widest(const std::vector<std::string>& labels) {
  double width = 0;
  for (const auto& label : labels) width = std::max(width, text_width(label, label_font));
  return width;
}

double cell_size(const Matrix& matrix, const PlotStyle& style) {
  auto longer = static_cast<double>(std::max(matrix.values.size(0), matrix.values.size(1)));
  bool named = !matrix.row_labels.empty() || !matrix.column_labels.empty();
  return std::clamp(style.height / longer, named ? 11.0 : 1.0, 34.0);
}

// Column labels stand upright where they fit, slanted otherwise.
bool slanted(const Matrix& matrix, double cell) { return widest(matrix.column_labels) > cell - 3; }

// "−.04", ".73", "1.20", "57"; what is larger is left to the colours.
std::string cell_text(double value) {
  double magnitude = std::abs(value);
  std::string text = fmt::format("{:.{}f}", magnitude, magnitude < 9.995 ? 2 : 0);
  if (magnitude < 0.995) text = text.substr(1);
  return value < 0 && magnitude >= 0.005 ? "−" + text : text;
}

bool numbers_fit(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::abs(v) < 999.5; });
}

void draw_numbers(Paper& paper, const Box& plot, const std::vector<double>& values, int64_t columns,
                  double cell, const PlotStyle& style, bool coloured) {
  double size = std::min(8.0, cell * 0.36);
  for (size_t i = 0; i < values.size(); ++i) {
    auto row = static_cast<double>(static_cast<int64_t>(i) / columns);
    auto column = static_cast<double>(static_cast<int64_t>(i) % columns);
    bool dark = coloured && to_oklab(style.range.colour(values[i])).lightness < 0.62;
    Font font{.size = size, .colour = dark ? Colour{1, 1, 1} : ink};
    paper.text({plot.x + (column + 0.5) * cell, plot.y + (row + 0.5) * cell + size * 0.36},
               cell_text(values[i]), font, Align::centre);
  }
}

void draw_labels(Paper& paper, const Box& plot, const Matrix& matrix, double cell) {
  for (size_t r = 0; r < matrix.row_labels.size(); ++r) {
    double y = plot.y + (static_cast<double>(r) + 0.5) * cell + label_font.size * 0.36;
    paper.text({plot.x - gap, y}, matrix.row_labels[r], label_font, Align::right);
  }
  bool turned = slanted(matrix, cell);
  for (size_t c = 0; c < matrix.column_labels.size(); ++c) {
    double x = plot.x + (static_cast<double>(c) + 0.5) * cell;
    double y = plot.bottom() + gap + label_font.size * 0.7;
    if (turned) {
      paper.text({x + label_font.size * 0.3, y}, matrix.column_labels[c], label_font, Align::right,
                 slant);
    } else {
      paper.text({x, y}, matrix.column_labels[c], label_font, Align::centre);
    }
  }
}

}  // namespace

std::string complaint(const Matrix& matrix) {
  const Tensor& values = matrix.values;
  if (!values.defined() || values.rank() != 2 || values.numel() == 0) {
    return fmt::format("the matrix is {}; expected [R, C]",
                       values.defined() ? describe(values) : "undefined");
  }
  auto wrong = [](const std::vector<std::string>& labels, int64_t size) {
    return !labels.empty() && static_cast<int64_t>(labels.size()) != size;
  };
  if (wrong(matrix.row_labels, values.size(0)) || wrong(matrix.column_labels, values.size(1))) {
    return fmt::format("{} row and {} column labels for a matrix {}", matrix.row_labels.size(),
                       matrix.column_labels.size(), describe(values));
  }
  return "";
}

PlotSize measure(const Matrix& matrix, const PlotStyle& style) {
  double cell = cell_size(matrix, style);
  double rows = cell * static_cast<double>(matrix.values.size(0));
  double columns = cell * static_cast<double>(matrix.values.size(1));
  double left = matrix.row_labels.empty() ? 0 : widest(matrix.row_labels) + gap;
  double below = 0;
  if (!matrix.column_labels.empty()) {
    double lean = widest(matrix.column_labels) * std::sqrt(0.5);
    bool turned = slanted(matrix, cell);
    below = gap + line_height(label_font) + (turned ? lean : 0);
    if (turned) left = std::max(left, lean - cell / 2);
  }
  if (!matrix.row_title.empty()) left += line_height(title_font) + 2;
  if (!matrix.column_title.empty()) below += line_height(title_font) + 2;
  return {left + columns, rows + below, {left, 0, columns, rows}};
}

void draw(Paper& paper, Point corner, const Matrix& matrix, const PlotStyle& style) {
  PlotSize size = measure(matrix, style);
  double cell = cell_size(matrix, style);
  Box plot{corner.x + size.plot.x, corner.y + size.plot.y, size.plot.width, size.plot.height};
  std::vector<double> values = matrix.values.to_vector<double>();
  Picture colours{matrix.values.size(0), matrix.values.size(1), 3, {}};
  for (double value : values) {
    Colour colour = matrix.coloured ? style.range.colour(value) : Colour{1, 1, 1};
    for (uint8_t byte : bytes(colour)) colours.pixels.push_back(byte);
  }
  paper.picture(plot, colours, false);
  paper.frame(plot, pale_ink, 0.4);
  if (matrix.numbers && cell >= 17 && numbers_fit(values)) {
    draw_numbers(paper, plot, values, colours.width, cell, style, matrix.coloured);
  }
  draw_labels(paper, plot, matrix, cell);
  if (!matrix.row_title.empty()) {
    paper.text({corner.x + title_font.size, plot.centre().y}, matrix.row_title, title_font,
               Align::centre, 90);
  }
  if (!matrix.column_title.empty()) {
    paper.text({plot.centre().x, corner.y + size.height - 2}, matrix.column_title, title_font,
               Align::centre);
  }
}

}  // namespace strata::draw
