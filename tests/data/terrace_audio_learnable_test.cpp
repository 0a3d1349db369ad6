// No trivial cue: a linear reader of the spectrum hears pitch and formants, but of the word no more
// than its first phoneme gives away; a small network tells it.
#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/data/keyed_random.h"
#include "engine/data/terrace_audio.h"
#include "engine/nn.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "models/audio/log_mel.h"

namespace strata {
namespace {

constexpr int64_t train_count = 3000, test_count = 600, batch = 50;

struct Spectra {
  Tensor x;        // [count, frames mels], standardised
  Tensor factors;  // i64 [count, factor_count]
};

Spectra load() {
  NoGrad off;
  const TerraceAudio data({}, 11, train_count + test_count);
  LogMel log_mel({.window = 256, .hop = 240, .mels = 24, .low = 60, .floor = 1e-6});
  std::vector<Tensor> features;
  const TerraceAudio::Batch all = data.head(data.size());
  for (const Tensor& waves : split(all.waves, 300)) features.push_back(log_mel(waves).flatten(1));
  const Tensor x = concatenate(features);
  return {(x - mean(x, {0}, true)) / sqrt(var(x, {0}, true)), all.factors};
}

// Test accuracy on a factor after `epochs` over the training part.
double accuracy(Layer& model, const Spectra& data, int factor, int64_t epochs, double rate) {
  const Tensor labels = data.factors.select(1, factor);
  AdamW optimizer(dynamic_cast<Module&>(model).named_parameters(),
                  {.learning_rate = rate, .weight_decay = 0.05});
  const int64_t steps = epochs * train_count / batch;
  Scheduler scheduler(optimizer, one_cycle(steps, 0.2));
  for (int64_t step = 0; step < steps; ++step) {
    const KeyedPermutation order(train_count, 1, static_cast<uint64_t>(step * batch / train_count));
    std::vector<int64_t> chosen;
    for (int64_t i = 0; i < batch; ++i)
      chosen.push_back(
          static_cast<int64_t>(order(static_cast<uint64_t>((step * batch + i) % train_count))));
    const Tensor rows = from_vector(chosen, {batch});
    optimizer.zero_grad();
    cross_entropy(model(index_select(data.x, 0, rows)), index_select(labels, 0, rows)).backward();
    optimizer.step();
    scheduler.step();
  }
  NoGrad off;
  model.eval();
  const int64_t end = train_count + test_count;
  const Tensor heard = argmax(model(data.x.slice(0, train_count, end)), 1);
  return mean(equal(heard, labels.slice(0, train_count, end)).to(DType::f64)).item();
}

TEST(TerraceAudioLearnable, ALinearReaderHearsNoWordsButANetworkDoes) {
  const Spectra data = load();
  const int64_t width = data.x.size(1);
  auto linear = [&](int factor) {
    manual_seed(1);
    Linear model(width, terrace_audio::row_of(factor).values);
    return accuracy(model, data, factor, 8, 1e-2);
  };
  manual_seed(1);
  Sequential network;
  network.push<Linear>(width, 192);
  network.push<ReLU>();
  network.push<Dropout>(0.3);
  network.push<Linear>(192, 96);
  network.push<ReLU>();
  network.push<Linear>(96, 4);
  const double of_first = linear(terrace_audio::first_formant_before);
  const double of_word = linear(terrace_audio::word);
  const double of_network = accuracy(network, data, terrace_audio::word, 15, 3e-3);
  RecordProperty("linear_first_formant", std::to_string(of_first));
  RecordProperty("linear_word", std::to_string(of_word));
  RecordProperty("network_word", std::to_string(of_network));
  EXPECT_GT(of_first, 0.9);
  EXPECT_LT(of_word, 0.55);
  EXPECT_GT(of_network, 0.8);
}

}  // namespace
}  // namespace strata
