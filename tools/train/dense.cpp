// Tasks with an answer for every place of an image: a U-Net that says which outline each pixel
// belongs to, and a detector that finds the two parts, both on terrace, whose renderer knows.
#include <array>
#include <cmath>

#include "engine/data/terrace.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "models/registry.h"
#include "models/vision/detector.h"
#include "models/vision/unet.h"
#include "tools/train/domains.h"

namespace strata::train {
namespace {

using terrace::kinds;

constexpr int64_t batch_size = 64, scored_images = 512;
constexpr uint64_t validation_first = uint64_t{1} << 40, test_first = uint64_t{1} << 41;

// Images with where their parts are. A pixel or a box belongs to a part that covers half of it.
struct Scenes {
  Tensor images;                                // f32 [N, 32, 32, 3]
  Tensor labels;                                // i64 [N, 32, 32]: 0, or 1 + outline
  std::vector<std::vector<LabelledBox>> boxes;  // above, below; the label is the outline
};

bool covered(uint8_t coverage) { return coverage >= 128; }

LabelledBox box_around(const std::array<uint8_t, terrace::pixel_count>& mask, int64_t label) {
  Box box{terrace::side, terrace::side, 0, 0};
  for (int i = 0; i < terrace::pixel_count; ++i) {
    if (!covered(mask[static_cast<size_t>(i)])) continue;
    const int x = i % terrace::side, y = i / terrace::side;
    box = {std::min<double>(box.x0, x), std::min<double>(box.y0, y),
           std::max<double>(box.x1, x + 1), std::max<double>(box.y1, y + 1)};
  }
  return {box, label};
}

Scenes fill(const Terrace& data, uint64_t first, int64_t count) {
  Scenes scenes{empty({count, terrace::side, terrace::side, 3}),
                empty({count, terrace::side, terrace::side}, DType::i64),
                std::vector<std::vector<LabelledBox>>(static_cast<size_t>(count))};
  float* images = scenes.images.data<float>();
  int64_t* labels = scenes.labels.data<int64_t>();
  parallel_for(count, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const terrace::Scene scene = data.scene(static_cast<int64_t>(first) + i);
      std::array<uint8_t, terrace::image_bytes> pixels;
      terrace::Masks masks;
      render(scene, pixels.data(), &masks);
      data.normalise(pixels.data(), images + i * terrace::image_bytes);
      const int64_t above = scene.record[terrace::outline_above],
                    below = scene.record[terrace::outline_below];
      for (size_t p = 0; p < terrace::pixel_count; ++p)
        labels[i * terrace::pixel_count + static_cast<int64_t>(p)] =
            covered(masks.part_above[p])   ? 1 + above
            : covered(masks.part_below[p]) ? 1 + below
                                           : 0;
      scenes.boxes[static_cast<size_t>(i)] = {box_around(masks.part_above, above),
                                              box_around(masks.part_below, below)};
    }
  });
  return scenes;
}

// What both tasks share: the data, and AdamW over one cycle.
class DenseTask : public Task {
 public:
  DenseTask(const TaskOptions& options, const std::string& name)
      : options_(options),
        data_({}, options.seed, int64_t{1} << 62),
        model_(make_model(name, options.model)) {}

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return options_.steps.value_or(400); }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<AdamW>(
        model_->named_parameters(),
        AdamOptions{.learning_rate = options_.learning_rate.value_or(3e-3), .weight_decay = 0.01});
  }
  Schedule schedule() const override { return one_cycle(total_steps(), 0.2); }
  int64_t evaluate_every() const override { return std::max<int64_t>(40, total_steps() / 10); }

 protected:
  Scenes batch(int64_t step) const {
    return fill(data_, static_cast<uint64_t>(step * batch_size), batch_size);
  }
  Scenes scored(bool final) const {
    return fill(data_, final ? test_first : validation_first, scored_images);
  }
  Tensor run(const Tensor& images) { return (*model_)(images.to(options_.device)); }

  // For scores: in batches.
  Tensor run_all(const Tensor& images) {
    std::vector<Tensor> parts;
    for (const Tensor& part : split(images, batch_size)) parts.push_back(run(part));
    return concatenate(parts);
  }

  TaskOptions options_;
  Terrace data_;
  std::unique_ptr<Model> model_;
};

double mean_of(const std::vector<double>& values) {
  double sum = 0, count = 0;
  for (double value : values) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return sum / count;
}

class SegmentTask : public DenseTask {
 public:
  explicit SegmentTask(const TaskOptions& options) : DenseTask(options, "unet") {}

  Tensor loss(int64_t step) override {
    const Scenes scenes = batch(step);
    return cross_entropy(run(scenes.images), scenes.labels.to(options_.device));
  }

  std::vector<Score> evaluate(bool final) override {
    const Scenes scenes = scored(final);
    const Tensor found = argmax(run_all(scenes.images), 3).to(Device::cpu);
    auto of = [&](const Tensor& labels) {
      return 100 * mean_of(intersection_over_union(labels, scenes.labels, 1 + kinds));
    };
    return {{.name = "mean intersection over union",
             .value = of(found),
             .unit = "%",
             .yardstick_name = "all background",
             .yardstick = of(zeros(found.shape(), DType::i64))}};
  }
};

class DetectTask : public DenseTask {
 public:
  explicit DetectTask(const TaskOptions& options)
      : DenseTask(options, "detector"), detector_(dynamic_cast<Detector&>(*model_)) {}

  Tensor loss(int64_t step) override {
    const Scenes scenes = batch(step);
    return detector_.loss(run(scenes.images),
                          detector_.targets(scenes.boxes, terrace::side, terrace::side));
  }

  std::vector<Score> evaluate(bool final) override {
    const Scenes scenes = scored(final);
    const auto found = detector_.decode(run_all(scenes.images).to(Device::cpu));
    auto score = [&](const char* name, double limit) {
      auto of = [&](const std::vector<std::vector<Detection>>& boxes) {
        return 100 * mean_average_precision(boxes, scenes.boxes, kinds, limit);
      };
      return Score{.name = name,
                   .value = of(found),
                   .unit = "%",
                   .yardstick_name = "the mean boxes, of every class",
                   .yardstick = of(blind())};
    };
    return {score("AP50", 0.5), score("AP75", 0.75)};
  }

 private:
  // What one can say without looking: the mean box above and below, once for each class.
  std::vector<std::vector<Detection>> blind() const {
    const Scenes scenes = batch(0);
    std::vector<Detection> guess;
    for (size_t slot = 0; slot < 2; ++slot) {
      Box mean{};
      for (const auto& boxes : scenes.boxes) {
        const Box& b = boxes[slot].box;
        mean = {mean.x0 + b.x0 / batch_size, mean.y0 + b.y0 / batch_size,
                mean.x1 + b.x1 / batch_size, mean.y1 + b.y1 / batch_size};
      }
      for (int64_t label = 0; label < kinds; ++label) guess.push_back({mean, label, 0.5});
    }
    return std::vector<std::vector<Detection>>(scored_images, guess);
  }

  Detector& detector_;
};

template <class T>
TaskEntry entry(std::string name, std::string about) {
  return {std::move(name), std::move(about), "",
          [](const TaskOptions& options) { return std::make_unique<T>(options); }};
}

}  // namespace

std::vector<TaskEntry> dense_tasks() {
  return {entry<SegmentTask>("segment", "U-Net on terrace: the outline each pixel belongs to"),
          entry<DetectTask>("detect", "detector on terrace: both parts and their outlines")};
}

}  // namespace strata::train
