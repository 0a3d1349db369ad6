// Checkpoints: a resumed run gives the same bits as one that never stopped, a killed one leaves the
// last checkpoint whole, and what does not fit is listed.
#include "engine/io/checkpoint.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "engine/nn.h"
#include "engine/ops/loss.h"
#include "engine/ops/random.h"
#include "engine/optim.h"
#include "tests/io/io_support.h"

namespace strata::test {
namespace {

struct Net : Layer {
  Linear& fc1 = add<Linear>("fc1", 6, 16);
  BatchNorm& norm = add<BatchNorm>("norm", 16, BatchNormOptions{.relu = true});
  Dropout& dropout = add<Dropout>("dropout", 0.3);
  Linear& head = add<Linear>("head", 16, 3);
  Tensor forward(const Tensor& x) override { return head(dropout(norm(fc1(x)))); }
};

// A run: network, optimiser, schedule, average, and data drawn from the default generator.
struct TrainingRun {
  Net net;
  AdamW optimizer{net.named_parameters(), {.learning_rate = 0.01, .weight_decay = 0.1}};
  Scheduler scheduler{optimizer, warm_up(3, cosine(10))};
  MovingAverage average{net, 0.9};

  void train(int steps) {
    for (int i = 0; i < steps; ++i) {
      Tensor x = randn({8, 6});
      Tensor target = randint(0, 3, {8});
      optimizer.zero_grad();
      cross_entropy(net(x), target).backward();
      clip_grad_norm(net.parameters(), 1);
      optimizer.step();
      scheduler.step();
      average.update();
    }
  }
  io::TrainingState state() { return {&net, &optimizer, &scheduler, &average, {}, {}}; }
  std::vector<std::vector<double>> everything() {
    std::vector<std::vector<double>> all;
    for (auto& dict : {net.state_dict(), optimizer.state_dict(), average.state_dict()}) {
      for (auto& [name, tensor] : dict) all.push_back(values(tensor));
    }
    return all;
  }
};

TEST(Checkpoint, AResumedRunGivesTheSameBits) {
  Folder folder;
  manual_seed(5);
  TrainingRun whole;
  whole.train(4);
  io::TrainingState saved = whole.state();
  saved.position = {{"epoch", 2}, {"batch", 17}};
  saved.extra = {{"model", "net"}};
  io::save_checkpoint(folder / "x", saved);
  whole.train(4);

  manual_seed(99);  // another start altogether
  TrainingRun resumed;
  resumed.train(1);
  io::TrainingState state = resumed.state();
  io::load_checkpoint(folder / "x", state);
  EXPECT_EQ(state.position, saved.position);
  EXPECT_EQ(state.extra, saved.extra);
  EXPECT_EQ(resumed.scheduler.current_step(), 4);
  EXPECT_NE(resumed.everything(), whole.everything());
  resumed.train(4);
  EXPECT_EQ(resumed.everything(), whole.everything());
  EXPECT_EQ(resumed.optimizer.learning_rate(), whole.optimizer.learning_rate());
}

TEST(Checkpoint, ModelsLoadAlone) {
  Folder folder;
  manual_seed(1);
  TrainingRun run;
  io::save_checkpoint(folder / "run", run.state());
  io::save_safetensors(folder / "model", run.net.state_dict());
  for (const char* name : {"run", "model"}) {
    Net net;
    io::load_model(folder / name, net);
    for (auto& [key, tensor] : net.state_dict()) expect_same(tensor, run.net.state_dict().at(key));
  }
}

TEST(Checkpoint, DifferencesAreListedAndNothingChanges) {
  Folder folder;
  manual_seed(1);
  TrainingRun run;
  run.train(1);
  io::TrainingState only_model;
  only_model.model = &run.net;
  io::save_checkpoint(folder / "x", only_model);
  TrainingRun other;
  auto before = other.everything();
  io::TrainingState state = other.state();
  std::string message = error_of([&] { io::load_checkpoint(folder / "x", state); });
  for (const char* part :
       {"optimizer: ", "average: 'fc1.weight' \\(f32", "does not fit this run"}) {
    EXPECT_TRUE(std::regex_search(message, std::regex(part))) << message;
  }
  EXPECT_EQ(other.everything(), before);

  struct Wider : Layer {
    Linear& fc1 = add<Linear>("fc1", 7, 16);
    Tensor forward(const Tensor& x) override { return fc1(x); }
  } wider;
  message = error_of([&] { io::load_model(folder / "x", wider); });
  EXPECT_NE(message.find("'fc1.weight' is f32[16,6], here f32[16,7]"), message.npos) << message;
  EXPECT_NE(message.find("'head.bias' (f32[3]) is unknown here"), message.npos) << message;
  io::save_safetensors(folder / "plain", run.net.state_dict());
  EXPECT_FAILS(io::load_checkpoint(folder / "plain", state),
               "is a safetensors file but no checkpoint");
}

// Copying or printing JSON as deep as this would overflow the stack.
TEST(Checkpoint, SurvivesJsonNestedDeeply) {
  Folder folder;
  TrainingRun run;
  run.train(1);
  io::save_checkpoint(folder / "good", run.state());
  io::Metadata metadata;
  const StateDict tensors = io::load_safetensors(folder / "good", &metadata);
  const std::string deep = std::string(200000, '[') + std::string(200000, ']');
  const auto load = [&](const std::string& old, const std::string& by) {
    io::Metadata changed = metadata;
    std::string& text = changed.at("state");
    text.replace(text.find(old), old.size(), by);
    io::save_safetensors(folder / "deep", tensors, changed);
    io::TrainingState state = run.state();
    io::load_checkpoint(folder / "deep", state);
    return state.position.size();
  };
  EXPECT_EQ(load("\"position\":null", "\"position\":" + deep), 1u);
  EXPECT_FAILS(load("\"optimizer\":\"AdamW\"", "\"optimizer\":" + deep),
               "the optimizer is \\(array\\), here AdamW");
}

TEST(Checkpoint, KilledWhileWritingTheLastOneIsWhole) {
  Folder folder;
  manual_seed(1);
  TrainingRun run;
  run.train(1);
  io::save_checkpoint(folder / "x", run.state());
  // A child writes checkpoints as fast as it can until it is killed, at twenty different moments.
  for (int i = 0; i < 20; ++i) {
    pid_t child = fork();
    if (child == 0) {
      while (true) io::save_checkpoint(folder / "x", run.state());
    }
    std::this_thread::sleep_for(std::chrono::microseconds(1000 + 731 * i));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    TrainingRun other;
    io::TrainingState state = other.state();
    ASSERT_NO_THROW(io::load_checkpoint(folder / "x", state));
    ASSERT_EQ(other.everything(), run.everything());
  }
}

}  // namespace
}  // namespace strata::test
