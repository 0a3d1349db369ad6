#include "tools/report/sprite_sheet.h"

#include <algorithm>
#include <cmath>

#include "tools/report/jpeg_encode.h"
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
  for (const float value : pixels) {
    const float level = std::isfinite(value) ? (value - low) * scale : 0.0f;
    tiles_.push_back(static_cast<std::uint8_t>(std::lround(std::clamp(level, 0.0f, 255.0f))));
  }
  return count_++;
}

std::vector<std::uint8_t> SpriteSheet::laid_out(std::size_t first, std::size_t count,
                                                std::size_t columns) const {
  const std::size_t rows = (count + columns - 1) / columns;
  const std::size_t tile_row = width_ * channels_, sheet_row = columns * tile_row;
  std::vector<std::uint8_t> sheet(rows * height_ * sheet_row, 0);
  for (std::size_t tile = 0; tile < count; ++tile) {
    for (std::size_t y = 0; y < height_; ++y) {
      const std::uint8_t* from = tiles_.data() + ((first + tile) * height_ + y) * tile_row;
      std::uint8_t* to =
          sheet.data() + (tile / columns * height_ + y) * sheet_row + tile % columns * tile_row;
      std::copy(from, from + tile_row, to);
    }
  }
  return sheet;
}

// Wide enough to be near a square in pixels: some browsers refuse images longer than 32,767.
std::size_t SpriteSheet::columns_for(std::size_t count) const {
  return static_cast<std::size_t>(std::ceil(std::sqrt(
      static_cast<double>(count) * static_cast<double>(height_) / static_cast<double>(width_))));
}

void SpriteSheet::check_not_empty(Caller at) const {
  if (count_ == 0)
    fail("sprite_sheet", at, "the sheet has no tile: add one, or leave the panel out");
}

nlohmann::json SpriteSheet::to_json(Caller at) const {
  check_not_empty(at);
  const std::size_t columns = columns_for(count_), rows = (count_ + columns - 1) / columns;
  return {{"image", png_data_uri(laid_out(0, count_, columns), rows * height_, columns * width_,
                                 channels_, at)},
          {"tile", {height_, width_}},
          {"columns", columns},
          {"count", count_},
          {"kind", kind_}};
}

nlohmann::json SpriteSheet::to_json_pieces(std::size_t each, int quality, Caller at) const {
  check_not_empty(at);
  if (each == 0) fail("sprite_sheet", at, "a piece holds at least 1 tile");
  const std::size_t columns = columns_for(std::min(each, count_));
  nlohmann::json images = nlohmann::json::array();
  for (std::size_t first = 0; first < count_; first += each) {
    const std::size_t count = std::min(each, count_ - first);
    const std::size_t rows = (count + columns - 1) / columns;
    const auto bytes = jpeg_encode(laid_out(first, count, columns), rows * height_,
                                   columns * width_, channels_, quality, at);
    images.push_back("data:image/jpeg;base64," + base64_encode(bytes));
  }
  return {{"images", std::move(images)}, {"each", each},    {"tile", {height_, width_}},
          {"columns", columns},          {"count", count_}, {"kind", kind_}};
}

}  // namespace strata::report
