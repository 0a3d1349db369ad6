// Figures, read back from their pixels: colours stand for numbers, and one scale for a row.
#include "tools/draw/figure.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "engine/ops.h"
#include "tests/support/expect.h"
#include "tools/draw/paper.h"
#include "tools/draw/scale.h"

namespace strata::draw {
namespace {

Tensor map_of(const std::vector<double>& values, int64_t rows) {
  return from_vector(values, {rows, static_cast<int64_t>(values.size()) / rows});
}

// Where a colour is: how many pixels, and the box around them.
struct Found {
  int64_t count = 0, top = INT64_MAX, bottom = -1, left = INT64_MAX, right = -1;
  double middle_x() const { return static_cast<double>(left + right) / 2; }
  double middle_y() const { return static_cast<double>(top + bottom) / 2; }
};
Found find(const Picture& picture, const Colour& colour, int tolerance = 0) {
  auto wanted = bytes(colour);
  Found out;
  for (int64_t i = 0; i < picture.height * picture.width; ++i) {
    auto near = [&](uint8_t u, uint8_t v) { return std::abs(u - v) <= tolerance; };
    if (!std::equal(wanted.begin(), wanted.end(), picture.pixels.begin() + 3 * i, near)) continue;
    int64_t y = i / picture.width, x = i % picture.width;
    ++out.count;
    out.top = std::min(out.top, y), out.bottom = std::max(out.bottom, y);
    out.left = std::min(out.left, x), out.right = std::max(out.right, x);
  }
  return out;
}

Picture drawn(Row row) {
  Figure figure;
  figure.rows.push_back(std::move(row));
  return render(figure);
}

TEST(Figure, RangesFollowTheSign) {
  auto range = [](std::vector<double> v, double percentile = 100) {
    return range_of({map_of(v, 1)}, percentile);
  };
  EXPECT_EQ(range({0.5, 2}).low, 0);
  EXPECT_EQ(range({0.5, 2}).high, 2);
  EXPECT_EQ(range({-3, 2}).low, -3);
  EXPECT_EQ(range({-3, 2}).high, 3);
  EXPECT_EQ(range({0, 0}).high, 1);
  EXPECT_EQ(range({NAN, 4}).high, 4);
  EXPECT_EQ(range({1, 2, 3, 4, 100}, 75).high, 4);
  EXPECT_EQ(range_of({map_of({1}, 1), map_of({-5}, 1)}).high, 5);
}

TEST(Figure, AMapShowsItsNumbersInTheColoursOfTheScale) {
  Picture got = drawn({.panels = {{"map", HeatMap{map_of({-1, 0.5, 0.25, 1}, 2)}}}});
  // Each cell is a quarter of 336 x 336 pixels.
  const double values[] = {-1, 0.5, 0.25, 1};
  for (double value : values) {
    Found cell = find(got, Range{-1, 1}.colour(value));
    EXPECT_GE(cell.count, 168 * 168) << value;
    EXPECT_LT(cell.count, 168 * 168 * 1.1) << value;
  }
  EXPECT_LT(find(got, Range{-1, 1}.colour(-1)).left, find(got, Range{-1, 1}.colour(0.5)).left);
  EXPECT_LT(find(got, Range{-1, 1}.colour(-1)).top, find(got, Range{-1, 1}.colour(0.25)).top);
}

TEST(Figure, MapsOfARowShareTheirScale) {
  Panel large{"large", HeatMap{map_of({0, 4}, 1)}}, small{"small", HeatMap{map_of({0, 1}, 1)}};
  Picture shared = drawn({.panels = {large, small}});
  EXPECT_GT(find(shared, Range{0, 4}.colour(1)).count, 1000);
  Picture apart = drawn({.panels = {large, small}, .shared_scale = false});
  EXPECT_LT(find(apart, Range{0, 4}.colour(1)).count, 100);  // on the bar only
  EXPECT_GT(apart.width, shared.width);                      // two bars
  Picture given = drawn({.panels = {small}, .range = Range{0, 2}});
  EXPECT_GT(find(given, Range{0, 2}.colour(1)).count, 1000);
}

TEST(Figure, ASmoothMapIsCentredOnItsCells) {
  Picture got = drawn({.panels = {{"", HeatMap{.values = map_of({0, 0, 0, 0, 1, 0, 0, 0, 0}, 3),
                                               .smooth = true}}}});
  Found top = find(got, Range{0, 1}.colour(0));
  int64_t x0 = 32, y0 = 32, size = 336;  // the margin is 16 points
  for (int64_t i = 0; i < size / 2; i += 7) {
    auto at = [&](int64_t y, int64_t x) {
      return got.pixels[static_cast<size_t>(((y0 + y) * got.width + x0 + x) * 3 + 1)];
    };
    EXPECT_EQ(at(168, i), at(168, size - 1 - i));
    EXPECT_EQ(at(i, 168), at(size - 1 - i, 168));
  }
  EXPECT_GT(top.count, 0);
}

TEST(Figure, OpacityMixesTheMapWithAGreyPicture) {
  Picture red{1, 1, 3, {255, 0, 0}};
  HeatMap map{.values = map_of({1, 1}, 1), .under = red, .opacity = 0};
  Picture none = drawn({.panels = {{"", map}}});
  EXPECT_GT(find(none, {0.299, 0.299, 0.299}).count, 300 * 300);
  map.opacity = 1;
  Picture full = drawn({.panels = {{"", map}}});
  EXPECT_GT(find(full, Range{0, 1}.colour(1)).count, 300 * 300);
}

TEST(Figure, SmallPicturesAreEnlargedByAWholeNumber) {
  Picture checks{5, 5, 1, {}};
  for (int i = 0; i < 25; ++i) checks.pixels.push_back(i % 2 ? 10 : 200);
  Picture got = drawn({.panels = {{"", Image{checks}}}});
  EXPECT_EQ(find(got, rgb(0xc8c8c8)).count, 13 * 67 * 67);  // 336 / 5 = 67.2
  EXPECT_EQ(find(got, rgb(0x0a0a0a)).count, 12 * 67 * 67);
}

TEST(Figure, LargePicturesAreAveraged) {
  Picture checks{1344, 1344, 1, {}};
  for (int64_t y = 0; y < 1344; ++y) {
    for (int64_t x = 0; x < 1344; ++x) checks.pixels.push_back((x + y) % 2 ? 0 : 200);
  }
  EXPECT_GT(find(drawn({.panels = {{"", Image{checks}}}}), rgb(0x646464)).count, 330 * 330);
}

TEST(Figure, CurvesStandAtTheirValues) {
  LineChart chart;
  chart.curves = {{"low", {0, 1}, {0.25, 0.25}}, {"high", {0, 1}, {0.75, 0.75}}};
  chart.y_range = Range{0, 1};
  Picture got = drawn({.panels = {{"chart", chart}}});
  Found low = find(got, category(0)), high = find(got, category(1));
  // Half of the axis: 84 points. The legend's samples of both stand above each other to the right.
  EXPECT_NEAR(static_cast<double>(low.bottom - high.bottom), 168, 3);
  chart.log_y = true;
  chart.y_range = Range{0.01, 100};
  chart.curves = {{"", {0, 1}, {0.1, 0.1}}, {"", {0, 1}, {10, 10}}};
  got = drawn({.panels = {{"chart", chart}}});
  EXPECT_NEAR(find(got, category(0)).middle_y() - find(got, category(1)).middle_y(), 168, 3);
}

TEST(Figure, AnEmbeddingKeepsItsDistances) {
  Scatter scatter{map_of({0, 0, 2, 0, 0, 1}, 3), {0, 1, 2}, {"a", "b", "c"}};
  scatter.names.clear();  // a legend would have the colours too
  Picture got = drawn({.panels = {{"map", scatter}}});
  auto opaque = [&](int64_t i) {  // discs are laid over white with opacity 3/4
    Colour c = category(i);
    auto mix = [](double v) { return std::lerp(1.0, v, 0.75); };
    return find(got, {mix(c.red), mix(c.green), mix(c.blue)}, 1);
  };
  Found a = opaque(0), b = opaque(1), c = opaque(2);
  ASSERT_GT(a.count, 20);
  ASSERT_GT(b.count, 20);
  ASSERT_GT(c.count, 20);
  EXPECT_NEAR(b.middle_x() - a.middle_x(), 2 * (a.middle_y() - c.middle_y()), 3);
  EXPECT_GT(a.middle_y(), c.middle_y());  // y grows upwards
}

TEST(Figure, MatricesHaveACellANumber) {
  Matrix matrix{map_of({0, 0.2, 0.6, 1}, 2), {"one", "two"}, {"three", "four"}};
  matrix.numbers = false;
  Picture got = drawn({.panels = {{"", matrix}}});
  for (double v : {0.0, 0.2, 0.6, 1.0}) {
    EXPECT_GE(find(got, Range{0, 1}.colour(v)).count, 60 * 60) << v;
  }
}

TEST(Figure, ATableHasNoColoursAndNoScale) {
  Matrix matrix{map_of({0, 0.2, 0.6, 1}, 2), {"one", "two"}, {"three", "four"}};
  matrix.coloured = false;
  Picture table = drawn({.panels = {{"", matrix}}});
  for (double value : {0.2, 0.6, 1.0}) {
    EXPECT_EQ(find(table, Range{0, 1}.colour(value)).count, 0) << value;
  }
}

TEST(Figure, IsTheSameEachTimeAndIsWritten) {
  Figure figure;
  figure.title = "Twice";
  figure.rows.push_back({.panels = {{"map", HeatMap{map_of({0, 1}, 1)}}}});
  EXPECT_EQ(render(figure).pixels, render(figure).pixels);
  std::string path = testing::TempDir() + "/figure.png";
  write_figure(path, figure);
  EXPECT_EQ(read_picture(path).pixels, render(figure).pixels);
  std::filesystem::remove(path);
}

TEST(Figure, TicksAreRoundAndNumbersShort) {
  test::expect_near(round_ticks(0, 1, 5), {0, 0.2, 0.4, 0.6, 0.8, 1});
  test::expect_near(round_ticks(-3, 17, 4), {0, 5, 10, 15});
  test::expect_near(decade_ticks(0.001, 10, 5), {0.001, 0.01, 0.1, 1, 10});
  EXPECT_EQ(decade_ticks(1e-12, 1, 5).size(), 5u);
  EXPECT_EQ(tick_text(-0.2, 0.1), "−0.2");
  EXPECT_EQ(tick_text(3, 1), "3");
  EXPECT_EQ(tick_text(1e-17, 0.1), "0");
  EXPECT_EQ(number_text(0.0000123), "1.23e−5");
  EXPECT_EQ(number_text(0.75), "0.75");
}

TEST(Figure, TextIsBrokenAtSpacesAndLongNamesAtDots) {
  Font font{.size = 9};
  double width = text_width("of layer3.", font) + 1;
  EXPECT_EQ(wrap("a b", 1000, font), (std::vector<std::string>{"a b"}));
  EXPECT_EQ(wrap("of layer3.0.relu", width, font),
            (std::vector<std::string>{"of layer3.", "0.relu"}));
  for (const auto& line : wrap("Grad-CAM of layer3.0.relu at the last layer", width, font)) {
    EXPECT_LE(text_width(line, font), width) << line;
  }
  EXPECT_EQ(wrap("one\ntwo", 1000, font), (std::vector<std::string>{"one", "two"}));
  EXPECT_TRUE(wrap("", 100, font).empty());
}

TEST(Figure, SaysWhichPanelIsWrong) {
  EXPECT_FAILS(render({}), "no panels");
  EXPECT_FAILS(drawn({.panels = {{"x", HeatMap{zeros({2, 3, 1})}}}}),
               R"('x'.*f32\[2,3,1\].*\[H, W\])");
  EXPECT_FAILS(drawn({.panels = {{"y", Matrix{zeros({2, 2}), {"a"}}}}}), "'y'.*1 row and 0 column");
  EXPECT_FAILS(drawn({.panels = {{"z", Scatter{zeros({2, 2}), {1}}}}}), "'z'.*1 classes for 2");
  LineChart chart;
  chart.curves = {{"c", {0, 1}, {0}}};
  EXPECT_FAILS(drawn({.panels = {{"w", chart}}}), "'w'.*'c' has 2 x for 1 y");
  EXPECT_FAILS(drawn({.panels = {{"v", Image{}}}}), "'v'.*no pixels");
  EXPECT_FAILS(to_picture(zeros({2, 2})), R"(\[H, W, 3\])");
}

TEST(Figure, TensorsBecomePictures) {
  Picture got = to_picture(from_vector(std::vector<float>{-1, 0, 1, 3}, {2, 2, 1}), {-1, 1});
  EXPECT_EQ(got.pixels, (std::vector<uint8_t>{0, 128, 255, 255}));
}

}  // namespace
}  // namespace strata::draw
