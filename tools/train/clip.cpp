// Tasks of images with text: CLIP-S on terrace scenes and their captions, scored without training
// on the classes (zero shot) for combinations that no caption of the training set was about.
#include <array>

#include "engine/data/captions.h"
#include "engine/ops.h"
#include "models/multimodal/clip_rates.h"
#include "models/registry.h"
#include "tools/train/domains.h"

namespace strata::train {
namespace {

using captions::Captions;
using captions::Scenes;
using terrace::Record;

constexpr int64_t batch_size = 64;
constexpr int64_t wordings = 8;   // of a class, whose embeddings are averaged
constexpr int64_t gallery = 256;  // pairs among which a caption's image is looked for
constexpr uint64_t validation_first = uint64_t{1} << 40, test_first = uint64_t{1} << 41;

// A class of the zero-shot scores: a combination of hue and outline above.
constexpr int64_t hues = 8, classes = hues * terrace::kinds;
int64_t class_of(const Record& record) {
  return record[terrace::hue] * terrace::kinds + record[terrace::outline_above];
}

class ClipTask : public Task {
 public:
  ClipTask(const TaskOptions& options, bool shuffled)
      : options_(options),
        training_({.scenes = Scenes::seen, .seed = options.seed, .shuffled = shuffled}),
        seen_({.scenes = Scenes::seen, .seed = options.seed}),
        held_out_({.scenes = Scenes::held_out, .seed = options.seed}),
        model_(make_model("clip", options.model)),
        clip_(dynamic_cast<Clip&>(*model_)) {}

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return options_.steps.value_or(800); }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<AdamW>(clip_groups(clip_),
                                   AdamOptions{.learning_rate = rate(), .weight_decay = 0.05});
  }
  // Rates only; the update is the trainer's.
  std::optional<double> update(int64_t step, Optimizer& optimizer) override {
    const bool words = step < total_steps() / 4;
    set_clip_rates(optimizer, rate(), words ? ClipPart::words : ClipPart::order);
    return std::nullopt;
  }
  Schedule schedule() const override { return one_cycle(total_steps(), 0.15); }
  double clip_norm() const override { return 1; }
  int64_t evaluate_every() const override { return std::max<int64_t>(50, total_steps() / 10); }

  Tensor loss(int64_t step) override {
    const auto pairs = training_.fill(static_cast<uint64_t>(step * batch_size), batch_size);
    return clip_.loss(pairs.images.to(options_.device),
                      captions::trimmed(pairs.tokens).to(options_.device));
  }

  std::vector<Score> evaluate(bool final) override {
    const uint64_t first = final ? test_first : validation_first;
    const int64_t count = final ? 1024 : gallery;
    const Tensor prompts = class_embeddings();
    const auto held = held_out_.fill(first, count), seen = seen_.fill(first, count);
    const Tensor images = embed(held.images);
    std::vector<Score> scores = {
        share("zero-shot accuracy, held-out combinations", accuracy(images, prompts, held.records),
              classes),
        share("zero-shot accuracy, seen combinations",
              accuracy(embed(seen.images), prompts, seen.records), classes)};
    const Tensor texts = clip_.encode_text(held.tokens.slice(0, 0, gallery).to(options_.device));
    for (int64_t k : {1, 5})
      scores.push_back(share(fmt::format("recall@{} of images by caption, among {}", k, gallery),
                             recall(texts, images.slice(0, 0, gallery), k),
                             static_cast<double>(gallery) / static_cast<double>(k)));
    return scores;
  }

 private:
  double rate() const { return options_.learning_rate.value_or(2e-3); }

  // A share in percent, which guessing among `choices` reaches in one of them.
  static Score share(std::string name, double value, double choices) {
    return {.name = std::move(name),
            .value = 100 * value,
            .unit = "%",
            .yardstick_name = "chance",
            .yardstick = 100 / choices};
  }

  Tensor embed(const Tensor& images) {
    std::vector<Tensor> parts;
    for (const Tensor& part : split(images, batch_size))
      parts.push_back(clip_(part.to(options_.device)));
    return concatenate(parts);
  }

  // The mean direction of several captions of each class, [classes, E].
  Tensor class_embeddings() {
    std::vector<int64_t> tokens;
    for (int64_t c = 0; c < classes; ++c) {
      Record record;
      record.fill(captions::unnamed);
      record[terrace::hue] = static_cast<int8_t>(c / terrace::kinds);
      record[terrace::outline_above] = static_cast<int8_t>(c % terrace::kinds);
      for (int64_t wording = 0; wording < wordings; ++wording) {
        KeyedRandom random(options_.seed, static_cast<uint64_t>(c * wordings + wording), 0);
        const auto text = captions::tokens_of(captions::caption(record, random));
        tokens.insert(tokens.end(), text.begin(), text.end());
      }
    }
    const Tensor index = from_vector(tokens, {classes * wordings, captions::context});
    const Tensor units = unit_rows(clip_.encode_text(index.to(options_.device)));
    return mean(units.reshape({classes, wordings, units.size(1)}), {1});
  }

  double accuracy(const Tensor& images, const Tensor& prompts, const std::vector<Record>& records) {
    const auto found = argmax(clip_.logits(images, prompts), 1).to_vector<int64_t>();
    int64_t right = 0;
    for (size_t i = 0; i < found.size(); ++i) right += found[i] == class_of(records[i]);
    return static_cast<double>(right) / static_cast<double>(found.size());
  }

  // Share of texts whose own image is among the k nearest.
  double recall(const Tensor& texts, const Tensor& images, int64_t k) {
    const Tensor near = topk(clip_.logits(texts, images), k, 1).indices;
    const auto found = near.to_vector<int64_t>();
    int64_t hits = 0;
    for (size_t i = 0; i < found.size(); ++i) hits += found[i] == static_cast<int64_t>(i) / k;
    return static_cast<double>(hits) / static_cast<double>(texts.size(0));
  }

  TaskOptions options_;
  Captions training_, seen_, held_out_;
  std::unique_ptr<Model> model_;
  Clip& clip_;
};

}  // namespace

std::vector<TaskEntry> multimodal_tasks() {
  auto entry = [](std::string name, std::string about, bool shuffled) {
    auto make = [shuffled](const TaskOptions& options) {
      return std::make_unique<ClipTask>(options, shuffled);
    };
    // The captions are those of terrace's images, whose validation and test are not training's.
    return TaskEntry{std::move(name), std::move(about), "", make, "clip", "terrace:outline"};
  };
  return {entry("clip", "CLIP-S on generated scenes and captions; zero-shot accuracy", false),
          entry("clip_shuffled", "the control: as clip, each caption from another scene", true)};
}

}  // namespace strata::train
