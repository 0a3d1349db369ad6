#include "tools/draw/figure.h"

#include <algorithm>
#include <cmath>

#include "tools/draw/plot.h"
#include "tools/draw/scale.h"

namespace strata::draw {
namespace {

const Font figure_font{.size = 13, .bold = true}, panel_font{.size = 9.5},
    note_font{.size = 8.5, .colour = pale_ink}, caption_font{.size = 9, .colour = pale_ink},
    row_font{.size = 9.5, .bold = true};
constexpr double margin = 16, between_panels = 14, between_rows = 16, title_gap = 4;

bool is_picture(const Panel& panel) {
  return std::holds_alternative<Image>(panel.content) ||
         std::holds_alternative<HeatMap>(panel.content);
}

// What a panel colours by a scale; undefined for the others.
Tensor coloured(const Panel& panel) {
  if (auto* map = std::get_if<HeatMap>(&panel.content)) return map->values;
  auto* matrix = std::get_if<Matrix>(&panel.content);
  return matrix && matrix->coloured ? matrix->values : Tensor();
}

// Pixels of the finest picture of a row, from which it gets its height.
int64_t finest(const Row& row) {
  int64_t pixels = 1;
  for (const Panel& panel : row.panels) {
    if (auto* image = std::get_if<Image>(&panel.content)) {
      pixels = std::max(pixels, image->picture.height);
    } else if (auto* map = std::get_if<HeatMap>(&panel.content)) {
      pixels = std::max({pixels, map->values.size(0), map->under ? map->under->height : 0});
    }
  }
  return pixels;
}

// Small pictures are enlarged by a whole number, so that all their pixels are equally large.
double picture_height(const Row& row, double wanted) {
  double pixels = static_cast<double>(finest(row)), device = wanted * pixels_per_point;
  double times = std::round(device / pixels);
  return times >= 1 ? times * pixels / pixels_per_point : wanted;
}

struct PlacedPanel {
  const Panel* panel;
  PlotStyle style;
  PlotSize size;
  std::vector<std::string> title, note;
  bool bar = false;
  double width = 0;  // with its bar
};

struct PlacedRow {
  const Row* row;
  std::vector<PlacedPanel> panels;
  double title_height = 0, height = 0;  // height: of the plots alone
  double note_height = 0, bar = 0;
  Range range;

