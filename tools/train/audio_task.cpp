#include "tools/train/audio_task.h"

#include "engine/data/augment_audio.h"
#include "engine/io/atomic_file.h"
#include "engine/ops.h"
#include "models/registry.h"

namespace strata::train {

using nlohmann::json;

AudioTask::AudioTask(const TaskOptions& options, const std::string& network, json model,
                     const Tensor& sample, int64_t steps, double learning_rate)
    : options_(options), features_(speech_features(), sample), steps_(steps), rate_(learning_rate) {
  model[network == "wavenet-classifier" ? "inputs" : "mels"] = features_.mels();
  if (!options.model.is_null()) model.update(options.model);
  model_ = make_model(network, model);
}

std::unique_ptr<Optimizer> AudioTask::optimizer() {
  return std::make_unique<AdamW>(
      only_matrices_decay(*model_),
      AdamOptions{.learning_rate = options_.learning_rate.value_or(rate_), .weight_decay = 0.05});
}

std::vector<std::string> AudioTask::finish(const std::filesystem::path& out) {
  io::write_file((out / "features.json").string(), features_.description().dump(2) + "\n");
  return {};
}

json AudioTask::panels(const Untrained& untrained) {
  const std::vector<HeardSound> sounds = heard();
  if (sounds.empty()) return json::object();
  const AudioView view{.sounds = sounds,
                       .rate = static_cast<int64_t>(features_.options().rate),
                       .frequencies = band_frequencies(features_.options()),
                       .features = [this](const Tensor& waves) { return features_(waves); },
                       .answer = [this](const Tensor& logits) { return answer(logits); },
                       .score = [this](const Tensor& logits) { return answer_score(logits); },
                       .device = options_.device};
  return audio_panels(view, *model_, untrained());
}

Tensor AudioTask::answer_score(const Tensor& logits) const { return max(logits, {1}); }

Tensor AudioTask::logits(const Tensor& waves) {
  return (*model_)(features_(waves).to(options_.device));
}

Tensor AudioTask::masked_logits(const Tensor& waves, int64_t step) {
  constexpr SpecAugment masks{.bands = 2, .mels = 4, .stretches = 2, .frames = 8};
  const Tensor x =
      spec_augmented(features_(waves), masks, options_.seed, static_cast<uint64_t>(step));
  return (*model_)(x.to(options_.device));
}

}  // namespace strata::train
