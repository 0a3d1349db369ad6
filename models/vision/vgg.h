// VGG: Simonyan and Zisserman 2015, "Very deep convolutional networks for large-scale image
// recognition", configurations A (11), B (13), D (16) and E (19): 3x3 convolutions only, in five
// stages that each end by halving the image, then three fully connected layers with dropout; plain,
// or with a batch norm after each convolution (Ioffe and Szegedy 2015).
//
//   layer         result (224x224x3)   parameters   multiply-adds   (of VGG-16)
//   conv1_1       [N, 224, 224,  64]        1,792      86,704,128
//   conv1_2       [N, 224, 224,  64]       36,928   1,849,688,064   pool1 halves
//   conv2_1       [N, 112, 112, 128]       73,856     924,844,032
//   conv2_2       [N, 112, 112, 128]      147,584   1,849,688,064   pool2
//   conv3_1       [N,  56,  56, 256]      295,168     924,844,032
//   conv3_2, 3_3  [N,  56,  56, 256]    1,180,160   3,699,376,128   pool3
//   conv4_1       [N,  28,  28, 512]    1,180,160     924,844,032
//   conv4_2, 4_3  [N,  28,  28, 512]    4,719,616   3,699,376,128   pool4
//   conv5_1..5_3  [N,  14,  14, 512]    7,079,424   1,387,266,048   pool5 -> 7x7
//   fc1, relu1    [N, 4096]           102,764,544     102,760,448
//   fc2, relu2    [N, 4096]            16,781,312      16,777,216
//   head          [N, classes]          4,097,000       4,096,000
//
//   depth                         11           13           16           19
//   convolutions       1, 1, 2, 2, 2   2, 2, 2, 2, 2   2, 2, 3, 3, 3   2, 2, 4, 4, 4
//   parameters            132,863,336  133,047,848  138,357,544  143,667,240
//   with batch norm       132,868,840  133,053,736  138,365,992  143,678,248
//   multiply-adds, 10^9          7.61        11.31        15.47        19.63
//
// VGG-S, for images around 32x32: six convolutions with batch norm in three stages of 32, 64 and
// 128 channels, 4x4 positions after the last, 256 units in fc1 and fc2.
//
//   layer         result (32x32x3)     parameters   multiply-adds
//   conv1_1, 1_2  [N, 32, 32,  32]         10,272      10,321,920
//   conv2_1, 2_2  [N, 16, 16,  64]         55,680      14,155,776
//   conv3_1, 3_2  [N,  8,  8, 128]        221,952      14,155,776
//   fc1, fc2      [N, 256]                590,336         589,824
//   head          [N, classes]              2,570           2,560
//
// 880,810 parameters and 39.2 M multiply-adds for 10 classes.
#pragma once

#include "models/model.h"
#include "models/vision/cost.h"

namespace strata {

struct VggOptions {
  std::vector<int64_t> convolutions = {2, 2, 3, 3, 3};  // of each stage
  int64_t channels = 3;
  int64_t classes = 1000;
  int64_t width = 64;     // of the first stage; each next one has twice as many, up to 8 times
  int64_t hidden = 4096;  // units of fc1 and fc2
  int64_t positions = 7;  // the image is averaged to so many rows and columns before fc1
  bool batch_norm = false;
  double dropout = 0.5;  // after relu1 and relu2
};
// The published depths: 11, 13, 16, 19; another is an error.
VggOptions vgg_options(int64_t depth, bool batch_norm = false);
// VGG-S.
VggOptions vgg_s_options();

Cost vgg_cost(const VggOptions& options, int64_t height, int64_t width);

// x [N, H, W, channels] -> logits [N, classes]; H and W are 2^stages or more. Activations of
// convolutions are after their (batch norm and) ReLU.
class Vgg : public Model {
 public:
  explicit Vgg(const VggOptions& options = {});
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;
  // conv1_1, ..., relu1, relu2, head.
  std::vector<std::string> stages() const override;

 private:
  VggOptions options_;
  std::vector<Layer*> layers_;
};

}  // namespace strata
