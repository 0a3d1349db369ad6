// Audio: spoken digits by WaveNet and by Conformer, and sequences of them by CTC. Generated phrases
// are in audio_phrases.cpp.
#include <algorithm>
#include <numeric>

#include "engine/data/augment_audio.h"
#include "engine/data/spoken_digits.h"
#include "engine/ops.h"
#include "models/audio/ctc_decode.h"
#include "tools/train/audio_task.h"
#include "tools/train/domains.h"

namespace strata::train {
namespace {

using nlohmann::json;

// What the draws of a batch are for.
enum Stream : uint32_t { stream_augment = 0x41554430u, stream_digits = 0x41554431u };

constexpr AudioAugment training_changes{
    .speed = 0.12, .gain = 6, .noise = 0.08, .place_anywhere = true};
constexpr AudioAugment no_changes{};

Tensor waves_of(const std::vector<std::vector<float>>& sounds) {
  const auto count = static_cast<int64_t>(sounds.size());
  const auto length = static_cast<int64_t>(sounds.at(0).size());
  Tensor waves = empty({count, length});
  for (int64_t n = 0; n < count; ++n)
    std::ranges::copy(sounds[static_cast<size_t>(n)], waves.data<float>() + n * length);
  return waves;
}

// Every training utterance once an epoch, in an order that (seed, epoch) decides.
std::vector<int64_t> batch_of(int64_t size, int64_t count, uint64_t seed, int64_t step) {
  std::vector<int64_t> indices;
  for (int64_t place = step * count; place < (step + 1) * count; ++place) {
    const KeyedPermutation order(static_cast<uint64_t>(size), seed,
                                 static_cast<uint64_t>(place / size));
    indices.push_back(static_cast<int64_t>(order(static_cast<uint64_t>(place % size))));
  }
  return indices;
}

KeyedRandom draws(const TaskOptions& o, int64_t step, int64_t n, int64_t count) {
  return {o.seed, static_cast<uint64_t>(step * count + n), stream_augment};
}

// One digit in a second of silence; a pooled network says which.
class Digits : public AudioTask {
 public:
  Digits(const TaskOptions& o, const std::string& network, const json& model, int64_t steps,
         double learning_rate)
      : Digits(o, network, model, steps, learning_rate, SpokenDigits(o.data, Split::train)) {}

  Tensor loss(int64_t step) override {
    std::vector<std::vector<float>> sounds;
    std::vector<int64_t> labels;
    for (int64_t index : batch_of(train_.size(), batch, options_.seed, step)) {
      const SpokenDigits::Utterance& u = train_[index];
      sounds.push_back(placed(u.samples, length, training_changes,
                              draws(options_, step, static_cast<int64_t>(sounds.size()), batch)));
      labels.push_back(u.digit);
    }
    return cross_entropy(masked_logits(waves_of(sounds), step),
                         from_vector(labels, {batch}).to(options_.device),
                         {.label_smoothing = 0.1});
  }

  std::vector<Score> evaluate(bool final) override {
    const SpokenDigits held_out(options_.data, final ? Split::test : Split::validation);
    std::vector<int64_t> right(held_out.speakers().size()), all(right.size());
    for (int64_t first = 0; first < held_out.size(); first += batch) {
      const int64_t last = std::min(first + batch, held_out.size());
      const std::vector<int64_t> heard =
          argmax(logits(in_the_middle(held_out, first, last)), 1).to_vector<int64_t>();
      for (int64_t i = first; i < last; ++i) {
        const auto speaker = static_cast<size_t>(held_out[i].speaker);
        right[speaker] += heard[static_cast<size_t>(i - first)] == held_out[i].digit;
        ++all[speaker];
      }
    }
    auto percent = [](int64_t part, int64_t whole) {
      return 100 * static_cast<double>(part) / static_cast<double>(std::max<int64_t>(1, whole));
    };
    by_speaker_ = "by speaker:";
    for (size_t s = 0; s < all.size(); ++s)
      by_speaker_ += fmt::format(" {} {:.1f}%", held_out.speakers()[s], percent(right[s], all[s]));
    Score score;
    score.name = final ? "test accuracy" : "validation accuracy";
    score.value = percent(std::accumulate(right.begin(), right.end(), int64_t{0}), held_out.size());
    score.unit = "%";
    if (final) {
      score.yardstick_name = "the aim";
      score.yardstick = 95;
    }
    return {score};
  }

