// What the layers of a network that hears words know: a small convolutional network over time, and
// probes of its layers for the phonemes that words are made of, for the words, and for the speaker,
// who is a nuisance.
#pragma once

#include "tools/experiments/unit_readers.h"

namespace strata::experiments {

// Accuracy of linear probes on phrases that are not those trained on, by layer: the mel bands, then
// three convolutions. Each layer is averaged over the two halves of the time and reduced to 32
// whitened dimensions.
struct AudioLayers {
  std::vector<double> phoneme;  // of the first syllable; chance .25, as for the others
  std::vector<double> word, speaker;
};
// `train`: audio units, to learn words from.
AudioLayers audio_layers(const Units& train, const UnitTraining& training, uint64_t seed);

}  // namespace strata::experiments
