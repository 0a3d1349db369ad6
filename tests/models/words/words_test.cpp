// Word vectors: the sparse gradients are those of autograd, whatever the number of threads; samples
// have the frequencies they should; analogies are answered as by hand.
#include <cmath>
#include <map>
#include <set>

#include "engine/data/keyed_random.h"
#include "engine/nn/init.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "kernels/common/parallel.h"
#include "models/words/analogies.h"
#include "models/words/glove.h"
#include "models/words/word2vec.h"
#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

Corpus small_corpus() {
  std::string text;
  for (int i = 0; i < 40; ++i)
    text += "the king and the queen saw a dog; the dog didn't see Kings. a queen sees dogs ";
  return corpus_of(text, 1);
}

TEST(WordCorpus, CountsWordsInTheOrderOfTheirCounts) {
  const Corpus corpus = corpus_of("The cat, the dog's dog: the 'cat' ate.", 1);
  EXPECT_EQ(corpus.words, (Names{"the", "cat", "ate", "dog", "dog's"}));
  EXPECT_EQ(corpus.counts, (std::vector<int64_t>{3, 2, 1, 1, 1}));
  EXPECT_EQ(corpus.tokens, (std::vector<int>{0, 1, 0, 4, 3, 0, 1, 2}));
  EXPECT_EQ(corpus_of("a b a", 2).tokens, (std::vector<int>{0, 0}));
}

TEST(WordCorpus, ShuffledTokensKeepCountsAndBoundaries) {
  Corpus corpus = small_corpus();
  corpus.tokens[5] = Corpus::boundary;
  Corpus shuffled = corpus;
  shuffle_tokens(shuffled, 3);
  EXPECT_NE(shuffled.tokens, corpus.tokens);
  EXPECT_EQ(shuffled.tokens[5], Corpus::boundary);
  EXPECT_TRUE(
      std::is_permutation(shuffled.tokens.begin(), shuffled.tokens.end(), corpus.tokens.begin()));
}

TEST(AliasTable, DrawsInProportion) {
  const std::vector<double> weights = {1, 0, 5, 2, 0.5, 1.5};
  AliasTable table(weights);
  std::vector<double> counts(weights.size());
  constexpr uint32_t grid = 600;  // every pair of a grid over both draws: no noise
  for (uint32_t i = 0; i < grid; ++i)
    for (uint32_t j = 0; j < grid; ++j)
      ++counts[static_cast<size_t>(table(i * (UINT32_MAX / grid) + 1000, j * (UINT32_MAX / grid)))];
  for (size_t i = 0; i < weights.size(); ++i)
    EXPECT_NEAR(counts[i] / (grid * grid), weights[i] / 10, 0.004) << i;
  EXPECT_FAILS(AliasTable({0, 0}), "2 weights sum to 0");
}

TEST(WordPairs, WindowsSubsamplingAndNegativesFollowTheirLaws) {
  Corpus corpus;
  corpus.words = {"a", "b", "c"};
  corpus.counts = {8000, 1600, 400};
  KeyedRandom random(1, 2, 3);
  for (int i = 0; i < 10000; ++i) {
    const uint32_t draw = random.below(25);
    corpus.tokens.push_back(draw < 20 ? 0 : draw < 24 ? 1 : 2);
  }
  const WordPairOptions options{.window = 3, .negatives = 4, .subsample = 0.1, .batch = 1000};
  WordPairSampler sampler(corpus, options);
  EXPECT_EQ(sampler.batches(), 10);
  std::map<int64_t, double> centres, negatives;
  double contexts = 0, examples = 0, drawn = 0;
  for (int64_t step = 0; step < 20; ++step) {
    const WordPairs pairs = sampler.batch(step);
    examples += static_cast<double>(pairs.examples());
    for (int64_t word : pairs.inputs) ++centres[word];
    for (size_t t = 0; t < pairs.targets.size(); ++t) {
      contexts += pairs.labels[t];
      if (pairs.labels[t] == 0) ++negatives[pairs.targets[t]], ++drawn;
    }
  }
  EXPECT_NEAR(contexts / examples, 2 * (1 + 2 + 3) / 3.0, 0.1);
  // Kept: (sqrt(f / t) + 1) t / f of the tokens of a word.
  EXPECT_NEAR(centres[0] / 2 / 8000, (std::sqrt(8.0) + 1) / 8, 0.03);
  EXPECT_NEAR(centres[2] / 2 / 400, 1, 0.1);
  // count^.75 among the draws, of which those of the positive word itself are left out.
  auto power = [&](size_t w) { return std::pow(corpus.counts[w], 0.75); };
  EXPECT_NEAR(negatives[1] / negatives[2],
              power(1) * (1 - centres[1] / examples) / (power(2) * (1 - centres[2] / examples)),
              0.25);
  EXPECT_GT(drawn, 80000);
  EXPECT_EQ(sampler.batch(3).targets, sampler.batch(3).targets);
  EXPECT_NE(sampler.batch(3).targets, sampler.batch(13).targets);  // the next pass
}

