#include "tools/data_show.h"

#include <algorithm>
#include <array>
#include <vector>

#include "engine/data/image_file.h"
#include "engine/data/terrace.h"
#include "tools/canvas.h"

namespace strata {
namespace {

constexpr Colour ink = {40, 40, 40}, faint = {120, 120, 120}, accent = {20, 90, 160};
constexpr int64_t margin = 20, gap = 10, caption = 13;

// Rows of labelled pictures with a title of each row at the left.
struct Cell {
  Picture picture;
  std::string text;
};
struct Row {
  std::vector<std::string> title;  // lines; the first is the row's name
  std::vector<Cell> cells;
};

Picture lay_out(const std::string& heading, const std::vector<Row>& rows, int64_t scale) {
  int64_t label = 0, widest = 0, height = margin + 30;
  std::vector<int64_t> cell_width;
  for (const Row& row : rows) {
    for (const std::string& line : row.title) label = std::max(label, Canvas::text_width(line));
    int64_t cell = 0, tall = 0;
    for (const Cell& c : row.cells) {
      cell = std::max({cell, c.picture.width * scale, Canvas::text_width(c.text)});
      tall = std::max(tall, c.picture.height * scale);
    }
    cell_width.push_back(cell + gap);
    widest = std::max(widest, (cell + gap) * static_cast<int64_t>(row.cells.size()));
    height += tall + caption + gap;
  }
  label += 16;
  int64_t width =
      std::max(2 * margin + label + widest, 2 * margin + Canvas::text_width(heading, 2));
  Canvas canvas(height + margin, width);
  canvas.text(margin, margin, heading, ink, 2);
  int64_t y = margin + 30;
  for (size_t r = 0; r < rows.size(); ++r) {
    int64_t tall = 0, x = margin + label;
    for (size_t line = 0; line < rows[r].title.size(); ++line)
      canvas.text(y + 2 + 12 * static_cast<int64_t>(line), margin, rows[r].title[line],
                  line == 0 ? accent : faint);
    for (const Cell& cell : rows[r].cells) {
      canvas.picture(y, x, cell.picture, scale);
      canvas.text(y + cell.picture.height * scale + 3, x, cell.text);
      tall = std::max(tall, cell.picture.height * scale);
      x += cell_width[r];
    }
    y += tall + caption + gap;
  }
  return canvas.result();
}

Picture draw(const terrace::Scene& scene) {
  Picture picture{terrace::side, terrace::side, 3, {}};
  picture.pixels.resize(terrace::image_bytes);
  terrace::render(scene, picture.pixels.data());
  return picture;
}

std::string value_name(const Dataset& data, int factor, int64_t value) {
  return data.factors[static_cast<size_t>(factor)].value_names[static_cast<size_t>(value)];
}

// A row a factor: as many images as fit, each at every value of the factor.
std::vector<Row> factor_rows(const Terrace& data) {
  std::vector<Row> rows;
  for (int factor = 0; factor < terrace::factor_count; ++factor) {
    const FactorInfo& info = data.factors[static_cast<size_t>(factor)];
    Row row{
        {info.name, fmt::format("level {}, {} values", info.level, info.values),
         fmt::format("chance {:.3f}", info.chance), fmt::format("ceiling {:.3f}", info.ceiling)},
        {}};
    if (factor == data.label_factor) row.title.push_back("<- the class");
    // Orientation shows on stripes; on grids some of its values look the same.
    int64_t first = 0;
    while (factor == terrace::orientation && data.scene(first).record[terrace::texture_above] != 0)
      ++first;
    int64_t last = first + std::max<int64_t>(1, 8 / info.values);
    for (int64_t image = first; image < last; ++image)
      for (int value = 0; value < info.values; ++value)
        row.cells.push_back(
            {draw(data.counterfactual(image, factor, value)), value_name(data, factor, value)});
    rows.push_back(row);
  }
  return rows;
}

Row random_row(const Terrace& data, int64_t first) {
  Row row{{"images", fmt::format("{}..{}", first, first + 7), "as drawn"}, {}};
  for (int64_t i = first; i < first + 8; ++i) {
    terrace::Scene scene = data.scene(i);
    row.cells.push_back(
        {draw(scene), value_name(data, data.label_factor, scene.record[data.label_factor])});
  }
  return row;
}

Row mask_row(const Terrace& data) {
  terrace::Scene scene = data.scene(0);
  scene.mark = 3;
  std::vector<uint8_t> pixels(terrace::image_bytes);
  terrace::Masks masks;
  terrace::render(scene, pixels.data(), &masks);
  Row row{{"masks", "of image 0", "with a mark"}, {{draw(scene), "image"}}};
  auto add = [&](const std::array<uint8_t, terrace::pixel_count>& mask, const char* name) {
    row.cells.push_back(
        {Picture{terrace::side, terrace::side, 1, {mask.begin(), mask.end()}}, name});
  };
  add(masks.part_above, "part above");
  add(masks.part_below, "part below");
  add(masks.edge, "edge");
  add(masks.texture, "texture");
  add(masks.junction, "junction");
  add(masks.mark, "mark");
  return row;
}

Row shift_row(const Terrace& data, uint64_t seed, terrace::Shift shift, const char* name) {
  Row row{{std::string("shift: ") + name, "severity 0..5"}, {}};
  TerraceOptions options = data.options();
  options.shift = shift;
  for (options.severity = 0; options.severity <= 5; ++options.severity)
    row.cells.push_back(
        {draw(Terrace(options, seed, 1).scene(0)), fmt::format("severity {}", options.severity)});
  return row;
}

std::vector<Row> terrace_rows(const Terrace& data, uint64_t seed) {
  std::vector<Row> rows = factor_rows(data);
  for (int64_t first : {0, 8, 16}) rows.push_back(random_row(data, first));
  rows.push_back(mask_row(data));
  rows.push_back(shift_row(data, seed, terrace::Shift::noise, "noise"));
  rows.push_back(shift_row(data, seed, terrace::Shift::blur, "blur"));
  rows.push_back(shift_row(data, seed, terrace::Shift::hue, "hue"));
  rows.push_back(shift_row(data, seed, terrace::Shift::texture, "texture"));
  return rows;
}

// A row a class (the first twenty), ten images in each.
std::vector<Row> class_rows(const Dataset& data) {
  constexpr size_t columns = 10, most = 20;
  std::vector<Row> rows;
  for (size_t c = 0; c < data.class_names.size() && c < most; ++c)
    rows.push_back({{data.class_names[c]}, {}});
  std::vector<int64_t> counts(data.class_names.size(), 0);
  std::vector<int64_t> factor_values(data.factors.size());
  for (int64_t i = 0; i < data.size(); ++i) {
    Picture picture{data.height, data.width, data.channels, {}};
    picture.pixels.resize(static_cast<size_t>(data.image_bytes()));
    int64_t label = 0;
    data.read(i, picture.pixels.data(), &label, factor_values.data());
    ++counts[static_cast<size_t>(label)];
    if (static_cast<size_t>(label) < rows.size() &&
        rows[static_cast<size_t>(label)].cells.size() < columns)
      rows[static_cast<size_t>(label)].cells.push_back({picture, "#" + std::to_string(i)});
  }
  for (size_t c = 0; c < rows.size(); ++c)
    rows[c].title.push_back(std::to_string(counts[c]) + " images");
  return rows;
}

}  // namespace

std::string show_data(const ShowRequest& request, Caller at) {
  if (request.scale < 1 || request.scale > 16)
    fail("data show", at, "a scale of 1..16 fits on a screen; got {}", request.scale);
  std::unique_ptr<Dataset> data = open_dataset(request.data, request.split, request.seed, {}, at);
  const auto* generated = dynamic_cast<const Terrace*>(data.get());
  std::string heading =
      fmt::format("{}: {}, seed {}", request.data, name_of(request.split), request.seed);
  std::vector<Row> rows = generated ? terrace_rows(*generated, request.seed) : class_rows(*data);
  write_png(request.out, lay_out(heading, rows, request.scale), at);
  if (generated) return generated->describe();
  return fmt::format("{}: {} images of {}x{}x{}, {} classes\n", request.data, data->size(),
                     data->height, data->width, data->channels, data->classes());
}

}  // namespace strata
