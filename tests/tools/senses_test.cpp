// The contract of text, attention, sound, graphs and large maps: wrong shapes are errors that name
// the place, packed lists keep their numbers, and thumbnails survive their compression.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/data/image_file.h"
#include "engine/data/wav.h"
#include "tests/support/expect.h"
#include "tests/tools/sample_run.h"
#include "tests/tools/sample_senses.h"
#include "tools/report/jpeg_encode.h"
#include "tools/report/packed.h"
#include "tools/report/png_encode.h"
#include "tools/report/report.h"
#include "tools/report/sprite_sheet.h"

namespace strata::report {
namespace {

using nlohmann::json;

json senses() {
  return {{"config", sample_config()}, {"metrics", json::object()}, {"panels", sample_senses()}};
}

std::vector<uint8_t> bytes_of(const std::string& uri) {
  const std::string text = uri.substr(uri.find(',') + 1);
  std::vector<uint8_t> bytes;
  for (const double byte : unpack({{"u8", text}})) bytes.push_back(static_cast<uint8_t>(byte));
  return bytes;
}

TEST(Packed, KeepsTheNumbers) {
  const std::vector<float> reals = {0.1f, -3e7f, 0, std::nanf("")};
  const json packed = pack(reals);
  EXPECT_EQ(packed.begin().key(), "f32");
  const std::vector<double> back = unpack(packed);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(static_cast<float>(back[i]), reals[i]);
  EXPECT_TRUE(std::isnan(back[3]));
  for (auto [most, kind] :
       {std::pair<int64_t, const char*>{255, "u8"}, {65535, "u16"}, {4294967295, "u32"}}) {
    for (int64_t count = 0; count < 5; ++count) {  // all fillings of base64
      std::vector<int64_t> numbers(static_cast<size_t>(count), 7);
      numbers.push_back(most);
      const json list = pack(numbers);
      EXPECT_EQ(list.begin().key(), kind);
      EXPECT_EQ(packed_count(list), count + 1);
      const std::vector<double> again = unpack(list);
      EXPECT_EQ(std::vector<int64_t>(again.begin(), again.end()), numbers);
    }
  }
}

TEST(Packed, RefusesWhatItCannotHold) {
  EXPECT_FAILS(pack(std::vector<int64_t>{3, -1}), "-1 does not fit");
  EXPECT_FAILS(pack(std::vector<int64_t>{int64_t{1} << 32}), "4294967296");
  EXPECT_EQ(packed_count({{"f32", "AAAA"}}), -1) << "three bytes are no f32";
  EXPECT_EQ(packed_count({{"f64", "AAAAAAAAAAA="}}), -1);
  EXPECT_EQ(packed_count(json(7)), -1);
  EXPECT_EQ(packed_count(json::array({1, 2})), 2);
  EXPECT_FAILS(unpack({{"u8", "AA?A"}}), "no letter of base64");
}

TEST(Senses, TheSampleFollowsTheContract) {
  EXPECT_NO_THROW(render_page(senses()));
  json bare = senses();
  bare["config"].erase("factors");
  EXPECT_NO_THROW(render_page(bare)) << "a run without factors";
}

// Each wrong in one place, which the error names.
TEST(Senses, WrongShapesNameTheirPlace) {
  const json good = senses();
  auto expect = [&](auto&& change, const char* pattern) {
    json wrong = good;
    change(wrong["panels"]);
    EXPECT_FAILS(render_page(wrong), pattern);
  };
  expect([](json& p) { p["tokens"]["texts"][0]["loss"].erase(0); },
         "/tokens/texts/0/loss: has 64 entries, expected 65");
  expect([](json& p) { p["tokens"]["texts"][0]["untrained"].erase(0); },
         "/tokens/texts/0/untrained: has 64 entries");
  expect([](json& p) { p["tokens"]["texts"][0]["tokens"][3] = 7; }, "/tokens/texts/0/tokens/3");
  expect([](json& p) { p["tokens"]["texts"][0]["top"][5][1] = {"e"}; },
         "/tokens/texts/0/top/5/1: has 1 entries, expected 2");
  expect([](json& p) { p["attention"]["layers"][1]["heads"] = 3; },
         "/attention/layers/1/pattern: has 196 entries, expected 147");
  expect([](json& p) { p["attention"]["layers"][0]["untrained"] = json::array(); },
         "/attention/layers/0/untrained: has 0 entries");
  expect([](json& p) { p["audio"]["sounds"][1]["maps"][0]["untrained"] = 99; },
         "/audio/sounds/1/maps/0/untrained: is 99 but the sprite \"spectra\" has 6 tiles");
  expect([](json& p) { p["audio"]["sounds"][0]["wav"] = "https://example.org/a.wav"; },
         "/audio/sounds/0/wav: must be a WAV data URI");
  expect([](json& p) { p["audio"]["sounds"][1]["activity"]["untrained"].erase(0); },
         "/audio/sounds/1/activity/untrained: has 3 entries, expected 4");
  expect([](json& p) { p["audio"]["sounds"][0].erase("spectrogram"); },
         "/audio/sounds/0: the member \"spectrogram\" is missing");
  expect([](json& p) { p["graphs"][0]["nodes"] = 35; },
         "/graphs/0/edges: holds 35, expected numbers from 0 to 34");
  expect([](json& p) { p["graphs"][0]["columns"][0]["data"][0] = 3; },
         "/graphs/0/columns/0/data: holds 3, expected numbers from 0 to 2");
  expect(
      [](json& p) {
        p["graphs"][0]["columns"][2]["untrained"] = json::array({1, 2});
      },
      "/graphs/0/columns/2/untrained: has 2 entries, expected 36");
}

TEST(Map, WrongShapesNameTheirPlace) {
  const json good = sample_map(100);
  EXPECT_NO_THROW(render_page(good));
  json wrong = good;
  wrong["panels"]["embedding"]["maps"][0]["neighbours"] = pack(std::vector<int64_t>(150, 1));
  EXPECT_FAILS(render_page(wrong), "/embedding/maps/0/neighbours: has 150 entries");
  wrong = good;
  wrong["panels"]["embedding"]["factors"]["hue"] = pack(std::vector<int64_t>(99, 1));
  EXPECT_FAILS(render_page(wrong), "/embedding/factors/hue: has 99 entries, expected 100");
  wrong = good;
  wrong["panels"]["sprites"]["thumbnails"]["each"] = 50;
  EXPECT_FAILS(render_page(wrong), "/sprites/thumbnails/images: has 1 entries, expected 2");
  wrong = good;
  wrong["panels"]["sprites"]["thumbnails"]["images"][0] = "data:text/html,x";
  EXPECT_FAILS(render_page(wrong), "/sprites/thumbnails/images: must be a JPEG data URI");
}

// Tiles of plain colours come back as they were, also beside tiles of the opposite colour.
TEST(Sprites, PiecesHoldTheirTiles) {
  constexpr size_t side = 16, each = 6, tiles = 8;
  SpriteSheet sheet(side, side, 3);
  auto colour = [](size_t tile, size_t channel) { return (tile + channel) % 3 == 0 ? 0.9f : 0.1f; };
  for (size_t tile = 0; tile < tiles; ++tile) {
    std::vector<float> pixels;
    for (size_t i = 0; i < side * side * 3; ++i) pixels.push_back(colour(tile, i % 3));
    sheet.add(pixels);
  }
  const json sprite = sheet.to_json_pieces(each, 75);
  ASSERT_EQ(sprite["images"].size(), 2u);
  EXPECT_EQ(sprite["count"], tiles);
  const auto columns = sprite["columns"].get<size_t>();
  for (size_t tile = 0; tile < tiles; ++tile) {
    const Picture picture =
        decode_picture(bytes_of(sprite["images"][tile / each].get<std::string>()), "piece");
    const size_t place = tile % each;
    for (size_t y = 0; y < side; ++y) {
      for (size_t x = 0; x < side; ++x) {
        const size_t row = place / columns * side + y, column = place % columns * side + x;
        for (size_t c = 0; c < 3; ++c) {
          const size_t at = (row * static_cast<size_t>(picture.width) + column) * 3 + c;
          ASSERT_NEAR(picture.pixels[at], 255 * colour(tile, c), 6) << tile << " " << y << " " << x;
        }
      }
    }
  }
}

TEST(Jpeg, WrongSizesAreErrors) {
  const std::vector<uint8_t> pixels(12);
  EXPECT_FAILS(jpeg_encode(pixels, 2, 3, 3, 60), "12 bytes given for an image u8\\[2,3,3\\]");
  EXPECT_FAILS(jpeg_encode(pixels, 2, 2, 3, 0), "quality of 0");
}

TEST(Wav, WrittenSoundsReadBack) {
  std::vector<float> samples;
  for (int i = 0; i < 1001; ++i) samples.push_back(std::sin(0.1f * static_cast<float>(i)));
  samples.push_back(1.7f);  // is clipped
  const Sound sound = parse_wav(wav_bytes(samples, 8000), "sound");
  EXPECT_EQ(sound.rate, 8000);
  ASSERT_EQ(sound.samples.shape(), (Dims{1002, 1}));
  samples.back() = 1;
  for (size_t i = 0; i < samples.size(); ++i)
    ASSERT_NEAR(sound.samples.data<float>()[i], samples[i], 1.0 / 32000) << i;
  EXPECT_FAILS(wav_bytes({}, 8000), "0 samples at 8000 a second");
  EXPECT_FAILS(wav_bytes(samples, 0), "at 0 a second");
}

}  // namespace
}  // namespace strata::report
