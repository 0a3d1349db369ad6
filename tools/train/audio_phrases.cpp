// Generated phrases: a Conformer that tells the word, or another factor, of terrace-audio.
#include "engine/data/terrace_audio.h"
#include "engine/ops.h"
#include "tools/train/audio_task.h"

namespace strata::train {
namespace {

// The factor named by --data (the word, if none is), never the same phrase
// twice.
class Phrases : public AudioTask {
 public:
  explicit Phrases(const TaskOptions& o) : Phrases(o, options_of(o)) {}

  Tensor loss(int64_t step) override {
    const TerraceAudio::Batch phrases = part(batch, static_cast<uint64_t>(step * batch));
    return cross_entropy(logits(phrases.waves), phrases.labels.to(options_.device));
  }

  std::vector<Score> evaluate(bool final) override {
    constexpr int64_t count = 256;
    int64_t right = 0;
    for (int64_t first = 0; first < count; first += batch) {
      const uint64_t number =
          static_cast<uint64_t>(first) + (final ? test_first : validation_first);
      const TerraceAudio::Batch phrases = part(batch, number);
      const Tensor heard = argmax(logits(phrases.waves), 1).to(Device::cpu);
      right += static_cast<int64_t>(sum(equal(heard, phrases.labels)).item());
    }
    Score score;
    score.name = final ? "test accuracy" : "validation accuracy";
    score.value = 100 * static_cast<double>(right) / static_cast<double>(count);
    score.unit = "%";
    if (phrase_options_.label == terrace_audio::word) {
      score.yardstick_name = "the first phoneme alone";
      score.yardstick = 50;
    }
    return {score};
  }

 protected:
  std::vector<HeardSound> heard() override {
    const TerraceAudio::Batch phrases = part(12, test_first);
    std::vector<HeardSound> sounds;
    for (int64_t i = 0; i < phrases.waves.size(0); ++i)
      sounds.push_back({phrases.waves.select(0, i).contiguous(),
                        value_name(static_cast<int64_t>(phrases.labels.select(0, i).item()))});
    return sounds;
  }
  std::string answer(const Tensor& logits) const override {
    return value_name(static_cast<int64_t>(argmax(logits, 1).item()));
  }

 private:
  static constexpr int64_t batch = 32;
  static constexpr uint64_t validation_first = uint64_t{1} << 40, test_first = uint64_t{1} << 41;

  std::string value_name(int64_t value) const {
    return terrace_audio::row_of(phrase_options_.label).value_names.at(static_cast<size_t>(value));
  }

  Phrases(const TaskOptions& o, const TerraceAudioOptions& phrases)
      : AudioTask(o, "conformer-s",
                  {{"classes", terrace_audio::row_of(phrases.label).values},
                   {"width", 48},
                   {"blocks", 2},
                   {"kernel", 7},
                   {"dropout", 0.0},
                   {"pooled", true}},
                  TerraceAudio(phrases, o.seed, 256).head(256).waves, 1000, 2e-3),
        phrase_options_(phrases) {}

  static TerraceAudioOptions options_of(const TaskOptions& o) {
    TerraceAudioOptions options;
    if (!o.data.empty()) options.label = terrace_audio::factor_named(o.data);
    return options;
  }
  TerraceAudio::Batch part(int64_t count, uint64_t first) const {
    return TerraceAudio(phrase_options_, options_.seed, count, first).head(count);
  }

  TerraceAudioOptions phrase_options_;
};

}  // namespace

std::unique_ptr<Task> phrases_task(const TaskOptions& options) {
  return std::make_unique<Phrases>(options);
}

}  // namespace strata::train
