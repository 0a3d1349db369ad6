// Pixels to a JPEG file in memory, for thumbnails too many for PNG: a tenth of the bytes. Colour is
// kept at full resolution, so that tiles whose sides are multiples of 8 do not run into each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/error.h"

namespace strata::report {

// pixels: [height, width, channels] u8, row by row, channels 1 (grey) or 3 (RGB); quality 1 to 100.
// Throws Error for a size that does not match.
std::vector<std::uint8_t> jpeg_encode(std::span<const std::uint8_t> pixels, std::size_t height,
                                      std::size_t width, std::size_t channels, int quality,
                                      Caller at = Caller::here());

}  // namespace strata::report
