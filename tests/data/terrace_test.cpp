// The generated data: the same bits everywhere, balanced and independent factors, information and
// ceilings as computed by hand, counterfactual pairs, shifts.
#include "engine/data/terrace.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <set>

#include "engine/ops.h"

namespace strata {
namespace {

using namespace terrace;

uint64_t checksum(const uint8_t* bytes, size_t count) {  // FNV-1a
  uint64_t hash = 0xcbf29ce484222325u;
  for (size_t i = 0; i < count; ++i) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return hash;
}

std::vector<uint8_t> pixels_of(const Scene& scene) {
  std::vector<uint8_t> pixels(terrace::image_bytes);
  render(scene, pixels.data());
  return pixels;
}

Terrace chain(int64_t size = 4000, uint64_t seed = 7) {
  return {terrace_task("chain"), seed, size};
}

TEST(Terrace, GoldenImages) {
  Terrace data = chain();
  uint64_t all = 0;
  for (int64_t i = 0; i < 64; ++i) {
    std::vector<uint8_t> pixels = pixels_of(data.scene(i));
    all = all * 31 + checksum(pixels.data(), pixels.size());
  }
  EXPECT_EQ(all, 0x128daeb8b320779fu) << std::hex << "0x" << all;
}

TEST(Terrace, SameImageForTheSameNumber) {
  Terrace whole(terrace_task("chain"), 3, 100), tail(terrace_task("chain"), 3, 10, 90);
  EXPECT_EQ(pixels_of(whole.scene(95)), pixels_of(tail.scene(5)));
  EXPECT_NE(pixels_of(whole.scene(95)), pixels_of(whole.scene(94)));
  Terrace other(terrace_task("chain"), 4, 100);
  EXPECT_NE(pixels_of(whole.scene(0)), pixels_of(other.scene(0)));
}

// Chi-square of a table of counts against the independent, uniform expectation; the bound is the
// .9999 quantile by Wilson and Hilferty.
void expect_uniform(const std::map<int, int>& counts, int cells, int total,
                    const std::string& what) {
  double expected = static_cast<double>(total) / cells, statistic = 0;
  int seen = 0;
  for (auto [cell, count] : counts) {
    statistic += (count - expected) * (count - expected) / expected;
    ++seen;
  }
  statistic += (cells - seen) * expected;
  double freedom = cells - 1, z = 3.719, t = 2 / (9 * freedom);
  double bound = freedom * std::pow(1 - t + z * std::sqrt(t), 3);
  EXPECT_LT(statistic, bound) << what;
}

TEST(Terrace, FactorsAreBalancedAndPairwiseIndependent) {
  const int total = 24000;
  Terrace data = chain(total);
  std::vector<Record> records;
  for (int i = 0; i < total; ++i) records.push_back(data.scene(i).record);
  for (int a = 0; a < factor_count; ++a) {
    std::map<int, int> counts;
    for (const Record& record : records) ++counts[record[a]];
    expect_uniform(counts, row_of(a).values, total, row_of(a).name);
    for (int b = 0; b < a; ++b) {
      if (information(data.rules(), a, {b}) > 1e-9) continue;  // linked by the tables
      std::map<int, int> pairs;
      for (const Record& record : records) ++pairs[record[a] * 8 + record[b]];
      expect_uniform(pairs, row_of(a).values * row_of(b).values, total,
                     std::string(row_of(a).name) + " with " + row_of(b).name);
    }
  }
}

TEST(Terrace, RecordsFollowTheTables) {
  Terrace data = chain();
  for (int64_t i = 0; i < 500; ++i) {
    Record r = data.scene(i).record;
    int above = r[texture_above] < 2 ? r[outline_above] : (r[outline_above] + 1) % 4;
    int below = r[texture_below] < 2 ? r[outline_below] : (r[outline_below] + 1) % 4;
    ASSERT_EQ(r[part_above], above);
    ASSERT_EQ(r[part_below], below);
    ASSERT_EQ(r[object], below < 2 ? above : (above + 1) % 4);
    ASSERT_EQ(r[scene], r[background] < 2 ? r[object] : (r[object] + 1) % 4);
  }
}

TEST(Terrace, InformationByEnumeration) {
  Rules stairs = chain().rules();
  // One argument of a stair: right half of the time, two values possible: 1 bit of 2.
  EXPECT_NEAR(information(stairs, object, {part_above}), 1, 1e-12);
  EXPECT_NEAR(information(stairs, object, {part_below}), 0, 1e-12);
  EXPECT_NEAR(information(stairs, object, {part_above, part_below}), 2, 1e-12);
  // Two stairs up: object - outline above is 0, 1 or 2 with odds 1 : 2 : 1, entropy 1.5 bits.
  EXPECT_NEAR(information(stairs, object, {outline_above}), 0.5, 1e-12);
  EXPECT_NEAR(information(stairs, object, {hue, orientation, frequency, junction}), 0, 1e-12);

  Terrace control(terrace_task("latin"), 1, 1);
  for (std::vector<int> given : {std::vector<int>{part_above},
                                 {part_below},
                                 {outline_above},
                                 {outline_above, outline_below, texture_above}})
    EXPECT_NEAR(information(control.rules(), object, given), 0, 1e-12);
  EXPECT_NEAR(information(control.rules(), object, {part_above, part_below}), 2, 1e-12);

  Table random = make_table(Rule::random_table, 5);
  std::map<int, int> counts;
  for (int a = 0; a < 4; ++a)
    for (int b = 0; b < 4; ++b) ++counts[random(a, b)];
  for (int value = 0; value < 4; ++value) EXPECT_EQ(counts[value], 4);
  EXPECT_NE(random.cell, make_table(Rule::random_table, 6).cell);
}

TEST(Terrace, CeilingsByEnumeration) {
  Rules rules = chain().rules();
  // Of sixteen pairs of textures, (90, 90) leaves two orientations alike, (60, 60) three.
  EXPECT_NEAR(ceiling(rules, orientation), (14 + 1 / 2.0 + 1 / 3.0) / 16, 1e-12);
  for (int factor : {static_cast<int>(hue), static_cast<int>(texture_above),
                     static_cast<int>(outline_below), static_cast<int>(object)})
    EXPECT_EQ(ceiling(rules, factor), 1);
}

// What the ceiling says looks alike does so: a grid of 90 turned by 90 degrees is the same picture
// once the phases (a nuisance) trade places.
TEST(Terrace, OrientationOfAGridOfNinetyIsAmbiguous) {
  Scene a = chain().scene(0);
  a.record[texture_above] = a.record[texture_below] = 1;
  a.drawn_texture = {1, 1};
  a.record[orientation] = 1;
  Scene b = a;
  b.record[orientation] = 4;
  for (Part& part : b.part) {
    std::swap(part.phase[0], part.phase[1]);
    part.phase[1] = 0.5f - part.phase[1];  // its line now runs the other way: sin(pi - x) = sin x
  }
  std::vector<uint8_t> first = pixels_of(a), second = pixels_of(b);
  int worst = 0;
  for (size_t i = 0; i < first.size(); ++i) worst = std::max(worst, std::abs(first[i] - second[i]));
  EXPECT_LE(worst, 1);
}

TEST(Terrace, CounterfactualsDifferInsideTheirMaskOnly) {
  Terrace data = chain();
  for (int factor = 0; factor < factor_count; ++factor) {
    for (int64_t i = 0; i < 20; ++i) {
      Scene before = data.scene(i);
      int value = (before.record[factor] + 1) % row_of(factor).values;
      Scene after = data.counterfactual(i, factor, value);
      ASSERT_EQ(after.record[factor], value);
      std::vector<uint8_t> a = pixels_of(before), b = pixels_of(after);
      EXPECT_NE(a, b) << row_of(factor).name;
      auto mask = Terrace::difference_mask(before, after);
      for (int p = 0; p < image_bytes; ++p) {
        if (mask[p / 3]) continue;
        ASSERT_EQ(a[p], b[p]) << row_of(factor).name << " pixel " << p / 3;
      }
      for (int other = 0; factor < drawn_count && other < drawn_count; ++other) {
        if (other == factor) continue;
        EXPECT_EQ(after.record[other], before.record[other]);  // nothing else was drawn anew
      }
    }
  }
  EXPECT_THROW(data.counterfactual(0, hue, 8), Error);
}

TEST(Terrace, AnObjectChangesByTheFewestFactors) {
  Terrace data = chain();
  Scene before = data.scene(0);
  Scene after = data.counterfactual(0, object, (before.record[object] + 1) % 4);
  int changed = 0;
  for (int factor = 0; factor < drawn_count; ++factor)
    changed += before.record[factor] != after.record[factor];
  EXPECT_EQ(changed, 1);  // one outline is enough
}

TEST(Terrace, MasksCoverWhatWasDrawn) {
  Terrace data = chain();
  double area[4] = {0, 0, 0, 0};
  int count[4] = {0, 0, 0, 0};
  for (int64_t i = 0; i < 400; ++i) {
    Scene scene = data.scene(i);
    scene.part[0].scale = 1;
    std::vector<uint8_t> pixels(terrace::image_bytes);
    Masks masks;
    render(scene, pixels.data(), &masks);
    double covered = 0;
    for (uint8_t a : masks.part_above) covered += a / 255.0;
    area[scene.record[outline_above]] += covered;
    ++count[scene.record[outline_above]];
  }
  // All outlines have the same area, so that the amount of colour does not tell them apart.
  for (int kind = 0; kind < 4; ++kind) EXPECT_NEAR(area[kind] / count[kind], 133, 4) << kind;
}

TEST(Terrace, HeldOutCellsAppearOnlyWhenShifted) {
  TerraceOptions options = terrace_task("chain");
  options.hold_out = true;
  auto novel = [](const Terrace& data) {
    int count = 0;
    for (int64_t i = 0; i < 2000; ++i) {
      Record r = data.scene(i).record;
      count += r[part_above] == r[part_below];
    }
    return count;
  };
  EXPECT_EQ(novel(Terrace(options, 1, 2000)), 0);
  options.shift = Shift::cells;
  options.severity = 2;
  EXPECT_NEAR(novel(Terrace(options, 1, 2000)), 800, 100);
  options.severity = 5;
  EXPECT_EQ(novel(Terrace(options, 1, 2000)), 2000);
}

TEST(Terrace, ShiftedImagesAreTheSameScenes) {
  Terrace clean(terrace_task("outline"), 5, 20, 100);
  Terrace still = clean.shifted(Shift::blur, 0), blurred = clean.shifted(Shift::blur, 4);
  Batch a = clean.head(20), b = still.head(20), c = blurred.head(20);
  EXPECT_EQ(max(abs(a.images - b.images)).item(), 0);
  EXPECT_GT(max(abs(a.images - c.images)).item(), 0.1);
  EXPECT_EQ(max(abs(a.factors - c.factors)).item(), 0);
}

TEST(Terrace, ShiftsGrowWithSeverity) {
  for (Shift shift : {Shift::noise, Shift::blur, Shift::hue, Shift::texture}) {
    TerraceOptions options = terrace_task("chain");
    Terrace clean(options, 1, 64);
    double previous = 0;
    for (int severity = 0; severity <= 5; ++severity) {
      options.shift = shift;
      options.severity = severity;
      Terrace shifted(options, 1, 64);
      double distance = 0;
      for (int64_t i = 0; i < 64; ++i) {
        ASSERT_EQ(shifted.scene(i).record, clean.scene(i).record);
        std::vector<uint8_t> a = pixels_of(clean.scene(i)), b = pixels_of(shifted.scene(i));
        for (size_t p = 0; p < a.size(); ++p) distance += std::abs(a[p] - b[p]);
      }
      if (severity == 0) {
        EXPECT_EQ(distance, 0);
      } else {
        EXPECT_GT(distance, previous) << static_cast<int>(shift) << severity;
      }
      previous = distance;
    }
  }
  TerraceOptions options;
  options.severity = 6;
  EXPECT_THROW(Terrace(options, 1, 1), Error);
}

TEST(Terrace, ShortcutFollowsTheClassAsOftenAsAsked) {
  TerraceOptions options = terrace_task("chain");
  options.shortcut = 0.9;
  Terrace data(options, 1, 4000);
  int same = 0;
  for (int64_t i = 0; i < 4000; ++i) {
    Scene scene = data.scene(i);
    same += scene.mark == scene.record[object];
  }
  EXPECT_NEAR(same / 4000.0, 0.9 + 0.1 / 4, 0.02);
}

TEST(Terrace, FillNormalisesAndReportsFactors) {
  Terrace data = chain(100);
  std::vector<int64_t> indices = {5, 99, 0};
  Batch batch = data.fill(indices);
  EXPECT_EQ(batch.images.shape(), (Dims{3, 32, 32, 3}));
  EXPECT_EQ(batch.factors.shape(), (Dims{3, factor_count}));
  std::vector<uint8_t> pixels = pixels_of(data.scene(99));
  const float* image = batch.images.data<float>() + 3072;
  for (int i = 0; i < 3072; ++i)
    ASSERT_FLOAT_EQ(image[i], (static_cast<float>(pixels[i]) / 255.0f - 0.5f) / 0.2f);
  EXPECT_EQ(batch.labels.data<int64_t>()[1], data.scene(99).record[object]);
  EXPECT_EQ(batch.factors.data<int64_t>()[factor_count + hue], data.scene(99).record[hue]);
  EXPECT_THROW(data.fill(std::vector<int64_t>{100}), Error);
}

TEST(Terrace, TasksByName) {
  EXPECT_EQ(terrace_task("outline").label, outline_above);
  EXPECT_EQ(terrace_task("scene").label, terrace::scene);
  try {
    terrace_task("obejct");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("obejct"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("outline_above"), std::string::npos);
  }
}

}  // namespace
}  // namespace strata
