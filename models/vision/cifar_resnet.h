// Residual network for small images: He, Zhang, Ren and Sun 2016, "Deep residual learning for image
// recognition", section 4.2. Depth 6 n + 2: a convolution, three stages of n blocks with 16, 32 and
// 64 channels, the mean over the image, a linear head. A block is
//   relu(x + norm(conv(relu(norm(conv(x))))));
// where a stage halves the image, the shortcut takes every second pixel and fills the new channels
// with zeros (the paper's option A: no parameters).
//
//   layer    result (32x32 input)   convolutions of ResNet-20     multiply-adds
//   conv1    [N, 32, 32, 16]        1                                 442,368
//   layer1   [N, 32, 32, 16]        6                              14,155,776
//   layer2   [N, 16, 16, 32]        6, the first with stride 2     12,976,128
//   layer3   [N,  8,  8, 64]        6, the first with stride 2     12,976,128
//   head     [N, classes]                                                 640
//
//   depth                 8        14       20       32       44       56        110
//   parameters       75,290   172,506  269,722  464,154  658,586  853,018  1,727,962
// (10 classes; the paper's 0.27 M, 0.46 M, 0.66 M, 0.85 M and 1.7 M). ResNet-20: 40.6 M
// multiply-adds (81 MFLOP) an image.
#pragma once

#include "engine/nn/conv_norm.h"
#include "engine/nn/linear.h"
#include "engine/nn/pool.h"
#include "engine/nn/sequential.h"
#include "models/model.h"

namespace strata {

struct CifarResNetOptions {
  int64_t depth = 20;  // 6 n + 2
  int64_t channels = 3;
  int64_t classes = 10;
  int64_t width = 16;  // of the first stage
};

// Two convolutions around a shortcut. Activations: conv1 (after its ReLU), and the block's own,
// after the sum and the ReLU, both fused with the second norm.
class CifarBlock : public Layer {
 public:
  CifarBlock(int64_t inputs, int64_t outputs, int64_t stride);
  std::string kind() const override { return "CifarBlock"; }
  Tensor forward(const Tensor& x) override;

 private:
  Tensor shortcut(const Tensor& x) const;

  int64_t inputs_, outputs_, stride_;
  ConvNorm &conv1_, &conv2_;
};

// x [N, H, W, channels] -> logits [N, classes].
class CifarResNet : public Model {
 public:
  explicit CifarResNet(const CifarResNetOptions& options = {});
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;
  // conv1, layer1.0, layer1.1, ..., layer3.<n - 1>, head.
  std::vector<std::string> stages() const override;

 private:
  int64_t depth_;
  ConvNorm& conv1_;
  Sequential &layer1_, &layer2_, &layer3_;
  GlobalAvgPool& pool_;
  Linear& head_;
};

}  // namespace strata
