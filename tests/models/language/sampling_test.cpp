// Temperature, top-k and the nucleus against distributions in closed form; draws against their
// probabilities; generation with and without a cache.
#include "models/language/sampling.h"

#include <numeric>

#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

Tensor logits_of(const std::vector<double>& probabilities) { return log(vector_of(probabilities)); }

std::vector<double> kept(const std::vector<double>& probabilities, const SamplingOptions& options) {
  return values(sampling_probabilities(logits_of(probabilities), options));
}

TEST(Sampling, TemperatureRaisesProbabilitiesToAPower) {
  const std::vector<double> p = {0.1, 0.4, 0.2, 0.3};
  for (double temperature : {0.25, 0.5, 1.0, 3.0}) {
    std::vector<double> want;
    for (double x : p) want.push_back(std::pow(x, 1 / temperature));
    const double sum = std::accumulate(want.begin(), want.end(), 0.0);
    for (double& x : want) x /= sum;
    expect_near(kept(p, {.temperature = temperature}), want, 1e-12);
  }
  expect_near(kept(p, {.temperature = 0}), {0, 1, 0, 0});
  // Logits that differ by thousands at a temperature near 0 make no infinity.
  expect_near(values(sampling_probabilities(vector_of({3e3, -5e3, 2.9e3}), {.temperature = 1e-6})),
              {1, 0, 0});
}

TEST(Sampling, TopKKeepsTheLikeliestInProportion) {
  const std::vector<double> p = {0.1, 0.4, 0.2, 0.3};
  expect_near(kept(p, {.top_k = 2}), {0, 4.0 / 7, 0, 3.0 / 7});
  expect_near(kept(p, {.top_k = 1}), {0, 1, 0, 0});
  expect_near(kept(p, {.top_k = 9}), p);
  // Of equals at the edge the first stays.
  expect_near(kept({0.25, 0.25, 0.25, 0.25}, {.top_k = 3}), {1.0 / 3, 1.0 / 3, 1.0 / 3, 0});
}

TEST(Sampling, TopPKeepsTheSmallestSetThatHoldsIt) {
  const std::vector<double> p = {0.1, 0.15, 0.5, 0.25};
  expect_near(kept(p, {.top_p = 0.4}), {0, 0, 1, 0});
  expect_near(kept(p, {.top_p = 0.6}), {0, 0, 2.0 / 3, 1.0 / 3});
  expect_near(kept(p, {.top_p = 0.8}), {0, 15.0 / 90, 50.0 / 90, 25.0 / 90});
  expect_near(kept(p, {.top_p = 0.95}), p);
  expect_near(kept(p, {.top_p = 1e-9}), {0, 0, 1, 0});
}

// After top-k the two that are left hold 4/7 and 3/7, so half is held by the first alone; the
// nucleus taken first would keep both. A high temperature before widens the nucleus.
TEST(Sampling, ActsInTheOrderTemperatureTopKTopP) {
  const std::vector<double> p = {0.4, 0.3, 0.2, 0.1};
  expect_near(kept(p, {.top_k = 2, .top_p = 0.5}), {1, 0, 0, 0});
  expect_near(kept(p, {.top_p = 0.5}), {4.0 / 7, 3.0 / 7, 0, 0});
  const std::vector<double> flat = kept(p, {.temperature = 100, .top_p = 0.5});
  expect_near(flat, {0.5, 0.5, 0, 0}, 2e-3);
  EXPECT_GT(flat[0], flat[1]);
}

TEST(Sampling, TreatsRowsByThemselvesAndForbiddenTokensAsImpossible) {
  const double never = -std::numeric_limits<double>::infinity();
  const Tensor logits =
      stack({vector_of({0, never, 0}), vector_of({never, std::log(3.0), 0})}).to(DType::f32);
  expect_near(values(sampling_probabilities(logits)), {0.5, 0, 0.5, 0, 0.75, 0.25}, 1e-6);
  expect_near(values(sampling_probabilities(logits, {.top_k = 1})), {1, 0, 0, 0, 1, 0}, 1e-6);
  expect_near(values(sample(logits, {.temperature = 0})), {0, 1});
}

TEST(Sampling, DrawsWithTheseProbabilities) {
  constexpr int64_t draws = 20000;
  const std::vector<double> p = {0.1, 0.15, 0.5, 0.25}, want = {0, 15.0 / 90, 50.0 / 90, 25.0 / 90};
  Generator generator(7);
  const Tensor rows = logits_of(p).unsqueeze(0).expand({draws, 4});
  std::vector<double> count(4);
  for (double token : values(sample(rows, {.top_p = 0.8}, &generator)))
    ++count[static_cast<size_t>(token)];
  for (size_t i = 0; i < 4; ++i) {
    const double deviation = std::sqrt(draws * want[i] * (1 - want[i]));
    EXPECT_NEAR(count[i], draws * want[i], 4 * deviation) << i;
  }
}

TEST(Sampling, RepeatsWithItsSeed) {
  const Tensor rows = zeros({50, 10});
  auto draw = [&](uint64_t seed) {
    Generator generator(seed);
    return values(sample(rows, {}, &generator));
  };
  EXPECT_EQ(draw(1), draw(1));
  EXPECT_NE(draw(1), draw(2));
  Generator generator(3);
  sample(rows, {.temperature = 0}, &generator);
  EXPECT_EQ(generator.state().offset, 0u) << "a greedy choice draws";
}

