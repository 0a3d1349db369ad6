// The optimal stimulus of a unit: an image that excites it most, found by gradient ascent (Erhan et
// al. 2009; Olah et al. 2017, "Feature visualization").
//
// The image is a sum of cosine waves (an orthonormal two-dimensional DCT) whose coefficients are
// scaled by 1/frequency, as natural images' are: without this prior ascent ends in high-frequency
// noise. Each step looks at the image shifted by a few pixels (jitter), so that the result does not
// hang on one alignment, and pays for total variation. Colours are mixed by the data's own colour
// covariance.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

struct StimulusOptions {
  int steps = 96;
  double learning_rate = 0.05;
  int jitter = 2;      // pixels
  double decay = 1.0;  // power of 1/frequency
  double total_variation = 0.02;
  double shrink = 0.02;  // of the waves, each step: without it ascent ends in black or white
  uint64_t seed = 1;
};

// What the ascent runs on. `low`, `high`: range of pixel values, in the model's input units.
struct StimulusSpace {
  int64_t height = 0, width = 0, channels = 0;
  Tensor mean,
      deviation;  // [C]: what the model's input was normalised with: input = (p - mean) / deviation
  Tensor colour;  // [C, C]: square root of the pixel colours' covariance; identity if undefined
};
// Mean, deviation and colour of a data set from a sample of its images [N, H, W, C] in [0, 1].
StimulusSpace stimulus_space(const Tensor& images, const Tensor& mean, const Tensor& deviation);

struct Stimulus {
  Tensor images;                   // [U, H, W, C] in [0, 1]
  std::vector<double> activation;  // what each unit answers to its image (without jitter)
};

// `response`: images as the model takes them [U, H, W, C] -> [U]: response of unit u to image u.
// Each image climbs its own. `start` [U, H, W, C] in [0, 1], optional: images to start from; units
// that do not respond at all to noise (a dead ReLU has no gradient) need one.
Stimulus optimal_stimuli(const std::function<Tensor(const Tensor&)>& response,
                         const StimulusSpace& space, int64_t units,
                         const StimulusOptions& options = {}, const Tensor& start = {});

// Orthonormal DCT-II matrix [n, n]: row k is the k-th cosine. Its transpose is its inverse.
Tensor cosine_basis(int64_t n, DType dtype = DType::f32);

}  // namespace strata::introspect
