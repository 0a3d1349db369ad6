// One method of each kind of the toolbox on every model of the registry, and on networks described
// in TOML.
#include <gtest/gtest.h>

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/nn.h"
#include "engine/ops.h"
#include "models/config/configured.h"
#include "models/config/templates.h"
#include "tests/support/expect.h"
#include "tools/introspect/attribution/gradient.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/maps/pca.h"
#include "tools/introspect/representation/logistic.h"
#include "tools/introspect/representation/similarity.h"
#include "tools/introspect/units/excitation.h"

namespace strata::introspect {
namespace {

using test::values;

const std::vector<const ModelEntry*>& entries() {
  static const std::vector<const ModelEntry*> all = [] {
    std::vector<const ModelEntry*> list;
    for (const ModelEntry& entry : model_entries()) list.push_back(&entry);
    for (const config::Template& each : config::templates())
      list.push_back(&config::described_entry(fmt::format("{}.toml", each.name), each.text));
    return list;
  }();
  return all;
}

class EveryModelIsOpen : public testing::TestWithParam<size_t> {
 protected:
  void SetUp() override {
    const ModelEntry& entry = *entries()[GetParam()];
    nlohmann::json options = entry.defaults;
    options.update(entry.tiny);
    manual_seed(1);
    model = make_model(entry.name, options);
    Generator generator(2);
    x = entry.example(options, 8, generator);
    stage = model->stages().front();
    look_trained();
  }

  // As after training: no parameter is all zeros (word2vec starts with such a table), and batch
  // norms know these examples (without that, 1202 layers overflow).
  void look_trained() {
    NoGrad off;
    for (auto& [name, tensor] : model->named_parameters())
      if (max(abs(tensor)).item() == 0) init::normal_(tensor, 0, 0.1);
    for (auto& [path, module] : model->named_modules())
      if (auto* norm = dynamic_cast<BatchNorm*>(module)) norm->options.momentum = 1;
    model->train();
    (*model)(x);
    model->eval();
  }

  Tensor activation(const std::string& name) {
    NoGrad off;
    Capture capture({name});
    (*model)(x);
    return capture[name];
  }
  // Places and examples as rows, units as columns, in f64.
  Tensor rows(const std::string& name) {
    const Tensor a = activation(name);
    return a.reshape({a.numel() / a.size(-1), a.size(-1)}).to(DType::f64);
  }

