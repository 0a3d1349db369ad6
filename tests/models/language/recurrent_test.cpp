// The recurrent language models and the tagger: sizes, gradients, states, and who sees what.
#include "models/language/recurrent_lm.h"
#include "models/language/tagger.h"
#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

class RecurrentLanguage : public testing::TestWithParam<RecurrentCell> {
 protected:
  RecurrentLmOptions small(bool tied = false) const {
    return {.cell = GetParam(),
            .vocabulary = 9,
            .embedding = tied ? 6 : 5,
            .width = 6,
            .layers = 2,
            .tied = tied};
  }
};
INSTANTIATE_TEST_SUITE_P(Cells, RecurrentLanguage,
                         testing::Values(RecurrentCell::rnn, RecurrentCell::gru,
                                         RecurrentCell::lstm));

TEST_P(RecurrentLanguage, CountsAsItsFormula) {
  for (bool tied : {false, true}) {
    EXPECT_EQ(RecurrentLm(small(tied)).parameter_count(),
              recurrent_lm_parameter_count(small(tied)));
  }
  RecurrentLmOptions one = small();
  one.layers = 1;
  EXPECT_EQ(RecurrentLm(one).parameter_count(), recurrent_lm_parameter_count(one));
}

TEST_P(RecurrentLanguage, HasExactGradients) {
  for (bool tied : {false, true}) {
    manual_seed(3);
    RecurrentLm model(small(tied));
    expect_gradients(model, tokens(9, {2, 5}));
  }
}

TEST_P(RecurrentLanguage, ReadsOneTokenAtATimeAsTheWhole) {
  manual_seed(4);
  RecurrentLm model(small());
  model.to(DType::f64);
  const Tensor text = tokens(9, {2, 6}), whole = model(text);
  RecurrentState state;
  for (int64_t t = 0; t < 6; ++t) {
    const Tensor logits = model.next(text.slice(1, t, t + 1), state);
    expect_near(values(logits.select(1, 0)), values(whole.select(1, t)));
  }
}

TEST_P(RecurrentLanguage, ShowsItsStagesAndGoesRound) {
  RecurrentLm model(small());
  const Tensor text = tokens(9, {2, 5});
  expect_stages(model, text, {"embedding", "recurrent.layer0", "recurrent.layer1", "head"});
  expect_state_goes_round([&] { return std::make_unique<RecurrentLm>(small()); }, text);
  EXPECT_FAILS(model(zeros({2}, DType::i64)), R"(takes tokens \[N, T\].*got i64\[2\])");
  RecurrentLmOptions unequal = small();
  unequal.tied = true;
  EXPECT_FAILS(RecurrentLm(unequal), "as wide as the states; got 5 and 6");
}

TEST(RecurrentLanguageModels, HaveTheCountedDefaults) {
  EXPECT_EQ(recurrent_lm_parameter_count({}), 1'020'160);
  EXPECT_EQ(make_model("lstm_lm", nullptr)->parameter_count(), 1'020'160);
  // PyTorch's word_language_model example, its LSTM of 2 x 650 on WikiText-2, tied.
  EXPECT_EQ(recurrent_lm_parameter_count({.cell = RecurrentCell::lstm,
                                          .vocabulary = 33278,
                                          .embedding = 650,
                                          .width = 650,
                                          .layers = 2,
                                          .tied = true}),
            33278 * 650 + 33278 + 2 * 4 * 650 * (650 + 650 + 2));
}

constexpr TaggerOptions tiny{.words = 12,
                             .characters = 10,
                             .letters = 4,
                             .tags = 3,
                             .word_width = 5,
                             .character_width = 3,
                             .filters = 4,
                             .width = 3,
                             .layers = 2,
                             .dropout = 0};

// Sentences of 5 and 3 words.
Tensor sentences(uint64_t seed = 6) {
  Generator generator(seed);
  Tensor words = randint(2, 12, {2, 5, 1}, DType::i64, &generator);
  Tensor letters = randint(0, 10, {2, 5, 4}, DType::i64, &generator);
  Tensor all = concatenate({words, letters}, 2);
  fill_(all.slice(0, 1, 2).slice(1, 3, 5), 0);
  return all;
}

TEST(Tagger, CountsAsItsFormula) {
  EXPECT_EQ(Tagger(tiny).parameter_count(), tagger_parameter_count(tiny));
  EXPECT_EQ(tagger_parameter_count({}), 490'465);
  EXPECT_EQ(Tagger().parameter_count(), 490'465);
}

TEST(Tagger, HasExactGradients) {
  manual_seed(5);
  Tagger model(tiny);
  expect_gradients(model, sentences());
}

// A sentence is tagged as if it stood alone, whatever comes after it in its row.
TEST(Tagger, TagsAPaddedSentenceAsItDoesAlone) {
  manual_seed(6);
  Tagger model(tiny);
  model.to(DType::f64).eval();
  const Tensor x = sentences();
  const Tensor together = model(x).select(0, 1).slice(0, 0, 3);
  const Tensor alone = model(x.slice(0, 1, 2).slice(1, 0, 3)).select(0, 0);
  expect_near(values(together), values(alone));
}

// Two words without a number differ by their spelling; and a word is seen from both sides.
TEST(Tagger, SeesSpellingAndBothNeighbours) {
  manual_seed(7);
  Tagger model(tiny);
  model.to(DType::f64).eval();
  const Tensor x = sentences();
  auto changed = [&](int64_t word, int64_t column, double value) {
    Tensor other = x.clone();
    fill_(other.slice(0, 0, 1).slice(1, word, word + 1).slice(2, column, column + 1), value);
    return other;
  };
  const auto middle = [&](const Tensor& in) { return values(model(in).select(0, 0).select(0, 2)); };
  const std::vector<double> before = middle(changed(2, 0, 1));
  Tensor respelled = changed(2, 0, 1);
  fill_(respelled.slice(0, 0, 1).slice(1, 2, 3).slice(2, 1, 5), 7);
  EXPECT_NE(middle(respelled), before);
  const std::vector<double> own = middle(x);
  EXPECT_NE(middle(changed(1, 0, 3)), own);
  EXPECT_NE(middle(changed(3, 0, 3)), own);
}

TEST(Tagger, ShowsItsStagesAndGoesRound) {
  Tagger model(tiny);
  expect_stages(model, sentences(),
                {"embedding", "recurrent.layer0", "recurrent.layer1", "recurrent", "head"});
  expect_state_goes_round([] { return std::make_unique<Tagger>(tiny); }, sentences());
  EXPECT_FAILS(model(zeros({2, 5, 4}, DType::i64)), R"(takes \[N, T, 5\].*got i64\[2,5,4\])");
  EXPECT_FAILS(model(zeros({2, 5, 5}, DType::i64)), "a length is 0");
}

}  // namespace
}  // namespace strata::test