  std::vector<std::string> finish(const std::filesystem::path& out) override {
    AudioTask::finish(out);
    return {by_speaker_};
  }

 protected:
  // Each digit once.
  std::vector<HeardSound> heard() override {
    const SpokenDigits held_out(options_.data, Split::test);
    std::vector<HeardSound> sounds;
    for (int64_t digit = 0; digit < SpokenDigits::digits; ++digit) {
      int64_t i = 0;
      while (i < held_out.size() && held_out[i].digit != digit) ++i;
      if (i == held_out.size()) continue;
      sounds.push_back(
          {in_the_middle(held_out, i, i + 1).select(0, 0).contiguous(), std::to_string(digit)});
    }
    return sounds;
  }
  std::string answer(const Tensor& logits) const override {
    return std::to_string(static_cast<int64_t>(argmax(logits, 1).item()));
  }

 private:
  static constexpr int64_t batch = 32, length = SpokenDigits::rate;  // a second

  Digits(const TaskOptions& o, const std::string& network, const json& model, int64_t steps,
         double learning_rate, SpokenDigits train)
      : AudioTask(o, network, model, in_the_middle(train, 0, train.size()), steps, learning_rate),
        train_(std::move(train)) {}

  static Tensor in_the_middle(const SpokenDigits& digits, int64_t first, int64_t last) {
    std::vector<std::vector<float>> sounds;
    for (int64_t i = first; i < last; ++i)
      sounds.push_back(placed(digits[i].samples, length, no_changes, {0, 0, 0}));
    return waves_of(sounds);
  }

  SpokenDigits train_;
  std::string by_speaker_;
};

// One to four digits, one after the other, in three seconds; which and where the network has to
// find by itself. Class 0 is the blank, digit d is class d + 1.
class DigitSequences : public AudioTask {
 public:
  explicit DigitSequences(const TaskOptions& o)
      : DigitSequences(o, SpokenDigits(o.data, Split::train)) {}

  Tensor loss(int64_t step) override {
    const Spoken spoken = sequences(train_, options_.seed, step, training_changes);
    Tensor y = log_softmax(masked_logits(spoken.waves, step));
    Tensor steps = full({batch}, static_cast<double>(y.size(1)), DType::i64);
    return ctc_loss(y, spoken.targets, steps, spoken.lengths);
  }

  // Edits a spoken digit.
  std::vector<Score> evaluate(bool final) override {
    const SpokenDigits held_out(options_.data, final ? Split::test : Split::validation);
    int64_t edits = 0, digits = 0;
    for (int64_t i = 0; i < (final ? 20 : 4); ++i) {
      // The same sequences whatever the seed of training.
      const Spoken spoken = sequences(held_out, 0, i, no_changes);
      const Tensor y = log_softmax(logits(spoken.waves)).to(Device::cpu);
      for (int64_t n = 0; n < batch; ++n) {
        const std::vector<int64_t> heard = ctc_greedy(y.select(0, n)).labels;
        const std::vector<int64_t>& said = spoken.labels[static_cast<size_t>(n)];
        edits += edit_distance(heard, said);
        digits += static_cast<int64_t>(said.size());
        example_ = fmt::format("said {}, heard {}", digits_of(said), digits_of(heard));
      }
    }
    Score score;
    score.name = final ? "test digit error rate" : "validation digit error rate";
    score.value = 100 * static_cast<double>(edits) / static_cast<double>(digits);
    score.unit = "%";
    score.higher_is_better = false;
    return {score};
  }

  std::vector<std::string> finish(const std::filesystem::path& out) override {
    AudioTask::finish(out);
    return {example_};
  }

 protected:
  std::vector<HeardSound> heard() override {
    const SpokenDigits held_out(options_.data, Split::test);
    const Spoken spoken = sequences(held_out, 0, 0, no_changes);
    std::vector<HeardSound> sounds;
    for (int64_t n = 0; n < 8; ++n)
      sounds.push_back({spoken.waves.select(0, n).contiguous(),
                        digits_of(spoken.labels[static_cast<size_t>(n)])});
    return sounds;
  }
  std::string answer(const Tensor& logits) const override {
    return digits_of(ctc_greedy(log_softmax(logits).select(0, 0)).labels);
  }
  // The sum of the largest logits of the steps that are no blank; of all steps where all are.
  Tensor answer_score(const Tensor& logits) const override {
    const Tensor blank = equal(argmax(logits, 2), scalar(0, DType::i64));
    const Tensor largest = max(logits, {2});
    if (all(blank).item() != 0) return sum(largest, {1});
    return sum(where(blank, zeros_like(largest), largest), {1});
  }

