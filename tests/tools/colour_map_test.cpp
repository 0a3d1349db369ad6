// Colour maps: lightness is what is read, so it is what is tested.
#include "tools/draw/colour_map.h"

#include <gtest/gtest.h>

#include <cmath>

namespace strata::draw {
namespace {

double chroma(const OkLab& lab) { return std::hypot(lab.a, lab.b); }

TEST(ColourMap, OkLabThereAndBack) {
  for (uint32_t hex : {0x000000u, 0xffffffu, 0xff0000u, 0x00ff00u, 0x0000ffu, 0x12a4f7u}) {
    Colour back = from_oklab(to_oklab(rgb(hex)));
    EXPECT_EQ(bytes(back), bytes(rgb(hex)));
  }
  EXPECT_NEAR(to_oklab(rgb(0xff0000)).lightness, 0.62796, 1e-4);  // Ottosson's table
  EXPECT_NEAR(to_oklab(rgb(0xffffff)).lightness, 1, 1e-6);
}

TEST(ColourMap, SequentialLightnessRisesInEqualSteps) {
  double first = to_oklab(colour_at(ColourMap::sequential, 0)).lightness;
  double last = to_oklab(colour_at(ColourMap::sequential, 1)).lightness;
  double before = -1;
  for (int i = 0; i <= 255; ++i) {
    double lightness = to_oklab(colour_at(ColourMap::sequential, i / 255.0)).lightness;
    EXPECT_GT(lightness, before);
    EXPECT_NEAR(lightness, first + (last - first) * i / 255, 0.025);
    before = lightness;
  }
  EXPECT_GT(last - first, 0.6);
}

// Colours 40, 100, 150 and 200 of the published table of 256, which are not anchors.
TEST(ColourMap, SequentialIsViridis) {
  const std::pair<int, uint32_t> published[] = {
      {40, 0x453781}, {100, 0x2a768e}, {150, 0x21a585}, {200, 0x70cf57}};
  for (auto [i, hex] : published) {
    auto got = bytes(colour_at(ColourMap::sequential, i / 255.0)), want = bytes(rgb(hex));
    for (int c = 0; c < 3; ++c) EXPECT_NEAR(got[c], want[c], 3) << i;
  }
}

TEST(ColourMap, DivergingIsSymmetricAndWhiteAtZero) {
  EXPECT_EQ(colour_at(ColourMap::diverging, 0.5), neutral);
  EXPECT_EQ((bytes(Range{-3, 3}.colour(0))), (std::array<uint8_t, 3>{255, 255, 255}));
  double before = 1.0001;
  for (int i = 0; i <= 100; ++i) {
    OkLab below = to_oklab(colour_at(ColourMap::diverging, 0.5 - i / 200.0));
    OkLab above = to_oklab(colour_at(ColourMap::diverging, 0.5 + i / 200.0));
    EXPECT_NEAR(below.lightness, above.lightness, 2e-3);
    EXPECT_NEAR(chroma(below), chroma(above), 5e-3);
    EXPECT_LT(above.lightness, before);
    before = above.lightness;
  }
  OkLab blue = to_oklab(colour_at(ColourMap::diverging, 0)),
        red = to_oklab(colour_at(ColourMap::diverging, 1));
  EXPECT_LT(blue.b, -0.1);
  EXPECT_GT(red.a, 0.1);
}

TEST(ColourMap, RangesChooseTheMapBySign) {
  EXPECT_EQ((Range{0, 2}.map()), ColourMap::sequential);
  EXPECT_EQ((Range{-2, 2}.map()), ColourMap::diverging);
  EXPECT_EQ((Range{0, 2}.colour(9)), colour_at(ColourMap::sequential, 1));
  EXPECT_EQ((Range{0, 2}.colour(NAN)), not_a_number);
}

TEST(ColourMap, CategoriesDiffer) {
  for (int i = 0; i < categories; ++i) {
    for (int j = 0; j < i; ++j) {
      OkLab a = to_oklab(category(i)), b = to_oklab(category(j));
      EXPECT_GT(std::hypot(a.lightness - b.lightness, a.a - b.a, a.b - b.b), 0.05);
    }
  }
  EXPECT_EQ(category(13), category(3));
}

}  // namespace
}  // namespace strata::draw