// The rows that sparse gradients have, and zeros elsewhere.
std::vector<double> dense(const RowGradient& gradient, int64_t elements) {
  std::vector<double> all(static_cast<size_t>(elements));
  const size_t width = gradient.values.size() / gradient.rows.size();
  for (size_t r = 0; r < gradient.rows.size(); ++r)
    for (size_t c = 0; c < width; ++c)
      all[static_cast<size_t>(gradient.rows[r]) * width + c] = gradient.values[r * width + c];
  return all;
}

template <class M, class Batch>
void expect_sparse_is_autograd(M& model, const Batch& batch) {
  uint64_t seed = 50;
  for (Tensor& p : model.parameters()) rebind(p, random(p.shape(), ++seed).to(DType::f32) * 0.5);
  const auto got = model.gradient(batch);
  model.zero_grad();
  Tensor loss = model.loss(batch);
  loss.backward();
  EXPECT_NEAR(got.loss, loss.item(), 1e-5 * std::abs(loss.item()));
  size_t i = 0;
  for (auto& [name, parameter] : model.named_parameters()) {
    SCOPED_TRACE(name);
    ASSERT_FALSE(got.rows[i].rows.empty());
    expect_near(dense(got.rows[i++], parameter.numel()), values(parameter.grad()), 1e-5);
  }
  const int threads = thread_count();
  for (int n : {1, 3}) {
    set_thread_count(n);
    const auto again = model.gradient(batch);
    EXPECT_EQ(again.loss, got.loss);
    for (size_t k = 0; k < got.rows.size(); ++k) {
      EXPECT_EQ(again.rows[k].rows, got.rows[k].rows);
      EXPECT_EQ(again.rows[k].values, got.rows[k].values);
    }
  }
  set_thread_count(threads);
}

