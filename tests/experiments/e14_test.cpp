// The language pipeline: the verdict on invented numbers, and the parts whose answers are known.
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "engine/ops.h"
#include "tests/support/expect.h"
#include "tools/experiments/language_parts.h"
#include "tools/experiments/list.h"

namespace strata::experiments {
namespace {

const std::vector<const char*> factors = {"word class",    "phrase",      "dependency",
                                          "sentence type", "coreference", "topic"};

// Factors resolved at the layers given.
Json probes(const std::vector<double>& expected, double gain) {
  Json out;
  for (size_t i = 0; i < factors.size(); ++i)
    out[factors[i]] = {{"scores", {0.5, 0.5 + gain / 2, 0.5 + gain}},
                       {"expected", expected[i]},
                       {"gravity", 1 + expected[i] / 10},
                       {"chance", 0.3}};
  out["dependency"]["selectivity"] = 0.3;
  return out;
}
Json curve(double last) {
  return {{"step", {0, 50, 100}}, {"score", {0.1, 0.2, last}}, {"loss", {3, 2, 1}},
          {"score_half", 60},     {"loss_half", 55},           {"steps", 100}};
}
Json good_seed() {
  Json seed;
  for (const char* model : {"causal", "masked"})
    seed[model] = {{"trained", probes({0, 1, 2, 3, 3, 3}, 0.3)},
                   {"untrained", probes({1, 1, 1, 1, 1, 1}, 0.05)}};
  seed["one_layer"] = curve(0.2);
  seed["two_layers"] = curve(0.9);
  return seed;
}
Result judged(const Json& seed) { return language_pipeline().judge({seed, seed}, Budget::small); }

TEST(LanguagePipeline, IsSupportedWhenEverythingHolds) {
  const Result r = judged(good_seed());
  EXPECT_EQ(r.verdict, Verdict::supported) << r.why;
  EXPECT_DOUBLE_EQ(r.measures[0].per_seed[0], 1);
  EXPECT_DOUBLE_EQ(r.measures[2].per_seed[0], 6);
  EXPECT_DOUBLE_EQ(r.measures[7].per_seed[0], 0.05);
  EXPECT_DOUBLE_EQ(r.measures[8].per_seed[0], 0);
  EXPECT_EQ(r.pictures.size(), 2u);
}

TEST(LanguagePipeline, EachThresholdFlipsItsMeasure) {
  struct Miss {
    const char* at;
    double value;
    size_t measure;
  };
  const std::vector<Miss> misses = {
      {"/causal/trained/phrase/expected", 9, 0},
      {"/masked/trained/phrase/expected", 9, 1},
      {"/causal/trained/topic/scores/2", 0.54, 2},
      {"/masked/trained/topic/scores/2", 0.54, 2},
      {"/causal/trained/dependency/selectivity", 0.19, 3},
      {"/masked/trained/dependency/selectivity", 0.19, 4},
      {"/two_layers/score/2", 0.49, 5},
      {"/one_layer/score/2", 0.51, 6},
      {"/two_layers/loss_half", 71, 7},
      {"/two_layers/loss_half", -1, 7},
  };
  for (const Miss& miss : misses) {
    Json seed = good_seed();
    seed[Json::json_pointer(miss.at)] = miss.value;
    const Result r = judged(seed);
    EXPECT_EQ(r.verdict, Verdict::in_part) << miss.at << ": " << r.why;
    for (size_t m = 0; m < r.measures.size(); ++m)
      EXPECT_EQ(r.measures[m].passed, m != miss.measure) << miss.at << ": " << r.measures[m].name;
  }
}

// A factor to which layers add nothing has no place: where it seems to be counts for nothing.
TEST(LanguagePipeline, OrdersOnlyWhatLayersAddTo) {
  Json seed = good_seed();
  seed["causal"]["trained"]["topic"] = {
      {"scores", {0.5, 0.5, 0.51}}, {"expected", -40.0}, {"gravity", 0.0}, {"chance", 0.3}};
  const Result r = judged(seed);
  EXPECT_TRUE(r.measures[0].passed);
  EXPECT_DOUBLE_EQ(r.measures[2].per_seed[0], 5);
}

TEST(LanguagePipeline, AFailingControlIsNotSupported) {
  Json untrained = good_seed();
  untrained["masked"]["untrained"] = probes({0, 1, 2, 3, 3, 3}, 0.3);
  EXPECT_EQ(judged(untrained).verdict, Verdict::not_supported);
  Json shuffled = good_seed();
  shuffled["causal"]["trained"]["dependency"]["chance"] = 0.75;
  EXPECT_EQ(judged(shuffled).verdict, Verdict::not_supported);
  Json word_alone = good_seed();
  word_alone["causal"]["trained"]["dependency"]["scores"] = {0.8, 0.8, 0.84};
  EXPECT_EQ(judged(word_alone).verdict, Verdict::not_supported);
}

TEST(LanguagePipeline, HasNoLayersToMove) {
  Context context;
  context.lie = Lie::moving_layers;
  EXPECT_FAILS(language_pipeline().run_seed(context), "freezes no layers");
}

TEST(HalfWay, IsReadBetweenThePoints) {
  EXPECT_DOUBLE_EQ(half_way({0, 10, 20}, {0, 0, 1}, 0), 15);
  EXPECT_DOUBLE_EQ(half_way({0, 10, 20}, {4, 1, 0}, 4), 10.0 * 2 / 3);
  // From what guessing costs, not from the first reading.
  EXPECT_DOUBLE_EQ(half_way({0, 10, 20}, {9, 4, 1}, 3), 10 + 10.0 * 2 / 3);
  EXPECT_DOUBLE_EQ(half_way({0, 10}, {1, 1}, 1), -1);
}

TEST(RepeatingTokens, RepeatWithTheirPeriodAndTheSeed) {
  const Repeats r = repeating_tokens(20, 16, 32, 3, 5);
  const auto tokens = r.tokens.to_vector<int64_t>();
  EXPECT_EQ(tokens, repeating_tokens(20, 16, 32, 3, 5).tokens.to_vector<int64_t>());
  EXPECT_NE(tokens, repeating_tokens(20, 16, 32, 3, 6).tokens.to_vector<int64_t>());
  std::set<int64_t> periods;
  for (int64_t i = 0; i < 16; ++i) {
    const int64_t period = r.periods[static_cast<size_t>(i)];
    periods.insert(period);
    for (int64_t t = period; t < 32; ++t)
      EXPECT_EQ(tokens[static_cast<size_t>(32 * i + t)],
                tokens[static_cast<size_t>(32 * i + t - period)]);
  }
  EXPECT_GE(*periods.begin(), 8);
  EXPECT_LE(*periods.rbegin(), 16);
  EXPECT_GT(periods.size(), 2u);
}

// Against the text itself.
TEST(AnswerOf, SaysWhatThePassageSays) {
  using namespace terrace_text;
  const TerraceText data(7, {.sentences = text_sentences});
  int64_t relatives = 0, pronouns = 0;
  for (uint64_t i = 0; i < 200; ++i) {
    const Passage passage = data.passage(i);
    for (size_t place = 1; place < passage.tokens.size(); ++place) {
      const Token& token = passage.tokens[place];
      const std::string& text = words()[static_cast<size_t>(token.word)].text;
      const int64_t relative = answer_of(passage, place, TextFactor::word_class);
      EXPECT_EQ(relative >= 0, text == "that");
      // A relative "that" follows its noun.
      if (relative == 1) {
        ++relatives;
        EXPECT_EQ(passage.tokens[place - 1].factors[word_class],
                  static_cast<int8_t>(WordClass::noun));
      }
      const int64_t who = answer_of(passage, place, TextFactor::coreference);
      if (who < 0) continue;
      ++pronouns;
      // Persons are "he" or "she", animals "it"; of several nobody can tell.
      const bool person =
          entity_of(actor(passage.setting, static_cast<int>(who))) == Entity::person;
      if (text == "he" || text == "she" || text == "himself" || text == "herself") {
        EXPECT_TRUE(person) << text;
      }
      if (text == "it" || text == "itself") {
        EXPECT_FALSE(person) << text;
      }
    }
  }
  EXPECT_GT(relatives, 20);
  EXPECT_GT(pronouns, 50);
}

TEST(WordsAsked, AreTheSameOfEveryModel) {
  for (const bool masked : {false, true}) {
    const TextTraining few{
        .masked = masked, .layers = 2, .width = 8, .heads = 2, .steps = 1, .passages = 2};
    const ReadText one = read_text(*train_text(few, 4), 4, 1000, 20),
                   other = read_text(*train_text(few, 5), 4, 1000, 20);
    ASSERT_EQ(one.layers.size(), 3u);
    for (int f = 0; f < text_factors; ++f) {
      const TextCodes codes = words_asked(one, static_cast<TextFactor>(f), 15);
      ASSERT_FALSE(codes.words.empty()) << f;
      EXPECT_LE(codes.words.size(), 15u);
      EXPECT_EQ(codes.layers[2].shape(), (Dims{std::ssize(codes.words), 8}));
      EXPECT_TRUE(std::isfinite(sum(codes.layers[2]).item()));
      EXPECT_EQ(codes.words, words_asked(other, static_cast<TextFactor>(f), 15).words);
    }
  }
}

// Rows are those of the words: the embedding of one word in one place is one vector.
TEST(WordsAsked, ReadTheirOwnPlaces) {
  const auto model = train_text({.layers = 1, .width = 8, .heads = 2, .steps = 0}, 4);
  const ReadText text = read_text(*model, 4, 0, 3);
  const TextCodes codes = words_asked(text, TextFactor::dependency, 1000);
  size_t row = 0;
  for (size_t i = 0; i < text.passages.size(); ++i)
    for (size_t place = 1; place < text.passages[i].tokens.size(); ++place) {
      if (answer_of(text.passages[i], place, TextFactor::dependency) < 0) continue;
      EXPECT_EQ(codes.words[row], text.passages[i].tokens[place].word);
      const Tensor expected =
          text.layers[1].select(0, static_cast<int64_t>(i)).select(0, static_cast<int64_t>(place));
      EXPECT_EQ(codes.layers[1].select(0, static_cast<int64_t>(row)).to_vector<float>(),
                expected.contiguous().to_vector<float>());
      ++row;
    }
  EXPECT_EQ(row, codes.words.size());
}

TEST(TrainInduction, StartsWithoutCopying) {
  const InductionCurve curve = train_induction(1, 4, 2, 3);
  EXPECT_EQ(curve.step, (std::vector<double>{0, 2, 4}));
  EXPECT_LT(curve.score.front(), 0.3);
  EXPECT_DOUBLE_EQ(curve.guessing, std::log(24.0));
  EXPECT_EQ(curve.loss, train_induction(1, 4, 2, 3).loss);
}

}  // namespace
}  // namespace strata::experiments
