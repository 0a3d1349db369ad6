#include "tools/events/projector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/data/image_file.h"
#include "engine/io/atomic_file.h"

namespace strata::events {
namespace {

constexpr int64_t widest_sheet = 8192;  // what the projector draws

void write_points(const std::filesystem::path& file, const Tensor& points) {
  const auto values = points.to_vector<float>();
  const auto width = static_cast<size_t>(points.size(1));
  std::string text;
  for (size_t i = 0; i < values.size(); ++i) {
    fmt::format_to(std::back_inserter(text), "{:.6g}{}", values[i],
                   (i + 1) % width == 0 ? '\n' : '\t');
  }
  io::write_file(file.string(), text);
}

// Tabs and line breaks would start another column or row.
std::string one_cell(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  return text;
}

// The projector takes the first line for a header when there is more than one column, so the number
// of the point is always one.
void write_labels(const std::filesystem::path& file, const Embedding& e) {
  std::string text = "point";
  for (auto& column : e.columns) text += "\t" + one_cell(column);
  text += "\n";
  for (size_t row = 0; row < static_cast<size_t>(e.points.size(0)); ++row) {
    text += std::to_string(row);
    for (size_t column = 0; column < e.columns.size(); ++column)
      text += "\t" + one_cell(e.labels[row][column]);
    text += "\n";
  }
  io::write_file(file.string(), text);
}

// Pictures row by row in a square sheet. False when it would be too wide.
bool write_sheet(const std::filesystem::path& file, const Tensor& images) {
  const int64_t count = images.size(0), height = images.size(1), width = images.size(2),
                channels = images.size(3);
  const auto across =
      static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(std::max<int64_t>(1, count)))));
  if (across * std::max(width, height) > widest_sheet) return false;
  Picture sheet{across * height, across * width, channels, {}};
  sheet.pixels.resize(static_cast<size_t>(sheet.height * sheet.width * channels));
  const auto values = images.to_vector<float>();
  size_t from = 0;
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t y = 0; y < height; ++y) {
      const int64_t row = i / across * height + y, column = i % across * width;
      auto to = static_cast<size_t>((row * sheet.width + column) * channels);
      for (int64_t x = 0; x < width * channels; ++x)
        sheet.pixels[to++] =
            static_cast<uint8_t>(std::lround(255 * std::clamp(values[from++], 0.f, 1.f)));
    }
  }
  write_png(file.string(), sheet);
  return true;
}

}  // namespace

void write_projector(const std::filesystem::path& folder, const Embedding& e, Caller at) {
  if (!e.points.defined() || e.points.rank() != 2)
    fail("projector", at, "the points are {}; expected [count, dimensions]",
         e.points.defined() ? describe(e.points) : "not given");
  const auto count = static_cast<size_t>(e.points.size(0));
  if (e.labels.size() != count)
    fail("projector", at, "{} points, but {} rows of labels", count, e.labels.size());
  for (auto& row : e.labels) {
    if (row.size() != e.columns.size())
      fail("projector", at, "a row has {} labels for {} columns", row.size(), e.columns.size());
  }
  std::filesystem::create_directories(folder);
  write_points(folder / "tensors.tsv", e.points);
  write_labels(folder / "metadata.tsv", e);
  std::string config = fmt::format(
      "embeddings {{\n  tensor_name: {}\n  tensor_path: \"tensors.tsv\"\n"
      "  metadata_path: \"metadata.tsv\"\n",
      nlohmann::json(e.name).dump());
  if (e.thumbnails.defined() && write_sheet(folder / "thumbnails.png", e.thumbnails)) {
    config += fmt::format(
        "  sprite {{\n    image_path: \"thumbnails.png\"\n    single_image_dim: {}\n"
        "    single_image_dim: {}\n  }}\n",
        e.thumbnails.size(2), e.thumbnails.size(1));
  }
  io::write_file((folder / "projector_config.pbtxt").string(), config + "}\n");
}

}  // namespace strata::events
