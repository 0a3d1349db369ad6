// Captions: the same number is the same pair, a caption says what it names and nothing else, and
// the held-out combinations are never shown in training.
#include "engine/data/captions.h"

#include <set>

#include "engine/ops/elementwise.h"
#include "engine/ops/reduce.h"
#include "tests/support/expect.h"

namespace strata::captions {
namespace {

using namespace terrace;
using test::values;

TEST(Captions, AreAFunctionOfSeedAndIndex) {
  const Captions a({.seed = 7}), b({.seed = 7}), c({.seed = 8});
  const Pairs all = a.fill(100, 40), part = b.fill(110, 5);
  EXPECT_EQ(values(all.images.slice(0, 10, 15)), values(part.images));
  EXPECT_EQ(values(all.tokens.slice(0, 10, 15)), values(part.tokens));
  EXPECT_EQ(all.records[12], part.records[2]);
  EXPECT_NE(values(c.fill(100, 40).tokens), values(all.tokens));
}

TEST(Captions, TellTheFactorsTheyName) {
  const Captions captions({.seed = 3});
  std::set<std::string> texts;
  std::array<int, factor_count> named{};
  for (uint64_t i = 0; i < 2000; ++i) {
    const Example example = captions.example(i);
    texts.insert(example.text);
    const Record told = parse(text_of(tokens_of(example.text)));
    EXPECT_EQ(told, example.named) << example.text;
    for (int factor = 0; factor < factor_count; ++factor) {
      if (told[factor] == unnamed) continue;
      ++named[factor];
      EXPECT_EQ(told[factor], example.scene.record[factor]) << example.text;
    }
  }
  EXPECT_GT(texts.size(), 1990u);  // orders and synonyms: hardly a sentence comes twice
  for (int factor : {hue, outline_above, texture_below}) EXPECT_NEAR(named[factor], 1600, 80);
  for (int factor : {frequency, junction, background, object}) EXPECT_NEAR(named[factor], 600, 90);
  EXPECT_EQ(named[orientation], 0);
}

// Every sentence of a full record fits, is read back, and is worded in many ways.
TEST(Captions, FitTheirContextAtTheirLongest) {
  Record record{};
  record.fill(unnamed);
  for (int factor : {hue, frequency, junction, background, texture_above, texture_below,
                     outline_above, outline_below, object})
    record[factor] = 2;
  size_t longest = 0;
  for (uint64_t i = 0; i < 3000; ++i) {
    KeyedRandom random(1, i, 0);
    const std::string text = caption(record, random);
    EXPECT_EQ(parse(text), record) << text;
    const auto tokens = tokens_of(text);
    size_t length = 0;
    while (length < tokens.size() && tokens[length] != 0) ++length;
    longest = std::max(longest, length);
  }
  EXPECT_EQ(longest, static_cast<size_t>(context));
}

TEST(Captions, HoldCombinationsOutOfTraining) {
  std::set<std::pair<int, int>> seen, held;
  const Captions training({.scenes = Scenes::seen}), test({.scenes = Scenes::held_out});
  for (uint64_t i = 0; i < 3000; ++i) {
    const Record a = training.example(i).scene.record, b = test.example(i).scene.record;
    EXPECT_FALSE(held_out(a));
    EXPECT_TRUE(held_out(b));
    seen.insert({a[hue], a[outline_above]});
    held.insert({b[hue], b[outline_above]});
  }
  EXPECT_EQ(seen.size(), 24u);
  EXPECT_EQ(held.size(), 8u);
}

// What follows from the outline above follows from the one that was drawn in its place.
TEST(Captions, RecordsAreConsistent) {
  const Terrace terrace(TerraceOptions{}, 1, 1);
  const Captions captions({.scenes = Scenes::held_out});
  for (uint64_t i = 0; i < 200; ++i) {
    const Record record = captions.example(i).scene.record;
    Record again = record;
    derive(terrace.rules(), again);
    EXPECT_EQ(again, record);
  }
}

TEST(Captions, ShuffledTellOfOtherImages) {
  const Captions truth({.seed = 5}), shuffled({.seed = 5, .shuffled = true});
  int agree = 0, said = 0;
  for (uint64_t i = 0; i < 2000; ++i) {
    const Example a = truth.example(i), b = shuffled.example(i);
    EXPECT_EQ(a.scene.record, b.scene.record);
    EXPECT_FALSE(held_out(b.scene.record));
    if (b.named[hue] == unnamed) continue;
    ++said;
    agree += b.named[hue] == a.scene.record[hue];
  }
  EXPECT_NEAR(agree, said / 8.0, 60);
}

TEST(Captions, SayWhatIsWrong) {
  EXPECT_EQ(text_of(tokens_of("a red disc above a box")), "a red disc above a box");
  EXPECT_FAILS(tokens_of("a mauve disc"), "no word 'mauve'");
  EXPECT_FAILS(parse("a red disc"), "which part is above");
  EXPECT_FAILS(tokens_of([] {
                 std::string text;
                 for (int i = 0; i < 40; ++i) text += "red ";
                 return text;
               }()),
               "42 tokens.*32 fit");
  EXPECT_FAILS(text_of(std::vector<int64_t>{1, 999}), "token 999 is none of");
  EXPECT_LE(vocabulary().size(), 128u);
}

}  // namespace
}  // namespace strata::captions
