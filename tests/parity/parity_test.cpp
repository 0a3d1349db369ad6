// A network with batch norm and a transformer against PyTorch; fixtures: make_fixtures.py.
#include "models/language/gpt.h"
#include "models/vision/convnet.h"
#include "tests/parity/follow.h"

namespace strata::test {
namespace {

TEST(Parity, ConvNetWithBatchNormAndMomentum) {
  ConvNet model({.widths = {8, 16, 16, 24}});
  SGD optimizer(model.named_parameters(),
                {.learning_rate = 0.05, .momentum = 0.9, .weight_decay = 1e-4});
  follow(model, optimizer, fixture("convnet"), prepare_images);
}

TEST(Parity, TransformerWithAdamW) {
  Gpt model({.vocabulary = 48, .context = 24, .width = 32, .heads = 4, .layers = 2});
  AdamW optimizer(model.named_parameters(),
                  {.learning_rate = 3e-3, .beta2 = 0.95, .weight_decay = 0.1});
  follow(model, optimizer, fixture("gpt"), [](const Tensor& x) { return x; });
}

}  // namespace
}  // namespace strata::test