TEST(Word2Vec, CountsGradientsState) {
  EXPECT_EQ(word2vec_parameter_count({.vocabulary = 3'000'000, .width = 300}), 1'800'000'000);
  EXPECT_EQ(Word2Vec().parameter_count(), 2'000'000);
  EXPECT_EQ(Word2Vec().parameter_count(), word2vec_parameter_count({}));
  manual_seed(1);
  Word2Vec tiny({.vocabulary = 9, .width = 4});
  for (Tensor& p : tiny.parameters()) init::normal_(p);
  expect_gradients(tiny, tokens(9, {12}));
  expect_gradients(tiny, tokens(9, {6, 3}));
  EXPECT_FAILS(tiny(tokens(9, {1, 2, 3})), "takes word numbers \\[N\\] or \\[N, K\\]; got i64");
}

TEST(Word2Vec, SparseGradientIsThatOfAutograd) {
  const Corpus corpus = small_corpus();
  for (bool cbow : {false, true}) {
    SCOPED_TRACE(cbow);
    WordPairSampler sampler(corpus, {.cbow = cbow, .window = 3, .batch = 200});
    manual_seed(2);
    Word2Vec model({.vocabulary = static_cast<int64_t>(corpus.words.size()), .width = 7});
    expect_sparse_is_autograd(model, sampler.batch(1));
  }
}

TEST(Glove, CountsGradientsState) {
  EXPECT_EQ(Glove().parameter_count(), 2'020'000);
  EXPECT_EQ(Glove().parameter_count(), glove_parameter_count({}));
  manual_seed(1);
  Glove tiny({.vocabulary = 9, .width = 4});
  for (Tensor& p : tiny.parameters()) init::normal_(p);
  expect_gradients(tiny, tokens(9, {12}));
  expect_gradients(tiny, tokens(9, {6, 3}));
  EXPECT_FAILS(tiny(tokens(9, {1, 2, 3})), "takes word numbers \\[N\\] or \\[N, K\\]; got i64");
}

TEST(Glove, CooccurrencesByHand) {
  Corpus corpus;
  corpus.tokens = {0, 1, 0, 2, Corpus::boundary, 1};
  const Cooccurrence cells = count_cooccurrences(corpus, 2);
  std::map<std::pair<int64_t, int64_t>, float> found;
  for (size_t i = 0; i < cells.count.size(); ++i)
    found[{cells.row[i], cells.column[i]}] = cells.count[i];
  // 0-1 twice at distance 1; 0-0 at 2, seen from both; 0-2 at 1; 1-2 at 2.
  EXPECT_EQ(found, (std::map<std::pair<int64_t, int64_t>, float>{{{0, 0}, 1},
                                                                 {{0, 1}, 2},
                                                                 {{1, 0}, 2},
                                                                 {{0, 2}, 1},
                                                                 {{2, 0}, 1},
                                                                 {{1, 2}, 0.5},
                                                                 {{2, 1}, 0.5}}));
  std::multiset<float> pass, all(cells.count.begin(), cells.count.end());
  for (int64_t step = 4; step < 8; ++step)  // the second pass of four batches
    for (float count : cooccurrence_batch(cells, 2, 1, step).count) pass.insert(count);
  EXPECT_EQ(pass, all);
}

TEST(Glove, EveryCellHasOneMore) {
  Corpus corpus;
  corpus.tokens = {0, 1, 0, 2, Corpus::boundary, 1};
  const Cooccurrence all = every_cell(count_cooccurrences(corpus, 2), 4);
  // Word 3 meets nothing.
  EXPECT_EQ(all.count, (std::vector<float>{2, 3, 2, 1, 3, 1, 1.5, 1, 2, 1.5, 1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(all.row, (std::vector<int64_t>{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3}));
  EXPECT_EQ(all.column, (std::vector<int64_t>{0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}));
}

TEST(Glove, SparseGradientIsThatOfAutograd) {
  const Corpus corpus = small_corpus();
  manual_seed(2);
  Glove model({.vocabulary = static_cast<int64_t>(corpus.words.size()), .width = 7});
  expect_sparse_is_autograd(model, cooccurrence_batch(count_cooccurrences(corpus, 4), 50, 1, 0));
}

// Five sparse steps and five dense ones lead to the same weights.
TEST(AdaGrad, SparseStepsAreDenseOnes) {
  const Corpus corpus = small_corpus();
  const Cooccurrence all = count_cooccurrences(corpus, 4);
  auto train = [&](bool sparse) {
    manual_seed(4);
    Glove model({.vocabulary = static_cast<int64_t>(corpus.words.size()), .width = 5});
    AdaGrad optimizer(model.named_parameters(), 0.1);
    for (int64_t step = 0; step < 5; ++step) {
      const Cooccurrence cells = cooccurrence_batch(all, 20, 1, step);
      if (sparse) {
        optimizer.step_rows(model.gradient(cells).rows);
      } else {
        optimizer.zero_grad();
        model.loss(cells).backward();
        optimizer.step();
      }
    }
    return values(model.vectors());
  };
  expect_near(train(true), train(false), 1e-4);
}

// The first step moves each element by the learning rate, whatever its gradient.
TEST(AdaGrad, DividesByTheRootOfTheSumOfSquares) {
  Tensor p = from_values({1, 2, 3}).set_requires_grad();
  AdaGrad optimizer({{"p", p}}, 0.5);
  for (int step = 0; step < 2; ++step) {
    optimizer.zero_grad();
    sum(p * from_values({2, -4, 0})).backward();
    optimizer.step();
  }
  const double second = 0.5 / std::sqrt(2.0);
  expect_near(values(p), {1 - 0.5 - second, 2 + 0.5 + second, 3}, 1e-6);
}

// A plane of words: sex along one axis, rank along the other.
WordVectors plane() {
  return WordVectors({"man", "woman", "king", "queen", "apple"},
                     from_vector(std::vector<float>{1, 0.2f, 0, 1, -0.2f, 0, 0.9f, 0.25f, 1, 1.1f,
                                                    -0.2f, 1, -1, 0, 0.1f},
                                 {5, 3}));
}

TEST(WordVectors, AnswerAnalogiesWithAndWithoutTheQuestion) {
  const WordVectors vectors = plane();
  for (AnalogyRule rule : {AnalogyRule::add, AnalogyRule::multiply}) {
    EXPECT_EQ(vectors.analogy("man", "king", "woman", rule), "queen");
    const AnalogyScore score = vectors.score(
        {"royal", {{"man", "king", "woman", "queen"}, {"man", "king", "girl", "queen"}}}, rule);
    EXPECT_EQ(score.questions, 1);
    EXPECT_EQ(score.skipped, 1);
    EXPECT_EQ(score.right, 1);
  }
  // man : man :: king : king only when words of the question may answer.
  EXPECT_EQ(vectors.analogy("man", "man", "king", AnalogyRule::add, false), "king");
  EXPECT_NE(vectors.analogy("man", "man", "king", AnalogyRule::add, true), "king");
  const auto scores = vectors.score({{"same", {{"man", "man", "king", "king"}}}});
  EXPECT_EQ(scores.back().name, "all");
  EXPECT_EQ(scores.back().right, 0);
  EXPECT_EQ(scores.back().right_of_all, 1);
}

TEST(WordVectors, NearestAndSimilarity) {
  const WordVectors vectors = plane();
  const auto near = vectors.nearest("king", 10);
  ASSERT_EQ(near.size(), 4u);
  EXPECT_EQ(near[0].word, "queen");
  EXPECT_EQ(near[3].word, "apple");
  EXPECT_NEAR(vectors.similarity("man", "woman"), (1 - 0.04) / 1.04, 1e-6);
  EXPECT_NEAR(vectors.similarity("queen", "queen"), 1, 1e-6);
  EXPECT_FAILS(vectors.similarity("man", "girl"), "'girl' is not among the 5 words");
  EXPECT_FAILS(WordVectors({"a"}, zeros({2, 3})), "\\[1, C\\]; got f32\\[2,3\\]");
}

}  // namespace
}  // namespace strata::test
