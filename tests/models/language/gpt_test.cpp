// GPT-2's sizes, and the key-value cache: the same logits as the whole sequence read at once.
#include "models/language/gpt.h"

#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

// Weights large enough that attention is far from uniform.
std::unique_ptr<Gpt> wild_gpt(const GptOptions& options, DType dtype = DType::f32) {
  manual_seed(3);
  auto model = std::make_unique<Gpt>(options);
  for (Tensor& p : model->parameters()) init::normal_(p, 0, 0.4);
  model->to(dtype);
  return model;
}

constexpr GptOptions small{.vocabulary = 11, .context = 12, .width = 12, .heads = 3, .layers = 3};

TEST(Gpt, HasThePublishedSizes) {
  for (auto [name, count] :
       std::vector<std::pair<std::string, int64_t>>{{"gpt2", 124'439'808},
                                                    {"gpt2-medium", 354'823'168},
                                                    {"gpt2-large", 774'030'080},
                                                    {"gpt2-xl", 1'557'611'200}}) {
    EXPECT_EQ(gpt_parameter_count(gpt2_options(name)), count) << name;
    const nlohmann::json options = model_options(name);
    EXPECT_EQ(options.at("width"), gpt2_options(name).width) << name;
    EXPECT_EQ(options.at("layers"), gpt2_options(name).layers) << name;
  }
  EXPECT_EQ(make_model("gpt-nano", nullptr)->parameter_count(), 103'344);
  EXPECT_FAILS(gpt2_options("gpt3"), "no GPT-2 'gpt3'; there are gpt2, gpt2-medium");
}

TEST(Gpt, CountsAsItsFormula) {
  for (const GptOptions& options :
       {small, GptOptions{.vocabulary = 3, .context = 2, .width = 4, .heads = 1, .layers = 1},
        GptOptions{.vocabulary = 5, .context = 9, .width = 6, .heads = 2, .layers = 4}})
    EXPECT_EQ(Gpt(options).parameter_count(), gpt_parameter_count(options));
}

// A prompt of 4, then one or two at a time up to the whole context.
TEST(Gpt, PredictsFromItsCacheWhatItPredictsFromTheWhole) {
  for (auto [dtype, tolerance] : {std::pair(DType::f32, 1e-5), std::pair(DType::f64, 1e-13)}) {
    auto model = wild_gpt(small, dtype);
    model->eval();
    NoGrad off;
    const Tensor text = tokens(11, {2, 12});
    GptCache cache = model->cache();
    int64_t read = 0;
    for (int64_t fresh : {4, 1, 1, 2, 1, 3}) {
      const Tensor logits = model->next(text.slice(1, read, read + fresh), cache);
      read += fresh;
      ASSERT_EQ(cache.length(), read);
      const Tensor whole = (*model)(text.slice(1, 0, read)).select(1, -1);
      ASSERT_EQ(logits.shape(), whole.shape());
      expect_near(values(logits), values(whole), tolerance);
    }
    EXPECT_FAILS(model->next(text.slice(1, 0, 1), cache),
                 "T up to its context 12; got i64\\[2,1\\] after 12 in the cache");
  }
}

// Going back and reading something else: what was forgotten has no influence.
TEST(Gpt, ForgetsWhatTheCacheIsSetBackFrom) {
  auto model = wild_gpt(small);
  model->eval();
  NoGrad off;
  const Tensor a = tokens(11, {1, 6}), b = flip(a, {1});
  GptCache cache = model->cache();
  model->next(a, cache);
  for (KeyValueCache& block : cache.blocks) block.length = 2;
  const Tensor got = model->next(b.slice(1, 2, 6), cache);
  const Tensor want = (*model)(concatenate({a.slice(1, 0, 2), b.slice(1, 2, 6)}, 1)).select(1, -1);
  expect_near(values(got), values(want), 1e-5);
  EXPECT_NE(values(got), values((*model)(a).select(1, -1)));
}

// What an observer puts in place of a key is what later tokens see.
TEST(Gpt, ShowsAndTakesReplacedActivationsWithACache) {
  auto model = wild_gpt(small);
  model->eval();
  NoGrad off;
  const Tensor text = tokens(11, {1, 5});
  auto without_keys = [](const std::string& name, const Tensor& value) {
    return name == "blocks.1.attention.keys" ? zeros_like(value) : Tensor();
  };
  Tensor whole, continued;
  {
    ActivationObserver observer(without_keys);
    whole = (*model)(text).select(1, -1);
    GptCache cache = model->cache();
    model->next(text.slice(1, 0, 3), cache);
    continued = model->next(text.slice(1, 3, 5), cache);
  }
  expect_near(values(continued), values(whole), 1e-5);
  EXPECT_NE(values(whole), values((*model)(text).select(1, -1)));
}

TEST(Gpt, SaysWhatACacheCannot) {
  auto model = wild_gpt(small);
  GptCache cache = model->cache();
  EXPECT_FAILS(model->next(tokens(11, {1, 2}), cache), "use it under NoGrad");
  NoGrad off;
  EXPECT_FAILS(model->next(tokens(11, {1, 0}), cache), "needs a token to go on from");
  model->next(tokens(11, {1, 2}), cache);
  EXPECT_FAILS(model->next(tokens(11, {2, 1}), cache),
               "keeps 2 of up to 12 tokens of 1 sequences; f32\\[2,1,3,4\\] do not fit");
  GptCache other = Gpt({.vocabulary = 11, .width = 12, .heads = 3, .layers = 2}).cache();
  EXPECT_FAILS(model->next(tokens(11, {1, 2}), other), "has 3 blocks; the cache is one of 2");
  MultiheadAttention both_ways(4, 2);
  KeyValueCache one{.capacity = 4};
  EXPECT_FAILS(both_ways(zeros({1, 2, 4}), one), "only where it is causal");
}

}  // namespace
}  // namespace strata::test
