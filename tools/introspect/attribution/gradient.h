// Attribution: which pixels, or which places of a layer, an output depends on.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/edit.h"

namespace strata::introspect {

// d score[n, target[n]] / d x (Simonyan et al. 2013), signed, in x's shape.
Tensor gradient_saliency(const Scores& model, const Tensor& x, const std::vector<int64_t>& target);

struct SmoothGradOptions {
  int samples = 16;
  double noise = 0.15;  // standard deviation as a share of each image's range
  uint64_t seed = 1;
};
// Mean of the gradients at x plus Gaussian noise (Smilkov et al. 2017).
Tensor smooth_grad(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                   const SmoothGradOptions& options = {});

// Grad-CAM (Selvaraju et al. 2017) at a named activation [N, h, w, C]:
//   relu(sum_c mean_hw(d score / d A_c) A_c), [N, h, w].
// `rectify` false keeps the sign.
Tensor grad_cam(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                const std::string& layer, bool rectify = true);

// [N, H, W, C] -> [N, H, W]: the largest magnitude over channels.
Tensor saliency_map(const Tensor& attribution);

}  // namespace strata::introspect