 private:
  static constexpr int64_t batch = 16, length = 3 * SpokenDigits::rate, most = 4;
  struct Spoken {
    Tensor waves, targets, lengths;
    std::vector<std::vector<int64_t>> labels;
  };

  DigitSequences(const TaskOptions& o, SpokenDigits train)
      : AudioTask(
            o, "conformer-s",
            {{"classes", SpokenDigits::digits + 1}, {"width", 48}, {"blocks", 2}, {"kernel", 9}},
            sequences(train, o.seed, 0, no_changes).waves, 1500, 2e-3),
        train_(std::move(train)) {}

  static std::string digits_of(const std::vector<int64_t>& labels) {
    std::string text;
    for (int64_t label : labels) text += static_cast<char>('0' + label - 1);
    return text.empty() ? "nothing" : text;
  }

  // Batch `step` of sequences made of `digits`.
  static Spoken sequences(const SpokenDigits& digits, uint64_t seed, int64_t step,
                          const AudioAugment& changes) {
    Spoken out;
    std::vector<std::vector<float>> sounds;
    std::vector<int64_t> targets(static_cast<size_t>(batch * most), 0), lengths;
    AudioAugment loudness = changes;
    loudness.place_anywhere = false;
    for (int64_t n = 0; n < batch; ++n) {
      KeyedRandom random(seed, static_cast<uint64_t>(step * batch + n), stream_digits);
      std::vector<float> sound;
      std::vector<int64_t> labels;
      const auto wanted = static_cast<int64_t>(1 + random.below(most));
      for (int64_t i = 0; i < wanted; ++i) {
        const SpokenDigits::Utterance& u =
            digits[random.below(static_cast<uint32_t>(digits.size()))];
        const auto pause = static_cast<size_t>(random.below(SpokenDigits::rate / 8));
        if (sound.size() + pause + u.samples.size() > length) break;
        sound.insert(sound.end(), pause, 0.0f);
        sound.insert(sound.end(), u.samples.begin(), u.samples.end());
        targets[static_cast<size_t>(n * most + i)] = u.digit + 1;
        labels.push_back(u.digit + 1);
      }
      sounds.push_back(placed(sound, length, loudness,
                              {seed, static_cast<uint64_t>(step * batch + n), stream_augment}));
      lengths.push_back(static_cast<int64_t>(labels.size()));
      out.labels.push_back(std::move(labels));
    }
    out.waves = waves_of(sounds);
    out.targets = from_vector(targets, {batch, most});
    out.lengths = from_vector(lengths, {batch});
    return out;
  }

  SpokenDigits train_;
  std::string example_;
};

const char* digits_folder = "a folder with train/ and test/ of DIGIT_SPEAKER_TAKE.wav (fsdd)";

std::unique_ptr<Task> digits_wavenet(const TaskOptions& o) {
  return std::make_unique<Digits>(
      o, "wavenet-classifier",
      json{{"classes", SpokenDigits::digits}, {"channels", 32}, {"skip", 64}, {"dropout", 0.1}},
      1200, 4e-3);
}

std::unique_ptr<Task> digits_conformer(const TaskOptions& o) {
  const json model = {{"classes", SpokenDigits::digits},
                      {"width", 48},
                      {"blocks", 2},
                      {"kernel", 9},
                      {"pooled", true}};
  return std::make_unique<Digits>(o, "conformer-s", model, 1200, 2e-3);
}

}  // namespace

std::vector<TaskEntry> audio_tasks() {
  return {
      {"digits-wavenet", "WaveNet on spoken digits, accuracy on the official test split",
       digits_folder, digits_wavenet},
      {"digits-conformer", "Conformer on spoken digits, accuracy on the official test split",
       digits_folder, digits_conformer},
      {"digits-ctc", "Conformer with CTC on sequences of spoken digits, digit error rate",
       digits_folder, [](const TaskOptions& o) { return std::make_unique<DigitSequences>(o); }},
      {"terrace-audio", "Conformer on generated phrases, accuracy of the word (or --data FACTOR)",
       "", phrases_task},
  };
}

}  // namespace strata::train
