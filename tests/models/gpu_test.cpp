// The models train on the (simulated) gpu with the losses of the cpu.
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "models/registry.h"

namespace strata {
namespace {

struct Case {
  const char* model;
  nlohmann::json options;
  bool text;
};

std::vector<double> losses(const Case& c, Device device) {
  manual_seed(3);
  auto model = make_model(c.model, c.options);
  model->to(device);
  model->train();
  AdamW optimizer(model->named_parameters(), AdamOptions{.learning_rate = 1e-3});
  Tensor x = c.text ? randint(0, 32, {2, 16}) : randn({2, 16, 16, 3});
  Tensor target = c.text ? randint(0, 32, {2, 16}) : randint(0, 10, {2});
  std::vector<double> values;
  for (int step = 0; step < 3; ++step) {
    Tensor loss = cross_entropy((*model)(x.to(device)), target.to(device));
    values.push_back(loss.item());
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
  }
  return values;
}

TEST(ModelsOnTheGpu, TrainWithTheLossesOfTheCpu) {
  const nlohmann::json image = {{"height", 16}, {"width", 16}};
  const nlohmann::json text = {
      {"vocabulary", 32}, {"context", 16}, {"width", 32}, {"heads", 2}, {"layers", 2}};
  auto small = [&](nlohmann::json options) {
    options.update(image);
    return options;
  };
  const nlohmann::json dense = small({{"base_width", 4}, {"hidden", 16}, {"dropout", 0.0}});
  const nlohmann::json bottleneck =
      small({{"base_width", 4}, {"small_images", true}, {"classes", 10}});
  const nlohmann::json vit = small({{"embedding", 32}, {"layers", 2}, {"heads", 2}});
  for (const Case& c :
       {Case{"mlp", image, false}, Case{"convnet", image, false}, Case{"resnet20", image, false},
        Case{"preresnet20", small({{"base_width", 4}}), false}, Case{"resnet26", bottleneck, false},
        Case{"lenet", small({{"channels", 3}}), false}, Case{"alexnet_s", dense, false},
        Case{"vgg_s", dense, false}, Case{"vit_s32", vit, false}, Case{"gpt", text, true}}) {
    SCOPED_TRACE(c.model);
    const std::vector<double> cpu = losses(c, Device::cpu), gpu = losses(c, Device::gpu);
    EXPECT_NE(cpu.front(), cpu.back());
    for (size_t i = 0; i < cpu.size(); ++i)
      EXPECT_NEAR(gpu[i], cpu[i], 1e-4 * std::abs(cpu[i])) << "step " << i;
  }
}

}  // namespace
}  // namespace strata
