#include "tools/experiments/unit_sharing.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "models/vision/convnet.h"
#include "tools/experiments/population_codes.h"
#include "tools/experiments/training.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/linear_algebra.h"
#include "tools/introspect/units/terrace_concepts.h"

namespace strata::experiments {
namespace {

// Images of the task "object" at half their size, which loses the textures, not the outlines.
Images object_images(const Context& context, Split split, int64_t count) {
  Images images = load_images("terrace:object", split, context.seed, count);
  if (context.budget == Budget::small) images.batch.images = avg_pool2d(images.batch.images);
  return images;
}

// What units and populations of every layer know; the last task is shuffled labels.
Json readout(ConvNet& model, const Images& train, const Images& test, Generator& generator) {
  std::vector<introspect::ProbeTask> tasks;
  for (int factor : read_factors) {
    const auto& row = terrace::row_of(factor);
    tasks.push_back({row.name, row.values, train.values(row.name), test.values(row.name)});
  }
  introspect::ProbeTask shuffled = tasks.front();
  shuffled.name = "shuffled";
  for (auto* labels : {&shuffled.train, &shuffled.validation})
    *labels = index_select(from_vector(*labels, {static_cast<int64_t>(labels->size())}), 0,
                           randperm(static_cast<int64_t>(labels->size()), &generator))
                  .to_vector<int64_t>();
  tasks.push_back(shuffled);
  std::vector<std::string> layers = model.stages();
  layers.pop_back();
  const auto a = layer_features(model, train.batch.images, layers, 1),
             b = layer_features(model, test.batch.images, layers, 1);
  Json out;
  for (const std::string& layer : layers) {
    const auto found = unit_and_population(a.at(layer), b.at(layer), tasks);
    for (size_t t = 0; t < tasks.size(); ++t) {
      out[tasks[t].name]["unit"].push_back(found[t].unit_accuracy);
      out[tasks[t].name]["population"].push_back(found[t].population_accuracy);
      out[tasks[t].name]["chance"] = found[t].chance;
    }
  }
  return out;
}

// Network dissection of a layer in its own axes and in turned ones: the mean over axes of the best
// IoU with a concept, and the share of axes that are detectors.
Json dissection(ConvNet& model, const Context& context, Generator& generator) {
  const int64_t count = 200;
  const Terrace data(terrace_task("object"), context.seed, count, uint64_t{2} << 40);
  const Tensor masks = introspect::terrace_masks(data, 0, count);
  introspect::Capture capture({"conv3"});
  NoGrad off;
  model(object_images(context, Split::test, count).batch.images);
  const Tensor activation = capture["conv3"];
  const int64_t units = activation.size(3);
  Json out;
  for (int turn = 0; turn < 4; ++turn) {
    Tensor turned = activation;
    if (turn > 0)
      turned = matmul(activation, introspect::orthonormal_basis(
                                      randn({units, units}, 0, 1, DType::f32, &generator)));
    introspect::TopQuantiles quantiles(0.02, turned.numel() / units);
    quantiles.add(turned);
    introspect::Dissection dissection(quantiles.thresholds(), introspect::terrace_concepts());
    dissection.add(turned, masks);
    const introspect::LayerDissection result = dissection.result();
    double iou = 0;
    for (const auto& unit : result.units) iou += unit.iou / static_cast<double>(units);
    out["iou"].push_back(iou);
    out["detectors"].push_back(result.detectors);
  }
  return out;
}

}  // namespace

Json train_and_look(const Context& context) {
  const bool full = context.budget == Budget::full;
  Images train_images = object_images(context, Split::train, full ? 20000 : 6000);
  const Images test = object_images(context, Split::test, 2000);
  if (context.lie == Lie::shuffled_labels)
    train_images = with_shuffled_labels(train_images, context.seed);
  manual_seed(context.seed);
  ConvNet model({.classes = train_images.classes,
                 .widths = full ? std::vector<int64_t>{32, 64, 64, 128, 128, 128}
                                : std::vector<int64_t>{16, 32, 32, 64, 64, 64},
                 .halve = full ? std::vector<int64_t>{1, 2, 4, 5} : std::vector<int64_t>{1, 3, 5}});
  const int64_t steps = context.lie == Lie::untrained ? 0 : full ? 3000 : 500;
  TrainingOptions options;
  options.steps = steps;
  options.seed = context.seed;
  options.device = context.device;
  train(model, train_images, options);

  context.say("units and populations", 0.7);
  Generator generator(context.seed);
  Json out{{"accuracy", accuracy(model, test)}};
  Images probed = train_images;  // the first 2,000 fit the readers
  probed.batch = {train_images.batch.images.slice(0, 0, 2000),
                  train_images.batch.labels.slice(0, 0, 2000),
                  train_images.batch.factors.slice(0, 0, 2000)};
  out["readout"] = readout(model, probed, test, generator);

  NoGrad off;
  const Tensor a = layer_features(model, probed.batch.images, {"conv6"}, 1).at("conv6"),
               b = layer_features(model, test.batch.images, {"conv6"}, 1).at("conv6");
  Head head;
  for (const auto& [name, value] : model.named_parameters()) {
    if (name == "head.weight") head.weight = value.detach().transpose(0, 1).contiguous();
    if (name == "head.bias") head.bias = value.detach();
  }
  const auto labels = test.batch.labels.to_vector<int64_t>();
  out["head_accuracy"] = head_accuracy(head, b, labels);
  out["unit_cost"] = unit_costs(head, b, labels);
  for (const Tensor& direction :
       class_directions(a, probed.batch.labels.to_vector<int64_t>(), test.classes))
    out["direction_cost"].push_back(direction_cost(head, b, labels, direction));
  for (int i = 0; i < 20; ++i)
    out["random_cost"].push_back(
        direction_cost(head, b, labels, randn({b.size(1)}, 0, 1, DType::f32, &generator)));
  const Service served = service(head, b, labels);
  out["classes_of_unit"] = served.classes_of_unit;
  out["units_of_class"] = served.units_of_class;
  out["reused"] = served.reused;
  context.say("dissection", 0.9);
  out["dissection"] = dissection(model, context, generator);
  return out;
}

}  // namespace strata::experiments
