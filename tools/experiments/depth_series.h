// Networks of growing depth, with and without shortcuts, and what their layers add (E9).
#pragma once

#include <string>
#include <vector>

#include "models/vision/cifar_resnet.h"
#include "tools/experiments/training.h"

namespace strata::experiments {

// Mean loss (nats) in evaluation mode.
double mean_loss(Model& model, const Images& images);

// `depth` - 1 convolutions of one width with ReLU and no normalisation, the mean over the image and
// a linear head. The weights start as PyTorch's default, uniform within 1 / sqrt(fan in), which
// shrinks what tells images apart to about .41 of itself a layer, or as He et al. 2015, which keeps
// it.
class BarePlainNet : public Model {
 public:
  BarePlainNet(int64_t depth, int64_t width, int64_t channels, int64_t classes, bool he);
  std::string kind() const override { return "BarePlainNet"; }
  Tensor forward(const Tensor& x) override;
  std::vector<std::string> stages() const override;

 private:
  std::vector<Layer*> convolutions_;
  Layer* head_ = nullptr;
};

// The blocks of a CifarResNet that keep the shape (all but the first of stages 2 and 3), each with
// the layer before it.
struct Step {
  std::string before, block;
};
std::vector<Step> shape_keeping_blocks(int64_t depth);
// Debiased linear CKA between the two ends of each such block: 1 where the block changes nothing.
std::vector<double> neighbour_similarity(Model& model, const Tensor& images, int64_t depth);
// Accuracy lost when a block is skipped: its result replaced by what went into it (Veit, Wilber and
// Belongie 2016).
std::vector<double> skip_costs(Model& model, const Images& images, int64_t depth);

}  // namespace strata::experiments
