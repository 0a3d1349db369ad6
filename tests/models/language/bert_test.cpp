// BERT's published sizes, gradients of its three heads, and what padding, types and order do.
#include "models/language/bert.h"

#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

constexpr BertOptions small{
    .vocabulary = 9, .context = 6, .width = 8, .heads = 2, .layers = 2, .types = 3};

template <class M, class... Args>
std::unique_ptr<M> wild(const BertOptions& options, Args... args) {
  manual_seed(3);
  auto model = std::make_unique<M>(options, args...);
  for (Tensor& p : model->parameters()) init::normal_(p, 0, 0.5);
  return model;
}

TEST(Bert, HasThePublishedSizes) {
  for (auto [name, encoder, with_pooler, masked] :
       {std::tuple("bert-base", 108'891'648, 109'482'240, 109'514'298),
        std::tuple("bert-large", 334'092'288, 335'141'888, 335'174'458)}) {
    const BertOptions o = bert_options(name);
    EXPECT_EQ(bert_encoder_parameter_count(o), encoder) << name;
    EXPECT_EQ(bert_encoder_parameter_count(o) + bert_pooler_parameter_count(o), with_pooler);
    EXPECT_EQ(bert_encoder_parameter_count(o) + bert_masked_head_parameter_count(o), masked);
    const nlohmann::json options = model_options(name);
    EXPECT_EQ(options.at("width"), o.width);
    EXPECT_EQ(options.at("heads"), o.heads);
  }
  EXPECT_FAILS(bert_options("bert-huge"),
               "no BERT 'bert-huge'; there are bert-base and bert-large");
}

TEST(Bert, CountsAsItsFormulas) {
  for (const BertOptions& o :
       {small, BertOptions{},
        BertOptions{.vocabulary = 5, .context = 3, .width = 6, .heads = 3, .layers = 3}}) {
    const int64_t encoder = bert_encoder_parameter_count(o);
    EXPECT_EQ(BertEncoder(o).parameter_count(), encoder);
    EXPECT_EQ(BertMaskedLm(o).parameter_count(), encoder + bert_masked_head_parameter_count(o));
    EXPECT_EQ(BertClassifier(o, 5).parameter_count(),
              encoder + bert_pooler_parameter_count(o) + 5 * (o.width + 1));
    EXPECT_EQ(BertTagger(o, 7).parameter_count(), encoder + 7 * (o.width + 1));
  }
}

TEST(Bert, GradientsOfItsHeads) {
  const Tensor x = tokens(9, {2, 6});
  expect_gradients(*wild<BertMaskedLm>(small), x);
  expect_gradients(*wild<BertClassifier>(small, 3), x);
  expect_gradients(*wild<BertTagger>(small, 4), x);
}

