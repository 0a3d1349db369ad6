// What the experiments on networks share: data in memory, training for a number of steps with a
// look at the network at some of them, and the features of its layers.
//
// Training is the recipe of `strata study`: AdamW, one cycle of the learning rate, gradients
// clipped to norm 5. Everything that is drawn (weights aside) follows from the seeds given.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "engine/data/dataset.h"
#include "models/model.h"
#include "tools/experiments/experiment.h"
#include "tools/introspect/representation/probe.h"

namespace strata::experiments {

// Images that stay in memory, with what is known about them.
struct Images {
  Batch batch;
  std::vector<FactorInfo> factors;
  int64_t classes = 0;

  int64_t count() const { return batch.labels.numel(); }
  // Values of a factor, an image each. An unknown name is an error that lists those there are.
  std::vector<int64_t> values(const std::string& factor, Caller at = Caller::here()) const;
};
// The first `count` images of a split of "terrace:object", "cifar10:DIR", ... (open_dataset).
Images load_images(const std::string& data, Split split, uint64_t seed, int64_t count);
// The same images with their labels in another order: nothing is left to learn.
Images with_shuffled_labels(const Images& images, uint64_t seed);

struct TrainingOptions {
  int64_t steps = 500, batch = 64;
  double learning_rate = 4e-3, weight_decay = 0;
  uint64_t seed = 1;  // of the order of the images
  Device device = Device::cpu;
  // Called before the first update (step 0) and after others, at these steps (ascending), with the
  // model on the CPU and in evaluation mode.
  std::vector<int64_t> watched;
  std::function<void(int64_t step)> watch;
};
// Leaves the model on the CPU, in evaluation mode. A loss that is not finite is an error.
void train(Model& model, const Images& images, const TrainingOptions& options);

// 0, then about `count` steps from 1 to `last`, evenly spaced in their logarithm, each once.
std::vector<int64_t> log_spaced_steps(int64_t last, int64_t count);

// The convolutional network of `strata study` (models/vision/convnet.h), halved after 1, 2, 4 and
// 6, weights drawn by the seed: half as wide at the small budget.
std::unique_ptr<Model> convnet_for(int64_t classes, uint64_t seed, Budget budget);
// conv1, ..., conv6.
std::vector<std::string> layers_of(const Model& model);

// Share of images classified rightly, in evaluation mode.
double accuracy(Model& model, const Images& images);

// Activations of the layers, averaged over a grid of cells (introspect::pooled_features), a row an
// image, in evaluation mode.
std::map<std::string, Tensor> layer_features(Model& model, const Tensor& images,
                                             const std::vector<std::string>& layers,
                                             int64_t grid = 4);

// A linear probe for each factor on features of train images and of others: both are projected on
// the leading `dimensions` principal components of the first and whitened, so that every layer is
// judged through as many dimensions.
std::vector<introspect::ProbeResult> probe_features(const Tensor& train, const Tensor& validation,
                                                    const std::vector<introspect::ProbeTask>& tasks,
                                                    int64_t dimensions = 128);

}  // namespace strata::experiments
