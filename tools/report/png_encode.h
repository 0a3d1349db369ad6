// Pixels to a PNG file in memory, and bytes to a data URI, so that a report carries its pictures
// inside. Cost: one deflate pass. Source: libpng manual, "Writing"; RFC 4648 for base64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/error.h"

namespace strata::report {

// pixels: [height, width, channels] u8, row by row, channels 1 (grey), 3 (RGB) or 4 (RGBA).
// Returns the bytes of a PNG file. Throws Error for a size that does not match or a channel count
// PNG lacks.
std::vector<std::uint8_t> png_encode(std::span<const std::uint8_t> pixels, std::size_t height,
                                     std::size_t width, std::size_t channels,
                                     Caller at = Caller::here());

// RFC 4648 base64 with padding, no line breaks.
std::string base64_encode(std::span<const std::uint8_t> bytes);

// "data:image/png;base64,...": what an <img> reads without a network.
std::string png_data_uri(std::span<const std::uint8_t> pixels, std::size_t height,
                         std::size_t width, std::size_t channels, Caller at = Caller::here());

}  // namespace strata::report
