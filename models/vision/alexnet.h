// AlexNet: Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional
// neural networks", in the form with one tower of Krizhevsky 2014 ("One weird trick for
// parallelizing convolutional neural networks"), which is what is in use today: five convolutions
// with ReLU, three maxima over overlapping windows, three fully connected layers with dropout.
//
//   layer         result (224x224x3)   parameters  multiply-adds
//   conv1         [N, 55, 55,  64]         23,296     70,276,800    11x11, stride 4
//   pool1         [N, 27, 27,  64]                                  3x3, stride 2
//   conv2         [N, 27, 27, 192]        307,392    223,948,800    5x5
//   pool2         [N, 13, 13, 192]                                  3x3, stride 2
//   conv3         [N, 13, 13, 384]        663,936    112,140,288    3x3
//   conv4         [N, 13, 13, 256]        884,992    149,520,384    3x3
//   conv5         [N, 13, 13, 256]        590,080     99,680,256    3x3
//   pool5         [N,  6,  6, 256]                                  3x3, stride 2
//   fc6, relu6    [N, 4096]            37,752,832     37,748,736
//   fc7, relu7    [N, 4096]            16,781,312     16,777,216
//   head          [N, classes]          4,097,000      4,096,000
//
// 61,100,840 parameters, 0.714 G multiply-adds for 1000 classes.
//
// AlexNet-S, for images around 32x32: a quarter of the widths (16, 48, 96, 64, 64), conv1 5x5 with
// stride 1, 3x3 positions after pool5, and 256 units in fc6 and fc7.
//
//   layer   result (32x32x3)   multiply-adds  |  layer   result           multiply-adds
//   conv1   [N, 32, 32, 16]        1,228,800  |  conv5   [N, 7, 7, 64]        1,806,336
//   conv2   [N, 15, 15, 48]        4,320,000  |  fc6     [N, 256]               147,456
//   conv3   [N,  7,  7, 96]        2,032,128  |  fc7     [N, 256]                65,536
//   conv4   [N,  7,  7, 64]        2,709,504  |  head    [N, classes]             2,560
//
// 370,394 parameters and 12.3 M multiply-adds for 10 classes.
#pragma once

#include "models/model.h"
#include "models/vision/cost.h"

namespace strata {

struct AlexNetOptions {
  int64_t channels = 3;
  int64_t classes = 1000;
  int64_t width = 64;     // of conv1; the others have 3, 6, 4 and 4 times as many channels
  int64_t hidden = 4096;  // units of fc6 and fc7
  double dropout = 0.5;   // before fc6 and fc7
  bool small_images = false;
};
// AlexNet-S.
AlexNetOptions alexnet_s_options();

Cost alexnet_cost(const AlexNetOptions& options, int64_t height, int64_t width);

// x [N, H, W, channels] -> logits [N, classes]. H and W are 63 or more (15 or more for small
// images); other sizes than those above are averaged to the positions that fc6 takes. Activations
// of convolutions are after their ReLU.
class AlexNet : public Model {
 public:
  explicit AlexNet(const AlexNetOptions& options = {});
  std::string kind() const override { return "AlexNet"; }
  Tensor forward(const Tensor& x) override;
  // conv1, ..., conv5, relu6, relu7, head.
  std::vector<std::string> stages() const override;

 private:
  std::vector<Layer*> layers_;
};

}  // namespace strata
