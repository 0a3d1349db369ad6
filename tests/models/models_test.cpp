// Parameter counts as published, and what is special to a model; checks of
// tests/models/model_checks.h.
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/autograd/autograd.h"
#include "engine/nn.h"
#include "engine/ops.h"
#include "models/language/gpt.h"
#include "models/registry.h"
#include "models/vision/cifar_resnet.h"
#include "models/vision/convnet.h"
#include "models/vision/mlp.h"
#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

TEST(Models, MlpCountsGradientsState) {
  EXPECT_EQ(Mlp().parameter_count(), 407'050);
  manual_seed(1);
  Mlp tiny({.inputs = 6, .hidden = {5, 4}, .classes = 3});
  expect_gradients(tiny, random({4, 2, 3}, 2));
  expect_stages(tiny, random({4, 6}, 2), {"relu1", "relu2", "head"});
  expect_state_goes_round(
      [] {
        return make_model("mlp", {{"hidden", {8}}});
      },
      random({2, 32, 32, 3}, 3).to(DType::f32));
}

TEST(Models, ConvNetCountsGradientsState) {
  ConvNet net;
  EXPECT_EQ(net.parameter_count(), 145'242);
  expect_stages(net, random({2, 32, 32, 3}, 2).to(DType::f32),
                {"conv1", "conv2", "conv3", "conv4", "conv5", "conv6", "head"});
  manual_seed(1);
  for (bool max_pool : {true, false}) {
    ConvNet tiny({.channels = 2, .classes = 3, .widths = {3, 4, 3, 4, 5}, .max_pool = max_pool});
    expect_gradients(tiny, random({3, 8, 8, 2}, 2));
  }
  expect_state_goes_round([] { return make_model("convnet", nullptr); },
                          random({2, 32, 32, 3}, 3).to(DType::f32));
}

TEST(Models, ConvNetSeesWhatItsTableSays) {
  // Rows and columns of the input that one position of an activation depends on.
  auto fields = [](bool max_pool) {
    ConvNet net({.max_pool = max_pool});
    net.eval();
    std::vector<int64_t> sizes;
    for (const std::string& name : net.stages()) {
      if (name == "head") break;
      Tensor x = zeros({1, 64, 64, 3}).set_requires_grad();
      Tensor activation;
      ActivationObserver observer([&](const std::string& shown, const Tensor& value) {
        if (shown == name + ".conv") activation = value;
        return Tensor();
      });
      // Small random weights keep every ReLU alive at a constant image: bias comes from the norm.
      for (auto& [key, parameter] : net.named_parameters()) {
        NoGrad off;
        if (key.ends_with("norm.bias")) fill_(parameter, 10);
      }
      Generator generator(9);
      net(x + rand(x.shape(), 0, 0.01, DType::f32, &generator));
      int64_t middle = activation.size(1) / 2;
      sum(activation.slice(1, middle, middle + 1).slice(2, middle, middle + 1)).backward();
      Tensor touched = sum(abs(x.grad()), {0, 2, 3});
      int64_t rows = 0;
      for (double value : values(touched)) rows += value > 0;
      sizes.push_back(rows);
    }
    return sizes;
  };
  EXPECT_EQ(fields(false), (std::vector<int64_t>{3, 5, 9, 13, 21, 29}));
  // A maximum passes the gradient of one of two rows, so fewer rows may be touched, never more.
  std::vector<int64_t> table = {3, 5, 10, 14, 24, 32}, got = fields(true);
  for (size_t i = 0; i < table.size(); ++i) {
    EXPECT_LE(got[i], table[i]);
    EXPECT_GE(got[i], table[i] - 4);
  }
}

TEST(Models, ResNetCountsGradientsState) {
  for (auto [depth, count] : std::vector<std::pair<int64_t, int64_t>>{{8, 75'290},
                                                                      {14, 172'506},
                                                                      {20, 269'722},
                                                                      {32, 464'154},
                                                                      {44, 658'586},
                                                                      {56, 853'018}}) {
    EXPECT_EQ(CifarResNet({.depth = depth}).parameter_count(), count) << depth;
  }
  EXPECT_FAILS(CifarResNet({.depth = 18}), "the depth must be 6 n \\+ 2");
  manual_seed(1);
  CifarResNet tiny({.depth = 8, .channels = 2, .classes = 3, .width = 2});
  expect_gradients(tiny, random({3, 8, 8, 2}, 2));
  CifarResNet net({.depth = 14});
  expect_stages(
      net, random({1, 8, 8, 3}, 2).to(DType::f32),
      {"conv1", "layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer3.0", "layer3.1", "head"});
  expect_state_goes_round([] { return make_model("resnet8", nullptr); },
                          random({2, 16, 16, 3}, 3).to(DType::f32));
}

TEST(Models, ResNetFoldsToTheSameLogits) {
  manual_seed(1);
  CifarResNet net({.depth = 8});
  Tensor x = random({4, 16, 16, 3}, 3).to(DType::f32);
  NoGrad off;
  for (int i = 0; i < 5; ++i) net(x);  // statistics
  net.eval();
  auto want = values(net(x));
  EXPECT_EQ(fold_batch_norm(net), 7);
  expect_near(values(net(x)), want, 1e-4);
}

TEST(Models, GptCountsGradientsState) {
  EXPECT_EQ(gpt_parameter_count(
                {.vocabulary = 50257, .context = 1024, .width = 768, .heads = 12, .layers = 12}),
            124'439'808);
  Gpt net;
  EXPECT_EQ(net.parameter_count(), 2'743'296);
  EXPECT_EQ(net.parameter_count(), gpt_parameter_count({}));
  GptOptions small{.vocabulary = 7, .context = 5, .width = 4, .heads = 2, .layers = 2};
  manual_seed(1);
  Gpt tiny(small);
  for (Tensor& p : tiny.parameters()) init::normal_(p, 0, 0.5);
  expect_gradients(tiny, tokens(7, {2, 5}));
  expect_stages(net, tokens(256, {1, 4}),
                {"embedding", "blocks.0", "blocks.1", "blocks.2", "blocks.3", "blocks.4",
                 "blocks.5", "norm", "head"});
  expect_state_goes_round([&] { return std::make_unique<Gpt>(small); }, tokens(7, {2, 4}));
  EXPECT_FAILS(net(tokens(256, {1, 129})), "T up to its context 128; got i64\\[1,129\\]");
}

TEST(Models, GptSeesOnlyThePast) {
  manual_seed(1);
  Gpt net({.vocabulary = 7, .context = 6, .width = 8, .heads = 2, .layers = 2});
  NoGrad off;
  Tensor a = from_vector(std::vector<int64_t>{1, 2, 3, 4, 5}, {1, 5});
  Tensor b = from_vector(std::vector<int64_t>{1, 2, 3, 6, 0}, {1, 5});
  Tensor x = net(a), y = net(b);
  expect_near(values(x.slice(1, 0, 3)), values(y.slice(1, 0, 3)), 1e-6);
  EXPECT_NE(values(x.slice(1, 3, 4)), values(y.slice(1, 3, 4)));
}

TEST(Models, RegistryMakesWhatItLists) {
  std::set<std::string> names;
  for (auto& entry : model_entries()) {
    EXPECT_TRUE(names.insert(entry.name).second) << entry.name << " is listed twice";
    EXPECT_GT(make_model(entry.name, entry.tiny)->parameter_count(), 0) << entry.name;
  }
  for (const char* name : {"mlp", "convnet", "resnet8", "resnet110", "gpt", "gpt2-xl"})
    EXPECT_TRUE(names.count(name)) << name;
  EXPECT_EQ(make_model("resnet110", nullptr)->parameter_count(), 1'727'962);
  auto mlp = make_model("mlp", {{"channels", 1}, {"height", 28}, {"width", 28}});
  EXPECT_EQ(mlp->parameter_count(), 407'050);
  EXPECT_FAILS(make_model("squeezenet", nullptr),
               "no model 'squeezenet'; there are mlp, convnet, resnet8");
  EXPECT_FAILS(make_model("mlp", {{"layers", 2}}),
               "'mlp' has no option 'layers'; it takes .*hidden");
  EXPECT_FAILS(make_model("mlp", {{"classes", "ten"}}), "'mlp' has the wrong type");
}

}  // namespace
}  // namespace strata::test
