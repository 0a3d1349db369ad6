// PNG and JPEG pictures, through libpng and libjpeg, and their resizing.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/error.h"

namespace strata {

struct Picture {
  int64_t height = 0, width = 0, channels = 0;  // channels: 1 grey, 3 RGB
  std::vector<uint8_t> pixels;                  // [H, W, C]
};

// By the file's first bytes, not by its name. Grey files give 1 channel, all others 3; transparent
// pixels are laid over white; 16 bits are reduced to 8. Truncated or corrupt files, and pictures of
// more pixels than 64 million or than their bytes could hold, are errors that name the file.
Picture read_picture(const std::string& path, Caller at = Caller::here());
Picture decode_picture(std::span<const uint8_t> bytes, const std::string& name,
                       Caller at = Caller::here());

// PNG of 1 or 3 channels, 8 bits.
std::vector<uint8_t> encode_png(const Picture& picture, Caller at = Caller::here());
void write_png(const std::string& path, const Picture& picture, Caller at = Caller::here());

// To height x width: area average where it shrinks, bilinear where it grows (half-pixel centres).
Picture resize(const Picture& picture, int64_t height, int64_t width, Caller at = Caller::here());
// The largest centred square.
Picture crop_square(const Picture& picture);
// Grey becomes three equal channels.
Picture to_rgb(const Picture& picture);

}  // namespace strata
