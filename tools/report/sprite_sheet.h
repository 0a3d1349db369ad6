// Many small pictures of one size in one PNG: a report with a thousand thumbnails carries a handful
// of files. Tile i sits at column i mod columns, row i / columns. Memory: the pixels, once.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "engine/error.h"

namespace strata::report {

class SpriteSheet {
 public:
  // Tiles of [height, width, channels], channels 1 or 3. kind: "image" is shown as it is, "map" is
  // a grey channel that the page colours between the low and high given where the tile is used.
  SpriteSheet(std::size_t height, std::size_t width, std::size_t channels,
              std::string kind = "image", Caller at = Caller::here());

  // Adds a tile [height, width, channels] f32; low becomes 0 and high 255, values outside are
  // clipped and a value that is not finite becomes low. Returns the tile's index. Throws Error for
  // a wrong size or low >= high.
  std::size_t add(std::span<const float> pixels, float low = 0.0f, float high = 1.0f,
                  Caller at = Caller::here());

  std::size_t count() const { return count_; }

  // The sprite object of the contract: image (data URI), tile, columns, count, kind. An empty sheet
  // is an Error.
  nlohmann::json to_json(Caller at = Caller::here()) const;
  // The same for thousands of tiles: several JPEG pictures of `each` tiles, which the page decodes
  // when one is looked at. Tiles whose sides are multiples of 8 keep their colours to themselves.
  nlohmann::json to_json_pieces(std::size_t each = 1024, int quality = 60,
                                Caller at = Caller::here()) const;

 private:
  // Tiles first .. first + count - 1 in rows of `columns`: [rows height, columns width, channels].
  std::vector<std::uint8_t> laid_out(std::size_t first, std::size_t count,
                                     std::size_t columns) const;
  std::size_t columns_for(std::size_t count) const;
  void check_not_empty(Caller at) const;

  std::size_t height_, width_, channels_;
  std::string kind_;
  std::size_t count_ = 0;
  std::vector<std::uint8_t> tiles_;  // [count, height, width, channels]
};

}  // namespace strata::report
