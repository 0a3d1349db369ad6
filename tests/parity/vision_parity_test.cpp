// The image classifiers against PyTorch; fixtures: make_vision.py.
#include "models/vision/alexnet.h"
#include "models/vision/cifar_resnet.h"
#include "models/vision/resnet.h"
#include "models/vision/vgg.h"
#include "models/vision/vit.h"
#include "tests/parity/follow.h"

namespace strata::test {
namespace {

void follow_with_momentum(Model& model, const char* name, double learning_rate) {
  SGD optimizer(model.named_parameters(), {.learning_rate = learning_rate, .momentum = 0.9});
  follow(model, optimizer, fixture(name), prepare_images);
}

TEST(VisionParity, AlexNetS) {
  AlexNet model({.classes = 10, .width = 4, .hidden = 16, .dropout = 0, .small_images = true});
  follow_with_momentum(model, "alexnet_s", 0.01);
}

TEST(VisionParity, VggWithBatchNorm) {
  Vgg model({.convolutions = {1, 2},
             .classes = 10,
             .width = 6,
             .hidden = 16,
             .positions = 4,
             .batch_norm = true,
             .dropout = 0});
  follow_with_momentum(model, "vgg_bn", 0.02);
}

TEST(VisionParity, ResNetOfBottlenecks) {
  ResNet model({.depth = 26, .classes = 10, .width = 2});
  model.to(DType::f64);  // make_vision.py says why
  SGD optimizer(model.named_parameters(), {.learning_rate = 0.01, .momentum = 0.9});
  follow(model, optimizer, fixture("resnet26"),
         [](const Tensor& x) { return x.contiguous().to(DType::f64) / 127.5 - 1.0; });
}

TEST(VisionParity, PlainTwin) {
  CifarResNet model({.depth = 8, .width = 8, .variant = CifarVariant::plain});
  follow_with_momentum(model, "plain8", 0.02);
}

TEST(VisionParity, Preactivation) {
  CifarResNet model({.depth = 8, .width = 8, .variant = CifarVariant::preactivation});
  follow_with_momentum(model, "preresnet8", 0.02);
}

TEST(VisionParity, VisionTransformer) {
  Vit model({.height = 16,
             .width = 16,
             .classes = 10,
             .patch = 4,
             .embedding = 24,
             .layers = 2,
             .heads = 3});
  AdamW optimizer(model.named_parameters(), {.learning_rate = 1e-3, .weight_decay = 0.05});
  follow(model, optimizer, fixture("vit"), prepare_images);
}

}  // namespace
}  // namespace strata::test
