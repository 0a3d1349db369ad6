// U-Net: a label for every pixel (Ronneberger, Fischer and Brox 2015, "U-Net: convolutional
// networks for biomedical image segmentation"). An encoder halves the image and doubles the
// channels; a decoder goes back up and takes, at each size, what the encoder had there, so that it
// knows what and where. Here with padding, so that the map keeps the image's size, and batch norms.
//   y_0 = double(x),  y_i = double(pool(y_{i-1})),  z_i = double([raise(z_{i+1}), y_i])
//
//   layer         result (32x32)        parameters    multiply-adds
//   down0         [N, 32, 32, 16]            2,800        2,801,664   two 3x3 convolutions
//   down1         [N, 16, 16, 32]           13,952        3,538,944
//   down2         [N,  8,  8, 64]           55,552        3,538,944
//   up1.raise     [N, 16, 16, 32]            8,224          524,288   2x2 transposed, stride 2
//   up1.double    [N, 16, 16, 32]           27,776        7,077,888   of 64 channels
//   up0.raise     [N, 32, 32, 16]            2,064          524,288
//   up0.double    [N, 32, 32, 16]            6,976        7,077,888
//   head          [N, 32, 32, classes]          51           49,152   1x1
//   sum                                    117,395       25,133,056
//
// (3 channels, 3 classes.) The size of the paper, depth 5 and width 64: 31.0 M parameters.
#pragma once

#include "engine/nn/conv_norm.h"
#include "engine/nn/sequential.h"
#include "models/model.h"

namespace strata {

struct UNetOptions {
  int64_t channels = 3;
  int64_t classes = 3;
  int64_t width = 16;  // of the first size
  int64_t depth = 3;   // sizes; the image divides by 2^(depth - 1)
};

// Parameters of a network with these options, without making it.
int64_t unet_parameter_count(const UNetOptions& options);

// Up one size: `x` [N, H, W, 2 C] and the encoder's `skip` [N, 2 H, 2 W, C] -> [N, 2 H, 2 W, C].
class UNetUp : public Layer {
 public:
  explicit UNetUp(int64_t channels);
  std::string kind() const override { return "UNetUp"; }
  // Without a skip: zeros in its place.
  Tensor forward(const Tensor& x) override;
  using Layer::operator();
  Tensor operator()(const Tensor& x, const Tensor& skip);

 private:
  int64_t channels_;
  ConvTranspose2d& raise_;
  Sequential& double_;
};

// x [N, H, W, channels] -> logits [N, H, W, classes].
class UNet : public Model {
 public:
  explicit UNet(const UNetOptions& options = {});
  std::string kind() const override { return fmt::format("UNet({})", down_.size()); }
  Tensor forward(const Tensor& x) override;
  // down0, ..., up1, up0, head.
  std::vector<std::string> stages() const override;

 private:
  std::vector<Sequential*> down_;
  std::vector<UNetUp*> up_;  // by size, the largest first
  Conv2d* head_;
};

// Intersection over union of each class between two label maps of one shape, i64: the pixels that
// both give to the class over those that either does; NaN for a class in neither.
std::vector<double> intersection_over_union(const Tensor& found, const Tensor& truth,
                                            int64_t classes, Caller at = Caller::here());

}  // namespace strata
