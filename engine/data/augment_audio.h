// Changes to sound that leave what is said as it is. What is drawn is a function of the KeyedRandom
// given, so a batch repeats to the same bits.
#pragma once

#include <vector>

#include "engine/data/keyed_random.h"
#include "engine/tensor/tensor.h"

namespace strata {

struct AudioAugment {
  double speed = 0;    // played at 1 - speed to 1 + speed times the rate (pitch moves with it)
  double gain = 0;     // decibels up or down at most
  double noise = 0;    // white, with a deviation of 0 to this part of the sound's own
  double shift = 0.5;  // where the sound begins, 0 to 1: in the middle (0.5), or anywhere if drawn
  bool place_anywhere = false;
};

// The sound in `length` samples of silence, cut if it is longer.
std::vector<float> placed(const std::vector<float>& sound, int64_t length,
                          const AudioAugment& augment, KeyedRandom random);

// SpecAugment (Park et al. 2019) without warping: bands of up to `mels` features and stretches of
// up to `frames` frames become 0 (the mean of standardised features).
struct SpecAugment {
  int64_t bands = 2, mels = 6;
  int64_t stretches = 2, frames = 10;
};
// x [N, T, C] on the cpu -> a copy; sequence n draws from (seed, step, n).
Tensor spec_augmented(const Tensor& x, const SpecAugment& options, uint64_t seed, uint64_t step);

}  // namespace strata
