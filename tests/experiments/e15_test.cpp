// Embeddings as an interface: the verdict on invented numbers, and the parts whose answers are
// known.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/ops.h"
#include "tests/support/expect.h"
#include "tools/experiments/caption_towers.h"
#include "tools/experiments/list.h"
#include "tools/experiments/planted_words.h"

namespace strata::experiments {
namespace {

Json good_seed() {
  const Json word{{"right", 0.95}, {"right_of_all", 0.5}, {"control", 0.02}};
  Json seed{{"words", {{"skipgram", word}, {"cbow", word}, {"glove", word}}}};
  seed["images"] = {
      {"held_out", 0.5},
      {"hue", 0.9},
      {"outline", 0.5},
      {"seen", 0.6},
      {"shuffled", 0.03},
      {"untrained", 0.03},
      {"retrieval", {{"embeddings", 0.7}, {"pixels", 0.2}, {"untrained", 0.2}}},
      {"search",
       {{"vectors", 1000}, {"recall", 0.999}, {"speed", 25}, {"recall_after_removal", 0.998}}},
      {"map",
       {{"tsne", 0.95},
        {"umap", 0.95},
        {"tsne_neighbours", 0.5},
        {"umap_neighbours", 0.5},
        {"neighbours", 0.5},
        {"points", {0.0, 0.0, 1.0, 1.0, 2.0, 0.0}},
        {"classes", {0, 5, 31}}}}};
  return seed;
}

Result judged(const Json& seed) { return embeddings().judge({seed, seed}, Budget::small); }

TEST(EmbeddingsExperiment, IsSupportedWhenEverythingHolds) {
  const Result r = judged(good_seed());
  EXPECT_EQ(r.verdict, Verdict::supported) << r.why;
  EXPECT_NE(r.answer.find("95 %"), std::string::npos) << r.answer;
  EXPECT_EQ(r.pictures.size(), 2u);
}

TEST(EmbeddingsExperiment, EachThresholdFlipsItsMeasure) {
  const std::vector<std::pair<const char*, double>> misses = {
      {"/words/skipgram/right", 0.89},
      {"/words/cbow/right", 0.89},
      {"/words/glove/right", 0.89},
      {"/images/held_out", 0.09},
      {"/images/retrieval/embeddings", 0.49},
      {"/images/search/recall", 0.989},
      {"/images/search/speed", 19.9},
      {"/images/search/recall_after_removal", 0.98},
      {"/images/map/tsne", 0.89},
      {"/images/map/umap", 0.89},
      {"/images/outline", 0.34},
  };
  for (size_t i = 0; i < misses.size(); ++i) {
    Json seed = good_seed();
    seed[Json::json_pointer(misses[i].first)] = misses[i].second;
    const Result r = judged(seed);
    EXPECT_EQ(r.verdict, Verdict::in_part) << misses[i].first << ": " << r.why;
    for (size_t m = 0; m < r.measures.size(); ++m)
      EXPECT_EQ(r.measures[m].passed, m != i) << misses[i].first << ": " << r.measures[m].name;
  }
}

TEST(EmbeddingsExperiment, AFailingControlIsNotSupported) {
  const std::vector<std::pair<const char*, double>> failures = {
      {"/words/cbow/control", 0.11},
      {"/images/shuffled", 0.07},
      {"/images/untrained", 0.5},
      {"/images/retrieval/untrained", 0.7},
  };
  for (const auto& [where, value] : failures) {
    Json seed = good_seed();
    seed[Json::json_pointer(where)] = value;
    EXPECT_EQ(judged(seed).verdict, Verdict::not_supported) << where;
  }
}

TEST(EmbeddingsExperiment, HasNoLayersToMove) {
  Context context;
  context.lie = Lie::moving_layers;
  EXPECT_FAILS(embeddings().run_seed(context), "freezes no layers");
}

TEST(MeanAveragePrecision, IsThatOfAListWorkedOutByHand) {
  // By cosine to the first row: row 1 (same class), row 2 (other), row 3 (same): (1/1 + 2/3) / 2.
  const Tensor x = from_vector(std::vector<float>{1, 0, 1, 0.1f, 1, 0.5f, 0, 1}, {4, 2});
  EXPECT_DOUBLE_EQ(mean_average_precision(x, {7, 7, 8, 7}, 1), (1 + 2.0 / 3) / 2);
  // Nothing else is of the class of the third, which is left out.
  EXPECT_DOUBLE_EQ(mean_average_precision(x, {7, 7, 8, 9}, 3), 1);
  EXPECT_DOUBLE_EQ(mean_average_precision(x, {1, 2, 3, 4}, 4), 0);
}

TEST(CaptionSet, HoldsOutOneOutlineOfEachHue) {
  const CaptionSet held = caption_set({.scenes = captions::Scenes::held_out, .seed = 3}, 0, 64);
  EXPECT_EQ(held.images.shape(), (Dims{64, 16, 16, 3}));
  std::vector<int64_t> outline(8, -1);
  for (const int64_t c : held.classes) {
    int64_t& first = outline.at(static_cast<size_t>(c / 4));
    if (first < 0) first = c % 4;
    EXPECT_EQ(c % 4, first);
  }
}

TEST(PlantedWords, AnUntrainedFitAnswersNextToNothingAndSeedsRepeat) {
  const Corpus corpus = terrace_words(5, 40);
  EXPECT_LT(planted_analogies_of("skipgram", corpus, 0, 1).right, 0.1);
  EXPECT_EQ(planted_analogies_of("cbow", corpus, 1, 2).right,
            planted_analogies_of("cbow", corpus, 1, 2).right);
}

TEST(TrainCaptions, RepeatsAndScoresNearChanceBeforeTraining) {
  const CaptionTraining few{.steps = 2, .batch = 8, .width = 8};
  const CaptionSet set = caption_set({.seed = 3}, 1000, 64);
  const Tensor a = embed_images(*train_captions(few, 4), set.images, Device::cpu);
  const Tensor b = embed_images(*train_captions(few, 4), set.images, Device::cpu);
  EXPECT_EQ(a.to_vector<float>(), b.to_vector<float>());
  const auto start = train_captions({.steps = 0, .width = 8}, 4);
  const ZeroShot shares = zero_shot(*start, set, 4, Device::cpu);
  EXPECT_LT(shares.both, 0.2);
  EXPECT_LE(shares.both, std::min(shares.hue, shares.outline));
}

}  // namespace
}  // namespace strata::experiments