// Several sequences go on with packed weights, one with plain ones.
TEST(Sampling, SequencesGoOnTogetherAsEachAlone) {
  manual_seed(1);
  Gpt model({.vocabulary = 31, .context = 24, .width = 48, .heads = 3, .layers = 2});
  for (Tensor& parameter : model.parameters()) {
    NoGrad off;
    mul_(parameter, 4);  // far from ties
  }
  const Tensor prompts = randint(0, 31, {6, 5});
  GenerateOptions greedy;
  greedy.temperature = 0;
  greedy.tokens = 30;  // longer than the context
  const Tensor together = generate(model, prompts, greedy);
  EXPECT_EQ(PackedWeights::bytes(), 0u) << "are given back";
  greedy.cached = false;
  EXPECT_EQ(values(generate(model, prompts, greedy)), values(together)) << "without a cache";
  greedy.cached = true;
  for (int64_t i = 0; i < 6; ++i) {
    const Tensor alone = generate(model, prompts.slice(0, i, i + 1), greedy);
    EXPECT_EQ(values(alone), values(together.slice(0, i, i + 1))) << "prompt " << i;
  }
}

TEST(Sampling, SaysWhatItTakes) {
  const Tensor row = zeros({3});
  EXPECT_FAILS(sample(row, {.temperature = -1}), "temperature must be at least 0; got -1");
  EXPECT_FAILS(sample(row, {.top_k = -2}), "top_k must be at least 0 \\(0: all\\); got -2");
  EXPECT_FAILS(sample(row, {.top_p = 0}), "top_p must be in \\(0, 1\\]; got 0");
  EXPECT_FAILS(sample(row, {.top_p = 1.5}), "top_p must be in \\(0, 1\\]; got 1.5");
  EXPECT_FAILS(sample(zeros({2, 0}), {}), "V at least 1; got f32\\[2,0\\]");
  EXPECT_FAILS(sample(vector_of({0, std::nan(""), 0}), {}), "row 0 .* NaN weight");
}

class Generation : public testing::Test {
 protected:
  Generation() {
    manual_seed(3);
    model = std::make_unique<Gpt>(
        GptOptions{.vocabulary = 11, .context = 9, .width = 12, .heads = 3, .layers = 2});
    for (Tensor& p : model->parameters()) init::normal_(p, 0, 0.4);
    model->to(DType::f64);
  }
  Tensor run(GenerateOptions options, bool cached = true, int64_t prompt = 3) {
    options.cached = cached;
    Generator generator(5);
    return generate(*model, tokens(11, {2, prompt}), options, &generator);
  }
  static GenerateOptions of(int64_t count, double temperature = 1) {
    GenerateOptions options;
    options.tokens = count;
    options.temperature = temperature;
    return options;
  }
  std::unique_ptr<Gpt> model;
};

// 40 tokens are more than four contexts, so the window moves on several times.
TEST_F(Generation, IsTheSameWithAndWithoutACache) {
  for (double temperature : {0.0, 1.0}) {
    for (int64_t prompt : {1, 3, 9, 20}) {
      const Tensor cached = run(of(40, temperature), true, prompt);
      EXPECT_EQ(cached.shape(), (Dims{2, prompt + 40}));
      EXPECT_EQ(values(cached), values(run(of(40, temperature), false, prompt)));
      EXPECT_EQ(values(cached.slice(1, 0, prompt)), values(tokens(11, {2, prompt})));
    }
  }
}

// Within the context, greedy text is the argmax of the whole before it.
TEST_F(Generation, TakesTheLikeliestWhenGreedy) {
  const Tensor text = run(of(6, 0));
  NoGrad off;
  for (int64_t t = 3; t < 9; ++t) {
    const Tensor logits = (*model)(text.slice(1, 0, t)).select(1, -1);
    EXPECT_EQ(values(argmax(logits, -1)), values(text.select(1, t))) << t;
  }
}

TEST_F(Generation, EndsASequenceAtItsStopToken) {
  const Tensor open = run(of(30));
  const auto first = values(open.select(0, 0)), second = values(open.select(0, 1));
  // The token that the first row has at place 6 ends it there or before; the second goes on.
  GenerateOptions options = of(30);
  options.stop = static_cast<int64_t>(first[6]);
  const Tensor ended = run(options);
  auto length = [&](const std::vector<double>& row) {
    size_t at = 3;
    while (at < row.size() && row[at] != static_cast<double>(options.stop)) ++at;
    return at;
  };
  const size_t a = length(first), b = length(second);
  ASSERT_LT(a, first.size());
  const size_t end = std::min(std::max(a, b) + 1, first.size());
  ASSERT_EQ(ended.size(1), static_cast<int64_t>(end));
  for (auto [row, stopped, want] : {std::tuple(0, a, first), std::tuple(1, b, second)}) {
    const auto got = values(ended.select(0, row));
    for (size_t t = 0; t < end; ++t)
      EXPECT_EQ(got[t], t <= stopped ? want[t] : static_cast<double>(options.stop)) << t;
  }
}

TEST_F(Generation, LeavesTheModelInItsMode) {
  model->train();
  run(of(2));
  EXPECT_TRUE(model->training());
  model->eval();
  run(of(2));
  EXPECT_FALSE(model->training());
  EXPECT_FAILS(generate(*model, tokens(11, {2, 0})), "at least one token; got i64\\[2,0\\]");
}

}  // namespace
}  // namespace strata::test
