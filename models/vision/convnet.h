// The convolutional network of `strata study`: six 3x3 convolutions, each with batch norm and ReLU
// (Ioffe and Szegedy 2015), halved in size twice, then the mean over the image and a linear head.
// The receptive field grows so that each level of the generated data set has a layer that just
// covers it: colour and orientation need 5-7 pixels, outlines 10-14, objects most of the image.
//
//   layer   result (32x32 input)  receptive field  jump  parameters  multiply-adds
//   conv1   [N, 32, 32,  16]       3 px             1         464        442,368
//   conv2   [N, 32, 32,  32]       5                1       4,672      4,718,592
//   pool2   [N, 16, 16,  32]       6                2
//   conv3   [N, 16, 16,  32]      10                2       9,280      2,359,296
//   conv4   [N, 16, 16,  64]      14                2      18,560      4,718,592
//   pool4   [N,  8,  8,  64]      16                4
//   conv5   [N,  8,  8,  64]      24                4      36,992      2,359,296
//   conv6   [N,  8,  8, 128]      32                4      73,984      4,718,592
//   head    [N, classes]          all                       1,290          1,280
//
// 145,242 parameters, 19.3 M multiply-adds (38.6 MFLOP) for 10 classes and 3 channels. With stride
// 2 in conv2 and conv4 in place of the pools, receptive fields are 3, 5, 9, 13, 21, 29 and the
// multiply-adds 12.2 M.
//
// Halved after conv1, conv2, conv4 and conv6 instead, as for the generated data set, receptive
// fields are 3, 8, 18, 26, 46 and 62: each of the last layers sees both parts of an object, which
// relations between them need (with two halvings the network stays on the plateau of a bag of
// parts, .49, for six epochs of 20,000 images; with four it passes .98 in the third), and the
// multiply-adds are 5.2 M.
#pragma once

#include "engine/nn/conv_norm.h"
#include "engine/nn/linear.h"
#include "engine/nn/pool.h"
#include "models/model.h"

namespace strata {

struct ConvNetOptions {
  int64_t channels = 3;
  int64_t classes = 10;
  // Output channels of the convolutions.
  std::vector<int64_t> widths = {16, 32, 32, 64, 64, 128};
  // Halve by a maximum over 2x2, or by stride 2 of the convolution itself.
  bool max_pool = true;
  // Convolutions, from 1, that are followed by halving.
  std::vector<int64_t> halve = {2, 4};
};

// x [N, H, W, channels] -> logits [N, classes]. The activation conv1 is after norm and ReLU;
// conv1.conv is before.
class ConvNet : public Model {
 public:
  explicit ConvNet(const ConvNetOptions& options = {});
  std::string kind() const override { return "ConvNet"; }
  Tensor forward(const Tensor& x) override;
  // conv1, ..., conv6, head.
  std::vector<std::string> stages() const override;

 private:
  std::vector<Layer*> layers_;
  size_t depth_;
};

}  // namespace strata
