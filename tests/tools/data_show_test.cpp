// The contact sheet is a readable PNG that holds the images it should, and its text the facts.
#include "tools/data_show.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "engine/data/image_file.h"
#include "engine/data/terrace.h"

namespace strata {
namespace {

TEST(DataShow, TerraceSheetHoldsEveryCounterfactual) {
  std::string path = (std::filesystem::temp_directory_path() / "strata_sheet_test.png").string();
  std::string text = show_data(
      {.data = "terrace:chain", .split = Split::train, .seed = 3, .out = path, .scale = 1});
  EXPECT_NE(text.find("orientation          6   0.167   0.9271"), std::string::npos) << text;
  EXPECT_NE(text.find("I(object; factors)"), std::string::npos);
  Picture sheet = read_picture(path);
  // The last hue of the first image stands somewhere in the sheet, pixel for pixel.
  Terrace data(terrace_task("chain"), 3, 1);
  std::vector<uint8_t> image(terrace::image_bytes);
  terrace::render(data.counterfactual(0, terrace::hue, 7), image.data());
  bool found = false;
  for (int64_t y = 0; y + 32 <= sheet.height && !found; ++y)
    for (int64_t x = 0; x + 32 <= sheet.width && !found; ++x) {
      found = true;
      for (int64_t row = 0; row < 32 && found; ++row)
        found = std::equal(image.begin() + row * 96, image.begin() + row * 96 + 96,
                           sheet.pixels.begin() + ((y + row) * sheet.width + x) * 3);
    }
  EXPECT_TRUE(found);
  std::filesystem::remove(path);
  ShowRequest nowhere, no_scale;
  nowhere.out = "/nowhere/sheet.png";
  no_scale.scale = 0;
  EXPECT_THROW(show_data(nowhere), Error);
  EXPECT_THROW(show_data(no_scale), Error);
}

}  // namespace
}  // namespace strata
