// CLIP: published counts, both towers' gradients, the loss against its definition, and what the
// text tower sees.
#include "models/multimodal/clip.h"

#include <cmath>

#include "engine/nn/init.h"
#include "engine/optim/optimizer.h"
#include "models/multimodal/clip_rates.h"
#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

ClipOptions tiny(bool vit) {
  ClipOptions options{
      .channels = 2,
      .image_size = 8,
      .embedding = 5,
      .text = {.vocabulary = 11, .context = 6, .width = 8, .layers = 2, .heads = 2}};
  if (vit)
    options.image = ClipVitOptions{.patch = 4, .width = 8, .layers = 2, .heads = 2};
  else
    options.image = ClipResNetOptions{.blocks = {2, 1}, .width = 4, .heads = 2, .stem_stride = 1};
  return options;
}

// Random norms in place of the zeros that hide the branches of a new ResNet from gradients.
std::unique_ptr<Clip> make_tiny(bool vit) {
  manual_seed(3);
  auto clip = std::make_unique<Clip>(tiny(vit));
  for (auto& [name, tensor] : clip->named_parameters())
    if (name.ends_with("norm.weight")) init::uniform_(tensor, 0.5, 1.5);
  return clip;
}

Tensor captions(int64_t n) {
  Tensor t = tokens(9, {n, 6});
  return concatenate({t.slice(1, 0, 4), full({n, 1}, 10, DType::i64), t.slice(1, 5, 6)}, 1);
}

// The pair of towers as one function of the images, so that every parameter takes part.
struct Pair : Model {
  Clip& clip;
  Tensor texts;
  Pair(std::shared_ptr<Clip> c, Tensor t) : clip(*c), texts(std::move(t)) { add_child("clip", c); }
  Tensor forward(const Tensor& x) override { return clip.logits(clip(x), clip.encode_text(texts)); }
  std::vector<std::string> stages() const override { return {}; }
};