TEST(Bert, ShowsStagesAndStateOfItsHeads) {
  const Tensor x = tokens(9, {2, 6});
  const Names encoder = {"encoder.embedding", "encoder.blocks.0", "encoder.blocks.1"};
  auto with = [&](const Names& more) {
    Names all = encoder;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  expect_stages(*wild<BertMaskedLm>(small), x, with({"head"}));
  expect_stages(*wild<BertClassifier>(small, 3), x, with({"pooled", "head"}));
  expect_stages(*wild<BertTagger>(small, 4), x, with({"head"}));
  expect_stages(*wild<BertSentence>(small), x, encoder);
  for (const char* head : {"masked", "classes", "tags", "sentence"}) {
    const nlohmann::json options = {{"vocabulary", 9}, {"width", 8},   {"heads", 2},
                                    {"layers", 1},     {"head", head}, {"classes", 3}};
    expect_state_goes_round([&] { return make_model("bert", options); }, x);
    auto model = make_model("bert", options);
    const Dims want = head == std::string("masked")    ? Dims{2, 6, 9}
                      : head == std::string("classes") ? Dims{2, 3}
                      : head == std::string("tags")    ? Dims{2, 6, 3}
                                                       : Dims{2, 8};
    EXPECT_EQ((*model)(x).shape(), want) << head;
  }
}

// Text after the padding is cut off gives the same states; so does an explicit mask that hides
// what is no padding.
TEST(Bert, IgnoresPadding) {
  auto model = wild<BertEncoder>(small);
  model->to(DType::f64).eval();
  NoGrad off;
  const Tensor padded = from_vector(std::vector<int64_t>{3, 5, 8, 1, 0, 0}, {1, 6});
  const Tensor cut = padded.slice(1, 0, 4);
  const auto want = values((*model)(cut));
  expect_near(values((*model)(padded).slice(1, 0, 4)), want, 1e-12);
  const Tensor other = from_vector(std::vector<int64_t>{3, 5, 8, 1, 7, 2}, {1, 6});
  const Tensor seen = not_equal(padded, zeros({1}, DType::i64));
  expect_near(values((*model)(other, {}, seen).slice(1, 0, 4)), want, 1e-12);
  EXPECT_GT(max(abs((*model)(other).slice(1, 0, 4) - (*model)(cut))).item(), 1e-4);
  // Without a padding token, 0 is a token as any other.
  BertOptions plain = small;
  plain.padding = -1;
  auto all = wild<BertEncoder>(plain);
  all->to(DType::f64);
  EXPECT_GT(max(abs((*all)(padded).slice(1, 0, 4) - (*all)(cut))).item(), 1e-4);
}

// A sentence's vector has length 1, is that of the sentence without its padding, and has gradients.
TEST(Bert, TurnsSentencesIntoVectors) {
  auto model = wild<BertSentence>(small);
  model->to(DType::f64).eval();
  const Tensor padded = from_vector(std::vector<int64_t>{3, 5, 8, 1, 0, 0}, {1, 6});
  const Tensor vector = (*model)(padded);
  EXPECT_NEAR(sum(square(vector)).item(), 1, 1e-12);
  expect_near(values(vector), values((*model)(padded.slice(1, 0, 4))), 1e-12);
  const Tensor states = model->encoder()(padded).slice(1, 0, 4);
  const Tensor mean_state = mean(states, {1});
  EXPECT_NEAR(cosine_similarity(vector, mean_state).item(), 1, 1e-12);
  expect_gradients(*model, padded);
}

TEST(Bert, ReadsBothWaysAndToldTypes) {
  auto model = wild<BertTagger>(small, 4);
  model->eval();
  NoGrad off;
  const Tensor a = from_vector(std::vector<int64_t>{1, 2, 3, 4}, {1, 4});
  const Tensor b = from_vector(std::vector<int64_t>{1, 2, 3, 5}, {1, 4});
  EXPECT_GT(max(abs((*model)(a) - (*model)(b)).slice(1, 0, 1)).item(), 1e-3);
  const Tensor first = zeros({1, 4}, DType::i64), second = ones({1, 4}, DType::i64);
  EXPECT_EQ(values((*model)(a, first)), values((*model)(a)));
  EXPECT_GT(max(abs((*model)(a, second) - (*model)(a))).item(), 1e-3);
}

TEST(Bert, SaysWhatItTakes) {
  BertMaskedLm model(small);
  EXPECT_FAILS(model(tokens(9, {1, 7})), "T up to its context 6; got i64\\[1,7\\]");
  EXPECT_FAILS(model(tokens(9, {6})), "takes tokens \\[N, T\\]");
  EXPECT_FAILS(model(tokens(9, {2, 4}), tokens(3, {2, 3})),
               "types i64\\[2,3\\] must have the shape of the tokens, i64\\[2,4\\]");
  EXPECT_FAILS(model(tokens(9, {2, 4}), {}, ones({4}, DType::boolean)),
               "seen bool\\[4\\] must have the shape");
  EXPECT_FAILS(make_model("bert", {{"head", "next"}}),
               "no head 'next'; there are masked, classes, tags and sentence");
}

}  // namespace
}  // namespace strata::test
