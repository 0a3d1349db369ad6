// Transfer: what is frozen stays the same to the bit, what is not moves, and both are noticed.
#include "tools/transfer/transfer.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "engine/autograd/autograd.h"
#include "engine/io/checkpoint.h"
#include "engine/nn/conv_norm.h"
#include "engine/ops.h"
#include "models/registry.h"
#include "tests/support/expect.h"
#include "tools/train/trainer.h"
#include "tools/transfer/frozen.h"

namespace strata::transfer {
namespace {

const nlohmann::json small = {{"widths", {4, 6, 8}}, {"halve", {1, 2}}, {"classes", 4}};

std::unique_ptr<Model> network(uint64_t seed = 1) {
  manual_seed(seed);
  return make_model("convnet", small);
}

Tensor images() {
  Generator generator(7);
  return randn({4, 16, 16, 3}, 0, 1, DType::f32, &generator);
}

void step(Model& model, Optimizer& optimizer, Frozen& frozen) {
  model.train();
  frozen.hold();
  optimizer.zero_grad();
  cross_entropy(model(images()), from_vector<int64_t>({0, 1, 2, 3}, {4})).backward();
  optimizer.step();
}

TEST(Part, IsWhatTheActivationDependsOn) {
  const auto model = network();
  const Part part = part_up_to(*model, "conv2", images());
  EXPECT_EQ(part.tensors,
            (std::vector<std::string>{"conv1.conv.weight", "conv1.norm.bias", "conv1.norm.weight",
                                      "conv2.conv.weight", "conv2.norm.bias", "conv2.norm.weight",
                                      "conv1.norm.running_mean", "conv1.norm.running_var",
                                      "conv2.norm.running_mean", "conv2.norm.running_var"}));
  // pool1 has no parameters and ran before conv2; pool2 ran after it.
  const auto& m = part.modules;
  EXPECT_TRUE(std::count(m.begin(), m.end(), "pool1"));
  EXPECT_FALSE(std::count(m.begin(), m.end(), "pool2"));
  EXPECT_TRUE(model->training());
  {
    NoGrad off;
    EXPECT_EQ(part_up_to(*model, "conv2", images()).tensors, part.tensors);
  }
  for (const Tensor& p : model->parameters()) EXPECT_TRUE(p.requires_grad());
  EXPECT_FAILS(part_up_to(*model, "conv9", images()),
               "shows no layer 'conv9'; its stages are conv1, conv2, conv3, head");
}

// The shortcut of a residual block belongs to the block, though it is declared after.
TEST(Part, FollowsBranches) {
  manual_seed(1);
  const auto model = make_model("resnet18", model_entry("resnet18").tiny);
  const Part part = part_up_to(*model, "layer2.0", images());
  bool shortcut = false, later = false;
  for (const std::string& name : part.tensors) {
    shortcut |= name.starts_with("layer2.0.downsample");
    later |= name.starts_with("layer2.1") || name.starts_with("layer3");
  }
  EXPECT_TRUE(shortcut);
  EXPECT_FALSE(later);
}

TEST(Frozen, StaysTheSameToTheBitWhileTheRestMoves) {
  const auto model = network();
  const Part part = part_up_to(*model, "conv2", images());
  Frozen frozen(*model, part);
  StateDict before;
  for (const auto& [name, tensor] : model->state_dict()) before[name] = tensor.clone();
  AdamW optimizer(groups_by_depth(*model, images(), 0.01, 1), {.weight_decay = 0.1});
  for (int i = 0; i < 3; ++i) step(*model, optimizer, frozen);
  EXPECT_TRUE(frozen.moved().empty());
  frozen.check();
  for (const auto& [name, tensor] : model->state_dict()) {
    const bool inside = std::count(part.tensors.begin(), part.tensors.end(), name) > 0;
    EXPECT_EQ(tensor.to_vector<float>() == before[name].to_vector<float>(), inside) << name;
  }
  EXPECT_FALSE(dynamic_cast<ConvNorm&>(model->find("conv2")).norm.training());
  EXPECT_TRUE(dynamic_cast<ConvNorm&>(model->find("conv3")).norm.training());
}

// The two ways in which "frozen" layers move: statistics that go on, and weights that do.
TEST(Frozen, NoticesLayersThatMove) {
  const auto model = network();
  Frozen frozen(*model, part_up_to(*model, "conv1", images()));
  {
    model->train();  // without hold()
    NoGrad off;
    (*model)(images());
  }
  EXPECT_EQ(frozen.moved(),
            (std::vector<std::string>{"conv1.norm.running_mean", "conv1.norm.running_var"}));
  EXPECT_FAILS(frozen.check(), "2 of 5 frozen tensors moved .* conv1.norm.running_mean, conv1");
  const auto other = network();
  Frozen weights(*other, part_up_to(*other, "conv1", images()));
  float& one = *dynamic_cast<ConvNorm&>(other->find("conv1")).conv.weight.data<float>();
  one = std::nextafter(one, 1.0f);
  EXPECT_EQ(weights.moved(), std::vector<std::string>{"conv1.conv.weight"});
}

TEST(Groups, LearnMoreSlowlyTheLowerTheyAre) {
  const auto model = network();
  Frozen frozen(*model, part_up_to(*model, "conv1", images()));
  const auto groups = groups_by_depth(*model, images(), 0.1, 0.5);
  ASSERT_EQ(groups.size(), 3u);  // conv2, conv3, head
  const std::vector<double> rates = {0.025, 0.05, 0.1};
  const std::vector<std::string> first = {"conv2.conv.weight", "conv3.conv.weight", "head.weight"};
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_DOUBLE_EQ(groups[i].learning_rate, rates[i]);
    EXPECT_EQ(groups[i].parameters.front().name, first[i]);
  }
  EXPECT_EQ(groups[2].parameters.size(), 2u);
  // And they do: one step of SGD moves a parameter by its group's rate times its gradient.
  SGD sgd(groups);
  const Tensor weight = dynamic_cast<ConvNorm&>(model->find("conv2")).conv.weight;
  const Tensor before = weight.detach().clone();
  step(*model, sgd, frozen);
  EXPECT_LT(max(abs(before - weight.detach() - weight.grad() * 0.025)).item(), 1e-7);
  EXPECT_GT(max(abs(before - weight.detach())).item(), 1e-5);
  EXPECT_FAILS(groups_by_depth(*model, images(), 0.1, 0), "is 0; give one above 0 and at most 1");
}

class Transfer : public testing::Test {
 protected:
  // A run folder as strata study leaves one.
  void SetUp() override {
    std::filesystem::create_directories(folder_ / "from");
    std::ofstream(folder_ / "from" / "config.json")
        << nlohmann::json{{"seed", 1},
                          {"model", {{"name", "convnet"}, {"options", small}}},
                          {"data", {{"source", "terrace:outline"}}}};
    trained_ = network(3);
    io::save_safetensors((folder_ / "from" / "checkpoint.safetensors").string(),
                         trained_->state_dict(), {});
    options_.from.checkpoint = folder_ / "from";
    options_.data = "terrace:outline";
    options_.freeze_to = "conv2";
    options_.tasks = {"hue", "outline"};
    options_.batch = 8;
    options_.train_images = 64;
    run_.out = folder_ / "to";
    run_.steps = 12;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  train::TaskResult run() {
    run_.model = describe(options_);
    return train::run_task(transfer_task(options_), run_, "test");
  }
  std::unique_ptr<train::Task> task() { return transfer_task(options_).make(run_); }

  std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("strata_transfer_" + std::to_string(::getpid()));
  std::unique_ptr<Model> trained_;
  TransferOptions options_;
  train::TaskOptions run_;
};

TEST_F(Transfer, TrainsHeadsOfSeveralTasksOnAFrozenBody) {
  const train::TaskResult result = run();
  ASSERT_EQ(result.scores.size(), 3u);
  EXPECT_EQ(result.scores[0].name, "mean accuracy");
  EXPECT_EQ(result.scores[1].name, "hue accuracy");
  EXPECT_EQ(result.scores[2].name, "outline accuracy");
  EXPECT_NEAR(result.scores[0].value, (result.scores[1].value + result.scores[2].value) / 2, 1e-9);
  EXPECT_NEAR(result.scores[1].yardstick, 12.5, 2.5);
  EXPECT_NEAR(result.scores[2].yardstick, 25, 3);
  EXPECT_EQ(result.lines.front(), "up to conv2: 10 tensors frozen, each the same to the bit");
  nlohmann::json wide = small;
  wide["classes"] = 8 + 4;
  const auto model = make_model("convnet", wide);
  io::load_model((run_.out / "model.safetensors").string(), *model);
  const StateDict before = trained_->state_dict(), after = model->state_dict();
  for (const char* name :
       {"conv1.conv.weight", "conv1.norm.running_var", "conv2.norm.running_mean"})
    EXPECT_EQ(after.at(name).to_vector<float>(), before.at(name).to_vector<float>()) << name;
  for (const char* name : {"conv3.conv.weight", "conv3.norm.running_mean"})
    EXPECT_NE(after.at(name).to_vector<float>(), before.at(name).to_vector<float>()) << name;
}

TEST_F(Transfer, GoesOnWhereItStopped) {
  run();
  const std::string whole = (run_.out / "model.safetensors").string();
  const auto first = task(), again = task();
  {
    // Batches are a function of the step alone.
    NoGrad off;
    first->loss(0);
    EXPECT_EQ(first->loss(9).item(), again->loss(9).item());
    EXPECT_NE(again->loss(3).item(), again->loss(9).item());
  }
  EXPECT_FAILS(run(), "holds a run already");
  options_.layer_decay = 0.5;
  run_.resume = true;
  EXPECT_FAILS(run(), "holds another run");
  EXPECT_TRUE(std::filesystem::exists(whole));
}

TEST_F(Transfer, CopiesUpToALayerAndStartsTheRestAnew) {
  options_.copy_to = "conv2";
  const StateDict made = task()->model().state_dict(), from = trained_->state_dict();
  EXPECT_EQ(made.at("conv2.conv.weight").to_vector<float>(),
            from.at("conv2.conv.weight").to_vector<float>());
  EXPECT_NE(made.at("conv3.conv.weight").to_vector<float>(),
            from.at("conv3.conv.weight").to_vector<float>());
  options_.freeze_to = "conv3";
  EXPECT_FAILS(task(), "would freeze conv3.conv.weight, which is not copied");
}

TEST_F(Transfer, SaysWhatIsWrong) {
  options_.tasks = {"flavour"};
  EXPECT_FAILS(task(), "knows no 'flavour' .* class, hue, orientation");
  options_.tasks = {};
  options_.freeze_to = "conv7";
  EXPECT_FAILS(task(), "shows no layer 'conv7'");
  options_.freeze_to = "";
  options_.head = "top";
  EXPECT_FAILS(task(), "top");
  options_.head = "";
  options_.from.checkpoint = folder_ / "none";
  EXPECT_FAILS(task(), "there is no");
}

}  // namespace
}  // namespace strata::transfer
