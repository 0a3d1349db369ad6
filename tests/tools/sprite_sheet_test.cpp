// The picture helpers: pixels come back from the PNG bit for bit, tiles sit where the contract
// says.
#include "tools/report/sprite_sheet.h"

#include <gtest/gtest.h>
#include <png.h>

#include <limits>

#include "tools/report/png_encode.h"

namespace strata::report {
namespace {

struct Decoded {
  std::size_t height, width;
  std::vector<std::uint8_t> pixels;
};

Decoded decode(const std::vector<std::uint8_t>& file, png_uint_32 format) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  EXPECT_TRUE(png_image_begin_read_from_memory(&image, file.data(), file.size())) << image.message;
  image.format = format;
  std::vector<std::uint8_t> pixels(PNG_IMAGE_SIZE(image));
  EXPECT_TRUE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr)) << image.message;
  return {image.height, image.width, pixels};
}

std::vector<std::uint8_t> base64_decode(const std::string& text) {
  const std::string alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::uint8_t> out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char letter : text) {
    if (letter == '=') break;
    bits = bits << 6 | static_cast<std::uint32_t>(alphabet.find(letter));
    if ((count += 6) >= 8) out.push_back(static_cast<std::uint8_t>(bits >> (count -= 8) & 255));
  }
  return out;
}

TEST(PngEncode, PixelsComeBack) {
  std::vector<std::uint8_t> pixels(5 * 7 * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 37);
  const Decoded back = decode(png_encode(pixels, 5, 7, 3), PNG_FORMAT_RGB);
  EXPECT_EQ(back.height, 5u);
  EXPECT_EQ(back.width, 7u);
  EXPECT_EQ(back.pixels, pixels);
}

TEST(PngEncode, RefusesWhatDoesNotFit) {
  const std::vector<std::uint8_t> pixels(10);
  EXPECT_THROW(png_encode(pixels, 5, 7, 3), Error);
  EXPECT_THROW(png_encode(pixels, 5, 1, 2), Error);
  EXPECT_THROW(png_encode({}, 0, 0, 1), Error);
}

TEST(PngEncode, Base64OfRfc4648) {
  const auto encode = [](const std::string& text) {
    return base64_encode({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  };
  EXPECT_EQ(encode(""), "");
  EXPECT_EQ(encode("f"), "Zg==");
  EXPECT_EQ(encode("fo"), "Zm8=");
  EXPECT_EQ(encode("foo"), "Zm9v");
  EXPECT_EQ(encode("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encode("\xff\xfe\xfd"), "//79");
}

TEST(SpriteSheet, TilesSitWhereTheContractSays) {
  SpriteSheet sheet(2, 3, 1, "map");
  for (int tile = 0; tile < 5; ++tile) {
    const std::vector<float> pixels(6, static_cast<float>(tile));
    EXPECT_EQ(sheet.add(pixels, 0, 5), static_cast<std::size_t>(tile));
  }
  const nlohmann::json json = sheet.to_json();
  EXPECT_EQ(json["count"], 5);
  EXPECT_EQ(json["tile"], nlohmann::json({2, 3}));
  EXPECT_EQ(json["kind"], "map");
  const auto columns = json["columns"].get<std::size_t>();
  const std::string uri = json["image"];
  const Decoded back = decode(base64_decode(uri.substr(uri.find(',') + 1)), PNG_FORMAT_GRAY);
  EXPECT_EQ(back.width, columns * 3);
  for (std::size_t tile = 0; tile < 5; ++tile) {
    const std::size_t row = tile / columns * 2 + 1, column = tile % columns * 3 + 2;
    EXPECT_EQ(back.pixels[row * back.width + column], tile * 51);
  }
}

TEST(SpriteSheet, ClipsAndSurvivesNotANumber) {
  SpriteSheet sheet(1, 4, 1);
  const std::vector<float> pixels{-3.0f, 0.5f, 9.0f, std::numeric_limits<float>::quiet_NaN()};
  sheet.add(pixels);
  const std::string uri = sheet.to_json()["image"];
  const Decoded back = decode(base64_decode(uri.substr(uri.find(',') + 1)), PNG_FORMAT_GRAY);
  EXPECT_EQ(back.pixels, (std::vector<std::uint8_t>{0, 128, 255, 0}));
}

TEST(SpriteSheet, RefusesWhatCannotBeDrawn) {
  EXPECT_THROW(SpriteSheet(0, 4, 3), Error);
  EXPECT_THROW(SpriteSheet(4, 4, 2), Error);
  EXPECT_THROW(SpriteSheet(4, 4, 3, "map"), Error);
  EXPECT_THROW(SpriteSheet(4, 4, 3, "film"), Error);
  SpriteSheet sheet(2, 2, 1);
  EXPECT_THROW(sheet.add(std::vector<float>(5)), Error);
  EXPECT_THROW(sheet.add(std::vector<float>(4), 1, 1), Error);
  EXPECT_THROW(sheet.to_json(), Error);
}

}  // namespace
}  // namespace strata::report
