#include "tools/events/run_events.h"

#include <algorithm>
#include <cmath>

namespace strata::events {
namespace {

using Json = nlohmann::ordered_json;
using Values = std::vector<std::pair<std::string, double>>;

constexpr size_t most_values = 1'000'000;
constexpr int64_t most_filters = 64, filters_across = 8;
constexpr int64_t least_side = 32;  // pixels; smaller filters are enlarged

// Members that say what a line is about, not what was measured.
bool is_measure(const std::string& key, const Json& value) {
  return value.is_number() && key != "step" && key != "epoch" && key != "seconds";
}

Values values_of(const Json& line) {
  const std::string kind = line.value("kind", "");
  Values values;
  if (kind == "probe") {
    const std::string control = line.at("control");
    const std::string factor = line.at("factor"), layer = line.at("layer");
    if (line.at("accuracy").is_number())
      values.emplace_back(
          "probe " + factor + (control == "trained" ? "" : ", " + control) + "/" + layer,
          line.at("accuracy"));
    return values;
  }
  const std::string layer = line.value("layer", "");
  for (auto& [key, value] : line.items()) {
    if (is_measure(key, value))
      values.emplace_back(layer.empty() ? kind + "/" + key : key + "/" + layer, value);
  }
  if (line.contains("scores")) {
    for (const Json& score : line.at("scores")) {
      if (score.at("value").is_number())
        values.emplace_back(kind + "/" + score.at("name").get<std::string>(), score.at("value"));
    }
  }
  return values;
}

// One filter into its place in the sheet, enlarged.
void paste(Picture& sheet, std::span<const float> values, int64_t width, int64_t scale, int64_t top,
           int64_t left) {
  float reach = 1e-12f;
  for (float v : values) reach = std::max(reach, std::abs(v));
  const auto height = static_cast<int64_t>(values.size()) / (width * sheet.channels);
  for (int64_t y = 0; y < height * scale; ++y) {
    for (int64_t x = 0; x < width * scale; ++x) {
      for (int64_t c = 0; c < sheet.channels; ++c) {
        const int64_t from = (y / scale * width + x / scale) * sheet.channels + c;
        const int64_t to = ((top + y) * sheet.width + left + x) * sheet.channels + c;
        const float share = values[static_cast<size_t>(from)] / reach;
        sheet.pixels[static_cast<size_t>(to)] =
            static_cast<uint8_t>(std::lround(127.5f + 127.5f * share));
      }
    }
  }
}

Picture sheet_of(const Tensor& filters) {
  const int64_t count = std::min(filters.size(0), most_filters);
  const int64_t height = filters.size(1), width = filters.size(2);
  const int64_t scale = std::max<int64_t>(1, least_side / std::max(height, width));
  const int64_t gap = 2, down = scale * height + gap, right = scale * width + gap;
  const int64_t across = std::min(count, filters_across), rows = (count + across - 1) / across;
  Picture sheet{rows * down + gap, across * right + gap, filters.size(3), {}};
  sheet.pixels.assign(static_cast<size_t>(sheet.height * sheet.width * sheet.channels), 255);
  const auto values = filters.to_vector<float>();
  const size_t size = values.size() / static_cast<size_t>(filters.size(0));
  for (int64_t i = 0; i < count; ++i) {
    paste(sheet, {values.data() + static_cast<size_t>(i) * size, size}, width, scale,
          gap + i / across * down, gap + i % across * right);
  }
  return sheet;
}

// TensorBoard knows the file by "tfevents". The name is fixed, so that a run has one.
std::filesystem::path file_of(const std::filesystem::path& run) {
  return events_folder(run) / "events.out.tfevents.0.strata";
}

int64_t size_of(const std::filesystem::path& file) {
  std::error_code none;
  const auto size = std::filesystem::file_size(file, none);
  return none ? 0 : static_cast<int64_t>(size);
}

}  // namespace

std::filesystem::path events_folder(const std::filesystem::path& run) { return run / "events"; }

RunEvents::RunEvents(const std::filesystem::path& run, int64_t keep, Caller at)
    : file_(file_of(run), keep == whole ? size_of(file_of(run)) : keep, at) {}

void RunEvents::line(const Json& line) {
  file_.scalars(line.value("step", int64_t{0}), values_of(line));
}

void RunEvents::weights(const Module& model, int64_t step) {
  for (const NamedTensor& parameter : model.named_parameters()) {
    auto values = parameter.tensor.to_vector<float>();
    const size_t stride = (values.size() + most_values - 1) / most_values;
    if (stride > 1) {
      for (size_t i = 0; i * stride < values.size(); ++i) values[i] = values[i * stride];
      values.resize((values.size() + stride - 1) / stride);
    }
    file_.histogram("weights/" + parameter.name, step, values);
  }
}

void RunEvents::filters(const Tensor& filters, int64_t step) {
  if (!filters.defined() || filters.rank() != 4 || filters.size(0) == 0) return;
  if (filters.size(3) != 1 && filters.size(3) != 3) return;
  file_.picture("filters/first layer", step, sheet_of(filters));
}

}  // namespace strata::events
