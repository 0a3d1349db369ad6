// What a report shows of a network of sounds: each can be heard, with its spectrogram and what of
// it moves the network's answer (the panel "audio" of tools/report/CONTRACT.md).
//
//   saliency   |d score / d feature| (Simonyan, Vedaldi and Zisserman 2014), of the score of what
//              the network answers
//   activity   sqrt(mean over channels of a^2) at each step of the last layer that has steps
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/audio/log_mel.h"
#include "models/model.h"

namespace strata::train {

struct HeardSound {
  Tensor wave;        // f32 [T], all of the same length
  std::string label;  // what it is
};

struct AudioView {
  std::vector<HeardSound> sounds;
  int64_t rate = 8000;
  std::vector<double> frequencies;  // Hz, middle of each band, low to high
  std::function<Tensor(const Tensor&)>
      features;  // waves [N, T] -> what the network takes [N, F, M]
  // Logits of one sound [1, ...]: the answer in words, and the number that answer stands on.
  std::function<std::string(const Tensor&)> answer;
  std::function<Tensor(const Tensor&)> score;
  Device device = Device::cpu;
};

// The middles of the filters (means of the frequencies, weighted by the filter).
std::vector<double> band_frequencies(const LogMelOptions& options);

// {"audio": ..., "sprites": {"spectra": ...}}.
nlohmann::json audio_panels(const AudioView& view, Model& trained, Model& untrained);

}  // namespace strata::train
