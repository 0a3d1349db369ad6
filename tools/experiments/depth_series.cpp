#include "tools/experiments/depth_series.h"

#include "engine/autograd/autograd.h"
#include "engine/nn/conv.h"
#include "engine/nn/init.h"
#include "engine/nn/linear.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/edit.h"
#include "tools/introspect/representation/similarity.h"

namespace strata::experiments {

double mean_loss(Model& model, const Images& images) {
  NoGrad off;
  const bool training = model.training();
  model.eval();
  double total = 0;
  for (int64_t first = 0; first < images.count(); first += 250) {
    const int64_t end = std::min(images.count(), first + 250);
    total += cross_entropy(model(images.batch.images.slice(0, first, end)),
                           images.batch.labels.slice(0, first, end))
                 .item() *
             static_cast<double>(end - first);
  }
  model.train(training);
  return total / static_cast<double>(images.count());
}

BarePlainNet::BarePlainNet(int64_t depth, int64_t width, int64_t channels, int64_t classes,
                           bool he) {
  for (int64_t i = 1; i < depth; ++i) {
    auto& conv = add<Conv2d>(fmt::format("conv{}", i), i == 1 ? channels : width, width, 3,
                             Conv2dOptions{.padding = 1});
    if (he) init::kaiming_normal_(conv.weight), init::zeros_(conv.bias);
    convolutions_.push_back(&conv);
  }
  head_ = &add<Linear>("head", width, classes);
}

Tensor BarePlainNet::forward(const Tensor& x) {
  Tensor value = x;
  for (Layer* conv : convolutions_) value = relu((*conv)(value));
  return (*head_)(mean(value, {1, 2}));
}

std::vector<std::string> BarePlainNet::stages() const {
  std::vector<std::string> names;
  for (size_t i = 1; i <= convolutions_.size(); ++i) names.push_back(fmt::format("conv{}", i));
  names.emplace_back("head");
  return names;
}

std::vector<Step> shape_keeping_blocks(int64_t depth) {
  std::vector<Step> steps;
  std::string before = "conv1";
  for (int stage = 1; stage <= 3; ++stage) {
    for (int64_t i = 0; i < (depth - 2) / 6; ++i) {
      const std::string block = fmt::format("layer{}.{}", stage, i);
      if (stage == 1 || i > 0) steps.push_back({before, block});
      before = block;
    }
  }
  return steps;
}

std::vector<double> neighbour_similarity(Model& model, const Tensor& images, int64_t depth) {
  const std::vector<Step> steps = shape_keeping_blocks(depth);
  const auto features = layer_features(model, images, model.stages(), 2);
  std::vector<double> similarity;
  for (const Step& step : steps)
    similarity.push_back(introspect::linear_cka(features.at(step.before), features.at(step.block)));
  return similarity;
}

std::vector<double> skip_costs(Model& model, const Images& images, int64_t depth) {
  const double whole = accuracy(model, images);
  std::vector<double> costs;
  for (const Step& step : shape_keeping_blocks(depth)) {
    Tensor before;
    introspect::Edit keep(step.before, [&](const Tensor& x) { return before = x; });
    introspect::Edit skip(step.block, [&](const Tensor&) { return before; });
    costs.push_back(whole - accuracy(model, images));
  }
  return costs;
}

}  // namespace strata::experiments
