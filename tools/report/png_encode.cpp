#include "tools/report/png_encode.h"

#include <png.h>

namespace strata::report {
namespace {

png_uint_32 png_format(std::size_t channels, Caller at) {
  switch (channels) {
    case 1:
      return PNG_FORMAT_GRAY;
    case 3:
      return PNG_FORMAT_RGB;
    case 4:
      return PNG_FORMAT_RGBA;
    default:
      fail("png_encode", at, "{} channels given, but a PNG has 1 (grey), 3 (RGB) or 4 (RGBA)",
           channels);
  }
}

}  // namespace

std::vector<std::uint8_t> png_encode(std::span<const std::uint8_t> pixels, std::size_t height,
                                     std::size_t width, std::size_t channels, Caller at) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.format = png_format(channels, at);
  if (height == 0 || width == 0 || pixels.size() != height * width * channels) {
    fail("png_encode", at, "{} bytes given for an image u8[{},{},{}], which has {}", pixels.size(),
         height, width, channels, height * width * channels);
  }
  image.height = static_cast<png_uint_32>(height);
  image.width = static_cast<png_uint_32>(width);

  std::vector<std::uint8_t> out(PNG_IMAGE_PNG_SIZE_MAX(image));
  png_alloc_size_t size = out.size();
  if (!png_image_write_to_memory(&image, out.data(), &size, 0, pixels.data(), 0, nullptr)) {
    fail("png_encode", at, "libpng refused an image u8[{},{},{}]: {}", height, width, channels,
         image.message);
  }
  out.resize(size);
  return out;
}

std::string base64_encode(std::span<const std::uint8_t> bytes) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = bytes.size() - i;
    const std::uint32_t group = (std::uint32_t{bytes[i]} << 16) |
                                (left > 1 ? std::uint32_t{bytes[i + 1]} << 8 : 0u) |
                                (left > 2 ? std::uint32_t{bytes[i + 2]} : 0u);
    out += kAlphabet[group >> 18 & 63];
    out += kAlphabet[group >> 12 & 63];
    out += left > 1 ? kAlphabet[group >> 6 & 63] : '=';
    out += left > 2 ? kAlphabet[group & 63] : '=';
  }
  return out;
}

std::string png_data_uri(std::span<const std::uint8_t> pixels, std::size_t height,
                         std::size_t width, std::size_t channels, Caller at) {
  return "data:image/png;base64," + base64_encode(png_encode(pixels, height, width, channels, at));
}

}  // namespace strata::report
