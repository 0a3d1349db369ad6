// Occlusion: the score of an image of which a window is hidden behind a baseline, window by window
// (Zeiler and Fergus 2013, arXiv 1311.2901, figure 7). Forward passes only, one for each window of
// each example, so the model need not be differentiable. group_values.h hides parts of other forms.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/attribution/target.h"

namespace strata::introspect {

struct OcclusionOptions {
  int64_t window = 4;    // side in pixels, or steps of a sequence
  int64_t stride = 0;    // 0: the window, so that windows do not overlap
  Tensor baseline = {};  // broadcasts to x; undefined: 0
  PassLimit limit = {};
};
// x [N, H, W, C] or [N, T, C] -> [N, H, W] or [N, T]: at each place the mean over the windows that
// cover it of f(x) - f(x with the window hidden). Windows stand at multiples of the stride and are
// cut at the far edges.
Tensor occlusion(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                 const OcclusionOptions& options = {});

}  // namespace strata::introspect
