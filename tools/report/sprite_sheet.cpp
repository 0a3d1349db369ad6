#include "tools/report/sprite_sheet.h"

#include <algorithm>
#include <cmath>

#include "tools/report/png_encode.h"

namespace strata::report {

SpriteSheet::SpriteSheet(std::size_t height, std::size_t width, std::size_t channels,
                         std::string kind, Caller at)
    : height_(height), width_(width), channels_(channels), kind_(std::move(kind)) {
  if (height == 0 || width == 0 || (channels != 1 && channels != 3)) {
    fail("sprite_sheet", at, "a tile of [{},{},{}] cannot be drawn: give [height, width, 1 or 3]",
         height, width, channels);
  }
  if (kind_ != "image" && kind_ != "map") {
    fail("sprite_sheet", at, "kind \"{}\" is unknown: give \"image\" or \"map\"", kind_);
  }
  if (kind_ == "map" && channels != 1) {
    fail("sprite_sheet", at, "a map has 1 channel, {} given", channels);
  }
}

std::size_t SpriteSheet::add(std::span<const float> pixels, float low, float high, Caller at) {
  if (pixels.size() != height_ * width_ * channels_) {
    fail("sprite_sheet", at, "{} values given for a tile f32[{},{},{}], which has {}",
         pixels.size(), height_, width_, channels_, height_ * width_ * channels_);
  }
  if (!(low < high)) {
    fail("sprite_sheet", at, "the scale runs from {} to {}: low must be below high", low, high);
  }
  const float scale = 255.0f / (high - low);
  tiles_.reserve(tiles_.size() + pixels.size());
  for (const float value : pixels) {
    const float level = std::isfinite(value) ? (value - low) * scale : 0.0f;
    tiles_.push_back(static_cast<std::uint8_t>(std::lround(std::clamp(level, 0.0f, 255.0f))));
  }
  return count_++;
}

nlohmann::json SpriteSheet::to_json(Caller at) const {
  if (count_ == 0)
    fail("sprite_sheet", at, "the sheet has no tile: add one, or leave the panel out");
  // Wide enough to be near a square in pixels: some browsers refuse images longer than 32,767.
  const auto columns = static_cast<std::size_t>(std::ceil(std::sqrt(
      static_cast<double>(count_) * static_cast<double>(height_) / static_cast<double>(width_))));
  const std::size_t rows = (count_ + columns - 1) / columns;
  const std::size_t tile_row = width_ * channels_, sheet_row = columns * tile_row;
  std::vector<std::uint8_t> sheet(rows * height_ * sheet_row, 0);
  for (std::size_t tile = 0; tile < count_; ++tile) {
    for (std::size_t y = 0; y < height_; ++y) {
      const std::uint8_t* from = tiles_.data() + (tile * height_ + y) * tile_row;
      std::uint8_t* to =
          sheet.data() + (tile / columns * height_ + y) * sheet_row + tile % columns * tile_row;
      std::copy(from, from + tile_row, to);
    }
  }
  return {{"image", png_data_uri(sheet, rows * height_, columns * width_, channels_, at)},
          {"tile", {height_, width_}},
          {"columns", columns},
          {"count", count_},
          {"kind", kind_}};
}

}  // namespace strata::report