  std::unique_ptr<Model> model;
  Tensor x;
  std::string stage;  // the first
};

TEST_P(EveryModelIsOpen, CaptureKeepsEveryNamedActivation) {
  NoGrad off;
  Capture capture;
  const Tensor out = (*model)(x);
  EXPECT_EQ(capture.names(), named_activations(*model, x));
  for (const std::string& name : model->stages()) {
    const std::vector<double> all = values(capture[name]);
    EXPECT_TRUE(std::all_of(all.begin(), all.end(), [](double v) { return std::isfinite(v); }))
        << name;
  }
  EXPECT_EQ(values(capture[model->stages().back()]), values(out)) << "the last stage is the result";
}

TEST_P(EveryModelIsOpen, GradientsReachAnActivation) {
  Capture capture({stage});
  const Tensor out = (*model)(x);
  Generator generator(4);
  const Tensor weights = randn(out.shape(), 0, 1, DType::f32, &generator);
  const Tensor gradient = grad(sum(out * weights), capture[stage]);
  ASSERT_EQ(gradient.shape(), capture[stage].shape());
  EXPECT_GT(max(abs(gradient)).item(), 0);
}

TEST_P(EveryModelIsOpen, SaliencyOfTheInput) {
  if (!is_float(x.dtype())) GTEST_SKIP() << "the input is token numbers, which have no gradient";
  const Scores scores = [&](const Tensor& input) {
    const Tensor out = (*model)(input);
    return out.rank() == 2 ? out : out.flatten(1);
  };
  const Tensor saliency =
      gradient_saliency(scores, x, std::vector<int64_t>(static_cast<size_t>(x.size(0)), 0));
  EXPECT_EQ(saliency.shape(), x.shape());
  EXPECT_GT(max(abs(saliency)).item(), 0);
}

TEST_P(EveryModelIsOpen, AblationChangesTheOutputAndItsOwnValuesDoNot) {
  NoGrad off;
  const std::vector<double> clean = values((*model)(x));
  const Tensor kept = activation(stage);
  {
    Edit edit(stage, patch_from(kept));
    EXPECT_EQ(values((*model)(x)), clean);
    EXPECT_EQ(edit.seen(), 1);
  }
  {
    Edit edit(stage, set_to(zeros(kept.shape())));
    EXPECT_NE(values((*model)(x)), clean);
  }
  EXPECT_EQ(values((*model)(x)), clean) << "an edit outlives its scope";
}

// The labels are the half of the first principal direction that a row is in, which a linear reader
// of a few whitened directions finds.
TEST_P(EveryModelIsOpen, ALinearProbeReadsALayer) {
  const Tensor features = rows(stage);
  const int64_t count = std::min<int64_t>(4, std::min(features.size(0) - 1, features.size(1)));
  const Tensor code = fit_pca(features, count).transform(features, true);
  const std::vector<double> score = values(code.select(1, 0));
  std::vector<double> sorted = score;
  std::sort(sorted.begin(), sorted.end());
  const double middle = sorted[sorted.size() / 2];
  LabelSet half{2, {}};
  for (double value : score) half.labels.push_back(value >= middle);
  const LogisticFit fit = fit_logistic(code, {half}, {.l2 = 1e-6}).front();
  EXPECT_GT(accuracy(matmul(code, fit.weight) + fit.bias, half.labels), 0.97);
}

TEST_P(EveryModelIsOpen, CkaOfALayerIsOneWithItself) {
  auto examples = [&](const std::string& name) {
    const Tensor a = activation(name);
    return a.reshape({a.size(0), a.numel() / a.size(0)}).to(DType::f64);
  };
  const Tensor first = examples(stage), last = examples(model->stages().back());
  EXPECT_NEAR(linear_cka(first, first), 1, 1e-9);
  const double there = linear_cka(first, last), back = linear_cka(last, first);
  EXPECT_NEAR(there, back, 1e-9);
  EXPECT_LE(there, 1 + 1e-9);
  EXPECT_NE(there, 0) << "the logits have nothing of the first layer";
}

TEST_P(EveryModelIsOpen, AMapByPrincipalComponents) {
  const Tensor features = rows(stage);
  const int64_t count = std::min<int64_t>(2, features.size(1));
  const Pca pca = fit_pca(features, count);
  const Tensor map = pca.transform(features);
  EXPECT_EQ(map.shape(), (Dims{features.size(0), count}));
  // The map keeps as much variance as it says: sums of squares of its columns.
  const std::vector<double> squares = values(sum(square(map), {0}));
  for (size_t k = 0; k < squares.size(); ++k)
    EXPECT_NEAR(squares[k] / static_cast<double>(features.size(0) - 1), pca.variances[k],
                1e-6 * (1 + pca.variances[0]));
  EXPECT_GT(pca.variances[0], 0);
}

TEST_P(EveryModelIsOpen, UnitsHaveExamplesThatExciteThemMost) {
  Tensor a = activation(stage);
  if (a.rank() > 4) a = a.flatten(1, -2);
  TopExcitations top(3);
  top.add(a, 0);
  ASSERT_EQ(top.units(), a.size(-1));
  for (int64_t unit : {int64_t{0}, a.size(-1) - 1}) {
    ASSERT_FALSE(top.of(unit).empty());
    EXPECT_EQ(top.of(unit)[0].activation, max(a.select(-1, unit)).item());
  }
}

INSTANTIATE_TEST_SUITE_P(Registry, EveryModelIsOpen, testing::Range<size_t>(0, entries().size()),
                         [](const testing::TestParamInfo<size_t>& info) {
                           std::string name = entries()[info.param]->name;
                           for (char& c : name)
                             if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
                           return name;
                         });

}  // namespace
}  // namespace strata::introspect
