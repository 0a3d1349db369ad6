// A fixed sample of the test images, and what layers answer to it: what methods of units and of
// representations look at.
#pragma once

#include "tools/inspect/method.h"
#include "tools/introspect/units/excitation.h"
#include "tools/introspect/units/parametrisation.h"

namespace strata::inspect {

struct Sample {
  Tensor x, pixels;             // [N, H, W, C]: as the network takes them; in [0, 1]
  std::vector<int64_t> labels;  // [N]
  Tensor factors;               // i64 [N, F]
  int64_t size() const { return x.size(0); }
};
// The first `count` test images (all when fewer).
Sample sample_of(const Subject& subject, int64_t count);
// The activation of a layer for all of them, in batches, detached, [N, ...].
Tensor activations(const introspect::Scores& model, const std::string& layer, const Tensor& x,
                   int64_t batch = 250);
introspect::StimulusSpace space_of(const Subject& subject, const Tensor& pixels);

// The units asked for, or `count` spread evenly over those that respond to anything.
std::vector<int64_t> units_of(const Request& request, const introspect::TopExcitations& top,
                              int64_t count);
// [H, W, C] of image n.
draw::Image picture_of(const Tensor& images, int64_t n);

}  // namespace strata::inspect
