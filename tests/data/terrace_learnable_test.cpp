// What no linear reader of pixels can do (terrace_linear_test.cpp), a small convolutional network
// learns in a few hundred steps: the relation of two outlines.
#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/data/loader.h"
#include "engine/data/terrace.h"
#include "engine/ops.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "models/vision/convnet.h"

namespace strata {
namespace {

double accuracy(Model& model, const Dataset& data) {
  NoGrad guard;
  model.eval();
  DataLoader loader(data, {.batch_size = 250, .shuffle = false});
  int64_t right = 0;
  while (std::optional<Batch> batch = loader.next()) {
    std::vector<int64_t> guess = argmax(model(batch->images), -1).to_vector<int64_t>();
    const int64_t* truth = batch->labels.data<int64_t>();
    for (size_t i = 0; i < guess.size(); ++i) right += guess[i] == truth[i];
  }
  model.train();
  return static_cast<double>(right) / static_cast<double>(data.size());
}

TEST(TerraceLearnable, AConvolutionalNetworkReadsTheObject) {
  auto data = open_dataset("terrace:object", Split::train, 1, {16000, 0, 0, 0});
  auto validation = open_dataset("terrace:object", Split::validation, 1, {0, 1000, 0, 0});
  manual_seed(1);
  ConvNet model({.channels = 3, .classes = data->classes(), .widths = {8, 16, 24, 32, 32, 64}});
  EXPECT_LT(accuracy(model, *validation), 0.35);
  DataLoader loader(*data, {.batch_size = 50, .seed = 1});
  AdamW optimizer(model.named_parameters(), {.learning_rate = 5e-3});
  Scheduler scheduler(optimizer, one_cycle(loader.batches()));
  while (std::optional<Batch> batch = loader.next()) {
    optimizer.zero_grad();
    cross_entropy(model(batch->images), batch->labels).backward();
    optimizer.step();
    scheduler.step();
  }
  EXPECT_GT(accuracy(model, *validation), 0.9);
}

}  // namespace
}  // namespace strata
