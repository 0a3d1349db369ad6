// Residual networks for small images, their plain twins and their pre-activation form: He, Zhang,
// Ren and Sun 2016, "Deep residual learning for image recognition", section 4.2, and 2016,
// "Identity mappings in deep residual networks". Depth 6 n + 2: a convolution, three stages of n
// blocks with 16, 32 and 64 channels, the mean over the image, a linear head. A block is
//   residual        relu(x + norm(conv(relu(norm(conv(x))))))
//   plain           relu(norm(conv(relu(norm(conv(x))))))
//   preactivation   x + conv(relu(norm(conv(relu(norm(x))))))
// where a stage halves the image, the shortcut takes every second pixel and fills the new channels
// with zeros (the paper's option A: no parameters). Pre-activation leaves the shortcut free of
// nonlinearities from end to end; conv1's norm and ReLU stand before the first block in place of
// its own, and one more norm and ReLU follow the last block.
//
//   layer    result (32x32 input)   convolutions of ResNet-20     multiply-adds
//   conv1    [N, 32, 32, 16]        1                                 442,368
//   layer1   [N, 32, 32, 16]        6                              14,155,776
//   layer2   [N, 16, 16, 32]        6, the first with stride 2     12,976,128
//   layer3   [N,  8,  8, 64]        6, the first with stride 2     12,976,128
//   norm     [N,  8,  8, 64]        (preactivation only)
//   head     [N, classes]                                                 640
//
//   depth                       8       14       20       32       44       56        110 1202
//   parameters             75,290  172,506  269,722  464,154  658,586  853,018  1,727,962
//   19,421,274 multiply-adds, 10^6      12.2     26.4     40.6     68.9     97.2    125.5 252.9
//   2,829.2
// (10 classes, the same for all three variants; the paper's 0.27 M, 0.46 M, 0.66 M, 0.85 M, 1.7 M
// and 19.4 M.)
#pragma once

#include "engine/nn/conv_norm.h"
#include "models/model.h"
#include "models/vision/cost.h"

namespace strata {

enum class CifarVariant { residual, plain, preactivation };

struct CifarResNetOptions {
  int64_t depth = 20;  // 6 n + 2
  int64_t channels = 3;
  int64_t classes = 10;
  int64_t width = 16;  // of the first stage
  CifarVariant variant = CifarVariant::residual;
};

Cost cifar_resnet_cost(const CifarResNetOptions& options, int64_t height, int64_t width);

// Two convolutions, with a shortcut around them or (plain) without. Its activation is after the sum
// and the ReLU, both fused with the second norm.
class CifarBlock : public Layer {
 public:
  CifarBlock(int64_t inputs, int64_t outputs, int64_t stride, bool shortcut = true);
  std::string kind() const override { return shortcut_ ? "CifarBlock" : "PlainBlock"; }
  Tensor forward(const Tensor& x) override;

 private:
  int64_t outputs_, stride_;
  bool shortcut_;
  ConvNorm &conv1_, &conv2_;
};

// Norm and ReLU before each of two convolutions; its activation is the sum. Without `norm1` it
// takes an x that is normalised and rectified already.
class PreactivationBlock : public Layer {
 public:
  PreactivationBlock(int64_t inputs, int64_t outputs, int64_t stride, bool norm1);
  std::string kind() const override { return "PreactivationBlock"; }
  Tensor forward(const Tensor& x) override;

 private:
  int64_t outputs_, stride_;
  BatchNorm* norm1_;
  ConvNorm& conv1_;  // with the second norm
  Conv2d& conv2_;
};

// x [N, H, W, channels] -> logits [N, classes]. The activation conv1 is after its ReLU.
class CifarResNet : public Model {
 public:
  explicit CifarResNet(const CifarResNetOptions& options = {});
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;
  // conv1, layer1.0, layer1.1, ..., layer3.<n - 1>, (norm,) head.
  std::vector<std::string> stages() const override;

 private:
  CifarResNetOptions options_;
  std::vector<Layer*> layers_;
};

}  // namespace strata
