// LeNet-5: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document
// recognition". Convolutions and halvings in turn, then fully connected layers: the form that all
// later convolutional classifiers share.
//
//   layer           result (32x32x1)   parameters  multiply-adds
//   conv1, tanh1    [N, 28, 28,  6]           156        117,600    5x5
//   pool1           [N, 14, 14,  6]                                 mean of 2x2
//   conv2, tanh2    [N, 10, 10, 16]         2,416        240,000    5x5
//   pool2           [N,  5,  5, 16]                                 mean of 2x2
//   fc3, tanh3      [N, 120]               48,120         48,000    (a 5x5 convolution in the
//   paper) fc4, tanh4      [N, 84]                10,164         10,080 head            [N,
//   classes]              850            840
//
// 61,706 parameters and 416,520 multiply-adds for 10 classes. This is the form in use today: the
// paper's halvings have a coefficient and a bias, its second convolution sees chosen subsets of the
// maps, and its last layer measures distances to drawings of the digits. Digits of 28x28 are padded
// to 32x32, as in the paper, by `padding` = 2.
#pragma once

#include "models/model.h"
#include "models/vision/cost.h"

namespace strata {

struct LeNetOptions {
  int64_t channels = 1;
  int64_t height = 32, width = 32;  // of the images
  int64_t classes = 10;
  int64_t padding = 0;  // zeros around the image in conv1
};

Cost lenet_cost(const LeNetOptions& options);

// x [N, height, width, channels] -> logits [N, classes].
class LeNet : public Model {
 public:
  explicit LeNet(const LeNetOptions& options = {});
  std::string kind() const override { return "LeNet-5"; }
  Tensor forward(const Tensor& x) override;
  // tanh1, tanh2, tanh3, tanh4, head.
  std::vector<std::string> stages() const override;

 private:
  LeNetOptions options_;
  std::vector<Layer*> layers_;
};

}  // namespace strata
