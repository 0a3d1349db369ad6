// What the audio tasks give their networks: log-mel features, standardised by two numbers of the
// training data.
#pragma once

#include <nlohmann/json.hpp>

#include "models/audio/log_mel.h"

namespace strata::train {

class AudioFeatures {
 public:
  // Mean and deviation are those of the features of `waves` [N, T].
  AudioFeatures(const LogMelOptions& options, const Tensor& waves);
  // [N, T] -> (log mel - mean) / deviation, [N, frames, mels]; not recorded.
  Tensor operator()(const Tensor& waves);
  int64_t mels() const { return log_mel_.options().mels; }
  const LogMelOptions& options() const { return log_mel_.options(); }
  // Everything needed to compute the same features elsewhere.
  nlohmann::json description() const;

 private:
  LogMel log_mel_;
  double mean_ = 0, deviation_ = 1;
};

// 24 bands of 32 ms every 20 ms, for speech at 8 kHz.
LogMelOptions speech_features();

}  // namespace strata::train