  double total_height() const { return title_height + height + note_height; }
};

PlacedPanel place_panel(const Panel& panel, const PlotStyle& style, const Row& row) {
  PlacedPanel out{&panel, style, {}, {}, {}};
  out.size =
      std::visit([&](const auto& content) { return measure(content, style); }, panel.content);
  out.bar = !row.shared_scale && coloured(panel).defined();
  double text = std::max(out.size.plot.width, 60.0);
  out.title = wrap(panel.title, text, panel_font);
  out.note = wrap(panel.note, text, note_font);
  out.width = out.size.plot.x + std::max(out.size.width - out.size.plot.x, text);
  if (out.bar) out.width += bar_width(style.range, row.scale_label);
  return out;
}

PlacedRow place_row(const Row& row, double panel_size) {
  PlacedRow out{&row, {}, 0, 0, 0, 0, {}};
  std::vector<Tensor> shared;
  for (const Panel& panel : row.panels) {
    if (Tensor values = coloured(panel); values.defined()) shared.push_back(values);
  }
  out.range = row.range ? *row.range : range_of(shared, row.percentile);
  double pictures = picture_height(row, panel_size);
  for (const Panel& panel : row.panels) {
    Range range = out.range;
    if (!row.shared_scale && !row.range && coloured(panel).defined()) {
      range = range_of({coloured(panel)}, row.percentile);
    }
    PlotStyle style{is_picture(panel) ? pictures : panel_size, range};
    out.panels.push_back(place_panel(panel, style, row));
    const PlacedPanel& placed = out.panels.back();
    auto lines = [](const std::vector<std::string>& text, const Font& font) {
      return static_cast<double>(text.size()) * line_height(font);
    };
    out.title_height = std::max(
        out.title_height, placed.title.empty() ? 0 : lines(placed.title, panel_font) + title_gap);
    out.height = std::max(out.height, placed.size.height);
    out.note_height = std::max(out.note_height,
                               placed.note.empty() ? 0 : lines(placed.note, note_font) + title_gap);
  }
  if (row.shared_scale && !shared.empty()) out.bar = bar_width(out.range, row.scale_label);
  return out;
}

// Pictures below each other form columns; other panels stand as they come.
void align_columns(std::vector<PlacedRow>& rows) {
  for (const auto& row : rows) {
    for (const auto& panel : row.panels) {
      if (!is_picture(*panel.panel)) return;
    }
  }
  for (size_t column = 0;; ++column) {
    double widest = 0;
    for (const auto& row : rows) {
      if (column < row.panels.size()) widest = std::max(widest, row.panels[column].width);
    }
    if (widest == 0) return;
    for (auto& row : rows) {
      if (column < row.panels.size()) row.panels[column].width = widest;
    }
  }
}

double row_width(const PlacedRow& row) {
  double width = row.bar - between_panels;
  for (const auto& panel : row.panels) width += panel.width + between_panels;
  return width;
}

// To whole pixels, so that edges of pictures are sharp.
double snapped(double place) { return std::round(place * pixels_per_point) / pixels_per_point; }

void draw_panel(Paper& paper, Point corner, const PlacedRow& row, const PlacedPanel& placed) {
  const Box& plot = placed.size.plot;
  double centre = corner.x + plot.x + std::max(plot.width, 60.0) / 2;
  double centred = centre - plot.centre().x;  // a plot narrower than its title stands in the middle
  double top = corner.y + row.title_height;
  double title = static_cast<double>(placed.title.size()) * line_height(panel_font) + title_gap;
  paper.lines({centre, top - title}, placed.title, panel_font, Align::centre);
  Point at{snapped(centred), snapped(top)};
  std::visit([&](const auto& content) { draw(paper, at, content, placed.style); },
             placed.panel->content);
  Box shown{at.x + plot.x, at.y + plot.y, plot.width, plot.height};
  if (placed.bar) {
    draw_bar(paper, shown, placed.style.range, row.row->scale_label, row.row->percentile < 100);
  }
  paper.lines({centre, top + placed.size.height + title_gap}, placed.note, note_font,
              Align::centre);
}

// The shared scale stands behind the last panel that it belongs to, as tall as that one.
void draw_row(Paper& paper, Point corner, const PlacedRow& row, double label_width) {
  double top = corner.y + row.title_height;
  if (!row.row->label.empty()) {
    double middle = top + row.panels.front().size.plot.centre().y;
    paper.text({corner.x + row_font.size, middle}, row.row->label, row_font, Align::centre, 90);
  }
  size_t last = row.panels.size();
  for (size_t i = 0; i < row.panels.size(); ++i) {
    if (coloured(*row.panels[i].panel).defined()) last = i;
  }
  double x = corner.x + label_width;
  for (size_t i = 0; i < row.panels.size(); ++i) {
    const PlacedPanel& placed = row.panels[i];
    draw_panel(paper, {x, corner.y}, row, placed);
    if (row.bar > 0 && i == last) {
      const Box& plot = placed.size.plot;
      Box beside{x + placed.width - 1, snapped(top) + plot.y, 1, plot.height};
      draw_bar(paper, beside, row.range, row.row->scale_label, row.row->percentile < 100);
      x += row.bar;
    }
    x += placed.width + between_panels;
  }
}

void check(const Figure& figure, Caller at) {
  size_t panels = 0;
  for (const Row& row : figure.rows) {
    panels += row.panels.size();
    if (row.panels.empty()) fail("draw", at, "a row of the figure has no panels");
    if (row.range && !(row.range->high > row.range->low)) {
      fail("draw", at, "the range of a row's colours, {} to {}, is empty", row.range->low,
           row.range->high);
    }
    for (const Panel& panel : row.panels) {
      std::string wrong =
          std::visit([](const auto& content) { return complaint(content); }, panel.content);
      if (!wrong.empty()) fail("draw", at, "panel '{}': {}", panel.title, wrong);
    }
  }
  if (panels == 0) fail("draw", at, "the figure has no panels");
}

}  // namespace

Range range_of(const std::vector<Tensor>& values, double percentile) {
  std::vector<double> magnitudes;
  bool negative = false;
  for (const Tensor& tensor : values) {
    for (double v : tensor.to_vector<double>()) {
      if (!std::isfinite(v)) continue;
      negative = negative || v < 0;
      magnitudes.push_back(std::abs(v));
    }
  }
  if (magnitudes.empty()) return {0, 1};
  auto rank = static_cast<size_t>(
      std::lround(std::clamp(percentile / 100, 0.0, 1.0) * double(magnitudes.size() - 1)));
  std::nth_element(magnitudes.begin(), magnitudes.begin() + static_cast<ptrdiff_t>(rank),
                   magnitudes.end());
  double top = magnitudes[rank];
  if (top == 0) top = 1;
  return {negative ? -top : 0, top};
}

Picture render(const Figure& figure, Caller at) {
  check(figure, at);
  std::vector<PlacedRow> rows;
  double label_width = 0;
  for (const Row& row : figure.rows) {
    rows.push_back(place_row(row, figure.panel_size));
    if (!row.label.empty()) label_width = line_height(row_font) + 6;
  }
  align_columns(rows);
  double width = std::min(320.0, text_width(figure.title, figure_font));
  double height = 0;
  for (const PlacedRow& row : rows) {
    width = std::max(width, label_width + row_width(row));
    height += row.total_height() + (height > 0 ? between_rows : 0);
  }
  std::vector<std::string> title = wrap(figure.title, width, figure_font);
  std::vector<std::string> caption = wrap(figure.caption, width, caption_font);
  double title_height = static_cast<double>(title.size()) * line_height(figure_font);
  double caption_height = static_cast<double>(caption.size()) * line_height(caption_font);
  double y = margin + (title.empty() ? 0 : title_height + 10);
  double below = caption.empty() ? 0 : caption_height + 12;

  Paper paper(width + 2 * margin, y + height + below + margin, at);
  paper.lines({margin, margin}, title, figure_font);
  for (const PlacedRow& row : rows) {
    draw_row(paper, {margin, y}, row, label_width);
    y += row.total_height() + between_rows;
  }
  paper.lines({margin, y - between_rows + 12}, caption, caption_font);
  return paper.result();
}

void write_figure(const std::string& path, const Figure& figure, Caller at) {
  write_png(path, render(figure, at), at);
}

}  // namespace strata::draw
