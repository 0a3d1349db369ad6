#include "tools/experiments/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/optim/clip.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "models/vision/convnet.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/representation/features.h"

namespace strata::experiments {
namespace {

constexpr int64_t chunk = 250;  // images that go through a network together when it is looked at

// Runs the model on chunks of the images, in evaluation mode and without gradients.
void in_chunks(Model& model, const Tensor& images,
               const std::function<void(int64_t first, const Tensor& logits)>& see) {
  NoGrad off;
  const bool training = model.training();
  model.eval();
  for (int64_t first = 0; first < images.size(0); first += chunk)
    see(first, model(images.slice(0, first, std::min(images.size(0), first + chunk))));
  model.train(training);
}

}  // namespace

std::vector<int64_t> Images::values(const std::string& factor, Caller at) const {
  std::string names;
  for (size_t f = 0; f < factors.size(); ++f) {
    if (factors[f].name == factor)
      return batch.factors.select(1, static_cast<int64_t>(f)).contiguous().to_vector<int64_t>();
    names += (f ? ", " : "") + factors[f].name;
  }
  fail("experiment", at, "there is no factor '{}'; there are {}", factor, names);
}

Images load_images(const std::string& data, Split split, uint64_t seed, int64_t count) {
  const DatasetLimits limits{.train = count, .validation = count, .test = count};
  const auto opened = open_dataset(data, split, seed, limits);
  return {opened->head(count), opened->factors, opened->classes()};
}

Images with_shuffled_labels(const Images& images, uint64_t seed) {
  Images out = images;
  Generator generator(seed);
  out.batch.labels = index_select(images.batch.labels, 0, randperm(images.count(), &generator));
  return out;
}

void train(Model& model, const Images& images, const TrainingOptions& o) {
  AdamW optimizer(model.named_parameters(),
                  {.learning_rate = o.learning_rate, .weight_decay = o.weight_decay});
  Scheduler scheduler(optimizer, one_cycle(std::max<int64_t>(2, o.steps), 0.25));
  Generator generator(o.seed);
  const int64_t count = images.count(), batch = std::min(o.batch, count);
  Tensor order;
  int64_t next = count;  // place in the order
  auto look = [&](int64_t step) {
    if (!o.watch || !std::binary_search(o.watched.begin(), o.watched.end(), step)) return;
    model.to(Device::cpu);
    model.eval();
    o.watch(step);
  };
  look(0);
  for (int64_t step = 1; step <= o.steps; ++step) {
    if (next + batch > count) {
      order = randperm(count, &generator);
      next = 0;
    }
    const Tensor rows = order.slice(0, next, next + batch);
    next += batch;
    model.to(o.device);
    model.train();
    const Tensor logits = model(index_select(images.batch.images, 0, rows).to(o.device));
    const Tensor loss =
        cross_entropy(logits, index_select(images.batch.labels, 0, rows).to(o.device));
    optimizer.zero_grad();
    loss.backward();
    clip_grad_norm(model.parameters(), 5.0);
    optimizer.step();
    scheduler.step();
    if (step % 50 == 0 && !std::isfinite(loss.item()))
      fail("experiment", Caller{}, "the loss became {} by step {} at a learning rate of {}",
           loss.item(), step, o.learning_rate);
    look(step);
  }
  model.to(Device::cpu);
  model.eval();
}

std::vector<int64_t> log_spaced_steps(int64_t last, int64_t count) {
  std::vector<int64_t> steps = {0};
  for (int64_t i = 0; i < count; ++i) {
    const double share = count > 1 ? static_cast<double>(i) / static_cast<double>(count - 1) : 1;
    const auto step = static_cast<int64_t>(std::lround(std::pow(static_cast<double>(last), share)));
    if (step > steps.back()) steps.push_back(step);
  }
  return steps;
}

std::unique_ptr<Model> convnet_for(int64_t classes, uint64_t seed, Budget budget) {
  manual_seed(seed);
  ConvNetOptions options{.classes = classes, .halve = {1, 2, 4, 6}};
  if (budget == Budget::small) options.widths = {8, 16, 16, 32, 32, 64};
  return std::make_unique<ConvNet>(options);
}

std::vector<std::string> layers_of(const Model& model) {
  std::vector<std::string> layers = model.stages();
  layers.pop_back();  // the logits
  return layers;
}

double accuracy(Model& model, const Images& images) {
  double right = 0;
  in_chunks(model, images.batch.images, [&](int64_t first, const Tensor& logits) {
    const Tensor labels = images.batch.labels.slice(0, first, first + logits.size(0));
    right += sum(equal(argmax(logits, 1), labels)).item();
  });
  return right / static_cast<double>(images.count());
}

std::map<std::string, Tensor> layer_features(Model& model, const Tensor& images,
                                             const std::vector<std::string>& layers, int64_t grid) {
  std::map<std::string, std::vector<Tensor>> parts;
  introspect::Capture capture(layers);
  in_chunks(model, images, [&](int64_t, const Tensor&) {
    for (const std::string& layer : layers) {
      const Tensor& a = capture[layer];
      const int64_t cells = a.rank() == 4 ? std::min({grid, a.size(1), a.size(2)}) : grid;
      parts[layer].push_back(introspect::pooled_features(a, cells));
    }
    capture.clear();
  });
  std::map<std::string, Tensor> features;
  for (const auto& [layer, list] : parts) features[layer] = concatenate(list, 0);
  return features;
}

std::vector<introspect::ProbeResult> probe_features(const Tensor& train, const Tensor& validation,
                                                    const std::vector<introspect::ProbeTask>& tasks,
                                                    int64_t dimensions) {
  NoGrad off;
  const auto components =
      introspect::principal_components(train, std::min({dimensions, train.size(1), train.size(0)}));
  return introspect::fit_probes(introspect::project(train, components, true),
                                introspect::project(validation, components, true), tasks);
}

}  // namespace strata::experiments
