// Residual network for photographs: He, Zhang, Ren and Sun 2016, "Deep residual learning for image
// recognition", table 1. A 7x7 convolution and a maximum bring the image to a quarter; four stages
// of residual blocks follow, each but the first halving the image and doubling the channels; then
// the mean over the image and a linear head. A block is relu(F(x) + shortcut(x)), where F is
//   basic (18, 34):                  3x3, 3x3             -> C
//   bottleneck (26, 50, 101, 152):   1x1, 3x3, 1x1        -> 4 C, computed with C channels
// each convolution followed by a batch norm, and by a ReLU but for the last. The shortcut is x, or
// where shapes change a 1x1 convolution with batch norm (option B). The stride is in the first 3x3,
// as in torchvision (Goyal et al. 2017); the paper has it in the bottleneck's first 1x1.
//
//   layer    result (224x224x3)   blocks  parameters  multiply-adds   (of ResNet-50)
//   conv1    [N, 112, 112,   64]               9,536    118,013,952   7x7, stride 2
//   max_pool [N,  56,  56,   64]                                      3x3, stride 2
//   layer1   [N,  56,  56,  256]       3     215,808    667,942,912
//   layer2   [N,  28,  28,  512]       4   1,219,584  1,027,604,480
//   layer3   [N,  14,  14, 1024]       6   7,098,368  1,464,336,384
//   layer4   [N,   7,   7, 2048]       3  14,964,736    809,238,528
//   head     [N, classes]                  2,049,000      2,048,000
//
//   depth                         18          26          34          50         101         152
//   blocks                2, 2, 2, 2  2, 2, 2, 2  3, 4, 6, 3  3, 4, 6, 3 3, 4, 23, 3 3, 8, 36, 3
//   parameters            11,689,512  15,995,176  21,797,672  25,557,032  44,549,160  60,192,808
//   multiply-adds, 10^9         1.81        2.34        3.66        4.09        7.80       11.51
//
// (1000 classes; the multiply-adds are those that torchvision lists; 26 is not the paper's, but the
// smallest with bottlenecks.) With `small_images`, for images around 32x32, conv1 is 3x3 with
// stride 1 and there is no pool: ResNet-26 of width 16 with 10 classes has 882,394 parameters
// and 45.8 M multiply-adds at 32x32, ResNet-18 of width 64 11,173,962 and 555 M. CifarResNet
// (models/vision/cifar_resnet.h) is the paper's own network for such images.
#pragma once

#include "engine/nn/conv_norm.h"
#include "models/model.h"
#include "models/vision/cost.h"

namespace strata {

struct ResNetOptions {
  int64_t depth = 50;  // 18, 26, 34, 50, 101 or 152
  int64_t channels = 3;
  int64_t classes = 1000;
  int64_t width = 64;  // C of the first stage
  bool small_images = false;
};

Cost resnet_cost(const ResNetOptions& options, int64_t height, int64_t width);

// Children: conv1, conv2, in a bottleneck conv3, and where shapes change downsample. The block's
// activation is after the sum and the ReLU, which are fused with the last norm.
class ResNetBlock : public Layer {
 public:
  // `width` is C: the result has C channels, or 4 C of a bottleneck.
  ResNetBlock(int64_t inputs, int64_t width, int64_t stride, bool bottleneck);
  std::string kind() const override { return conv3_ ? "Bottleneck" : "BasicBlock"; }
  Tensor forward(const Tensor& x) override;

 private:
  ConvNorm &conv1_, &conv2_;
  ConvNorm* conv3_ = nullptr;
  ConvNorm* downsample_ = nullptr;
};

// x [N, H, W, channels] -> logits [N, classes], H and W 1 or more.
class ResNet : public Model {
 public:
  explicit ResNet(const ResNetOptions& options = {});
  std::string kind() const override { return fmt::format("ResNet-{}", options_.depth); }
  Tensor forward(const Tensor& x) override;
  // conv1, layer1.0, layer1.1, ..., layer4.<n - 1>, head.
  std::vector<std::string> stages() const override;

 private:
  ResNetOptions options_;
  std::vector<Layer*> layers_;
};

}  // namespace strata
