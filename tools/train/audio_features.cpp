#include "tools/train/audio_features.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::train {

AudioFeatures::AudioFeatures(const LogMelOptions& options, const Tensor& waves)
    : log_mel_(options) {
  NoGrad off;
  const Tensor features = log_mel_(waves);
  mean_ = mean(features).item();
  deviation_ = std::sqrt(var(features).item());
}

Tensor AudioFeatures::operator()(const Tensor& waves) {
  NoGrad off;
  return (log_mel_(waves) - mean_) / deviation_;
}

nlohmann::json AudioFeatures::description() const {
  const LogMelOptions& o = log_mel_.options();
  return {{"rate", o.rate},     {"fft", o.fft},
          {"window", o.window}, {"hop", o.hop},
          {"mels", o.mels},     {"low", o.low},
          {"high", o.high},     {"scale", o.scale == MelScale::slaney ? "slaney" : "htk"},
          {"floor", o.floor},   {"center", o.center},
          {"mean", mean_},      {"deviation", deviation_}};
}

LogMelOptions speech_features() {
  return {.fft = 256, .window = 256, .hop = 160, .mels = 24, .low = 60, .floor = 1e-6};
}

}  // namespace strata::train
