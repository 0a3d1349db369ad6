// The optimal stimulus of a unit: an image that excites it most, found by gradient ascent (Erhan et
// al. 2009; Olah et al. 2017, "Feature visualization").
//
//   auto found = optimal_stimuli(response_of(model, unit("conv4", {3, 8})), space, 2);
//
// parametrisation.h says how the image is written, objective.h what is climbed, transform.h what
// changes between steps. Each step also pays for total variation. Cost: `steps` forward and
// backward passes of the model over `count` images.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/introspect/units/objective.h"
#include "tools/introspect/units/parametrisation.h"
#include "tools/introspect/units/transform.h"

namespace strata::introspect {

// What an image may be. pixels: values in [0, 1], normalised for the model. l2_ball, max_ball: any
// input x of the model with |x|_2 or max |x| at most `radius`; for questions with a closed answer.
enum class Range { pixels, l2_ball, max_ball };

struct StimulusOptions {
  int steps = 96;
  double learning_rate = 0.05;  // of Adam; for a ball, a step's length in radii
  int jitter = 2;               // pixels
  double scale = 0;             // share, see Transform
  double rotation = 0;          // degrees, see Transform
  Basis basis = Basis::cosine;  // a ball is climbed in pixels
  double decay = 1.0;           // power of 1/frequency
  double total_variation = 0.02;
  double shrink = 0.02;  // of the waves, each step: without it ascent ends in black or white
  Range range = Range::pixels;
  double radius = 1;
  // In these first steps, and while an image's value is 0, ReLUs through which an image gets no
  // gradient at all let pass what would raise their input (see redirected.h), so that units which
  // are dead at noise are reached. Needs about twice the memory. 0: never.
  int redirected_steps = 16;
  uint64_t seed = 1;
  DType dtype = DType::f32;
};

struct Stimulus {
  Tensor images;                   // [U, H, W, C]: pixels in [0, 1], or inputs in the ball
  std::vector<double> activation;  // what each unit answers to its image (untransformed)
};

// `response`: images as the model takes them [U, H, W, C] -> [U], image u's answer. Each image
// climbs its own. `start` [U, H, W, C], optional: images to start from, in the same range as the
// result.
Stimulus optimal_stimuli(const Response& response, const StimulusSpace& space, int64_t count,
                         const StimulusOptions& options = {}, const Tensor& start = {});

// Mean absolute difference of neighbouring pixels, down plus across, by image: x [N, H, W, C] ->
// [N].
Tensor total_variation(const Tensor& images);

}  // namespace strata::introspect