TEST(Clip, HasThePublishedNumbersOfParameters) {
  EXPECT_EQ(clip_parameter_count(clip_vit_b32()), 151'277'313);
  EXPECT_EQ(clip_parameter_count(clip_rn50()), 102'007'137);
  EXPECT_EQ(clip_vit_parameter_count({}, 3, 224, 512), 87'849'216);
  EXPECT_EQ(clip_resnet_parameter_count({}, 3, 224, 1024), 38'316'896);
  for (bool vit : {true, false})
    EXPECT_EQ(Clip(tiny(vit)).parameter_count(), clip_parameter_count(tiny(vit)));
  EXPECT_EQ(clip_parameter_count(clip_s()), 228'815);
  EXPECT_EQ(Clip(clip_s()).parameter_count(), 228'815);
}

TEST(Clip, BothTowersHaveTheGradientsOfTheirValues) {
  for (bool vit : {true, false}) {
    Pair pair(make_tiny(vit), captions(3));
    expect_gradients(pair, random({4, 8, 8, 2}, 2));
  }
}

TEST(Clip, ShowsItsStagesAndKeepsItsState) {
  const Tensor x = random({2, 8, 8, 2}, 2).to(DType::f32);
  expect_stages(*make_tiny(true), x,
                {"image.embedding", "image.blocks.0", "image.blocks.1", "image"});
  expect_stages(*make_tiny(false), x, {"image.stem", "image.layer1", "image.layer2", "image"});
  for (bool vit : {true, false})
    expect_state_goes_round([&] { return std::make_unique<Clip>(tiny(vit)); }, x);
}

// -log of each pair's share of its row and of its column, by loops.
TEST(Clip, LossIsTheSymmetricCrossEntropy) {
  auto clip = make_tiny(true);
  clip->to(DType::f64);
  const Tensor x = random({3, 8, 8, 2}, 2);
  const auto a = values((*clip)(x)), b = values(clip->encode_text(captions(3)));
  auto cosine = [&](int i, int j) {
    double dot = 0, aa = 0, bb = 0;
    for (int k = 0; k < 5; ++k) {
      dot += a[i * 5 + k] * b[j * 5 + k];
      aa += a[i * 5 + k] * a[i * 5 + k];
      bb += b[j * 5 + k] * b[j * 5 + k];
    }
    return dot / std::sqrt(aa * bb) / 0.07;
  };
  double want = 0;
  for (int i = 0; i < 3; ++i) {
    double row = 0, column = 0;
    for (int j = 0; j < 3; ++j) {
      row += std::exp(cosine(i, j));
      column += std::exp(cosine(j, i));
    }
    want += (std::log(row) + std::log(column) - 2 * cosine(i, i)) / 6;
  }
  EXPECT_NEAR(clip->loss(x, captions(3)).item(), want, 1e-6 * want);
}

TEST(Clip, ScaleStopsAtAHundred) {
  auto clip = make_tiny(true);
  EXPECT_NEAR(clip->scale().item(), 1 / 0.07, 1e-4);
  Tensor parameter = clip->named_parameters().front().tensor;
  ASSERT_EQ(parameter.rank(), 0);
  NoGrad off;
  fill_(parameter, 7);
  EXPECT_NEAR(clip->scale().item(), 100, 1e-3);
}

TEST(Clip, TextEndsAtItsLargestToken) {
  auto clip = make_tiny(true);
  NoGrad off;
  auto embedding = [&](std::vector<int64_t> text) {
    const auto time = static_cast<int64_t>(text.size());
    return values(clip->encode_text(from_vector(text, {1, time})));
  };
  const auto full = embedding({3, 4, 10, 0, 0, 0});
  expect_near(embedding({3, 4, 10, 7, 2, 9}), full, 1e-6);  // what follows is padding
  expect_near(embedding({3, 4, 10}), full, 1e-6);
  EXPECT_NE(embedding({4, 3, 10, 0, 0, 0}), full);  // order counts
}

// Without positions, words in another order say the same to a text tower that starts as their mean,
// and something else to one that does not.
TEST(Clip, ATextMayStartAsTheMeanOfItsWords) {
  for (const bool mean : {true, false}) {
    ClipOptions options = tiny(true);
    options.text.start_as_mean = mean;
    manual_seed(4);
    Clip clip(options);
    NoGrad off;
    for (auto& [name, tensor] : clip.named_parameters())
      if (name == "text.position") init::zeros_(tensor);
    auto embedding = [&](std::vector<int64_t> text) {
      return values(clip.encode_text(from_vector(text, {1, 6})));
    };
    const auto one = embedding({3, 4, 5, 6, 10, 0}), turned = embedding({6, 4, 3, 5, 10, 0});
    double farthest = 0;
    for (size_t i = 0; i < one.size(); ++i)
      farthest = std::max(farthest, std::abs(one[i] - turned[i]));
    if (mean)
      EXPECT_LT(farthest, 1e-6);
    else
      EXPECT_GT(farthest, 1e-3);
    EXPECT_NE(embedding({3, 4, 5, 7, 10, 0}), one);
  }
}

TEST(Clip, WordsLearnBeforeTheirOrder) {
  auto clip = make_tiny(false);
  AdamW optimizer(clip_groups(*clip), {.learning_rate = 1e-3});
  for (const ClipPart part : {ClipPart::words, ClipPart::order}) {
    set_clip_rates(optimizer, 1e-3, part);
    size_t parameters = 0;
    for (const ParameterGroup& group : optimizer.groups()) {
      parameters += group.parameters.size();
      for (const NamedTensor& p : group.parameters) {
        const bool words = p.name == "text.token.weight" || p.name == "text.position";
        double want = words ? 4e-3 : p.name.starts_with("text.") ? 3e-5 : 1e-3;
        if (part == ClipPart::order) want = 1e-3;
        EXPECT_DOUBLE_EQ(group.initial_learning_rate, want) << p.name;
      }
    }
    EXPECT_EQ(parameters, clip->named_parameters().size());
  }
  AdamW other(clip->named_parameters(), {});
  EXPECT_FAILS(set_clip_rates(other, 1e-3, ClipPart::words), "three groups");
}

TEST(Clip, PoolAsksWithTheMean) {
  manual_seed(1);
  AttentionPool pool(2, 4, 2, 3);
  NoGrad off;
  for (auto& [name, tensor] : pool.named_parameters())
    if (name == "position" || name.ends_with("bias")) init::zeros_(tensor);
  // Without positions, an order of positions cannot matter.
  const Tensor x = random({1, 2, 2, 4}, 4).to(DType::f32);
  expect_near(values(pool(flip(x, {1, 2}))), values(pool(x)), 1e-5);
  // A constant map: every value is the same, so whatever is asked, the answer is it.
  const Tensor constant = x.slice(1, 0, 1).slice(2, 0, 1).expand({1, 2, 2, 4}).contiguous();
  Tensor value = constant.slice(1, 0, 1).slice(2, 0, 1).reshape({1, 4});
  for (const char* name : {"value", "projection"})
    value = dynamic_cast<Linear&>(pool.find(name))(value);
  expect_near(values(pool(constant)), values(value), 1e-5);
}

TEST(Clip, SaysWhatDoesNotFit) {
  auto clip = make_tiny(true);
  EXPECT_FAILS(clip->encode_text(tokens(9, {2, 7})), "up to its context 6.*\\[2,7\\]");
  EXPECT_FAILS((*clip)(zeros({1, 12, 12, 2})), "9 patches.*those of 4");
  EXPECT_FAILS(clip->loss(zeros({2, 8, 8, 2}), captions(3)), "each image needs its caption");
  EXPECT_FAILS(make_model("clip", {{"tower", "mlp"}}), "\"vit\" or \"resnet\"; got \"mlp\"");
  EXPECT_FAILS(make_model("clip", {{"height", 16}}), "square; got height 16 and width 32");
}

}  // namespace
}  // namespace strata::test
