// Class activation maps: where in a layer's map [N, H, W, C] the evidence for a score stands.
// A is the activation, G = d score / d A; sums over h, w, c; one map [N, H, W] an example.
//
//   Grad-CAM     sum_c mean_hw(G_c) A_c                                 Selvaraju et al. 2017
//   Grad-CAM++   sum_c w_c A_c, w_c = sum_hw a relu(G_c),
//                a = G^2 / (2 G^2 + sum_hw(A_c) G^3)                    Chattopadhyay et al. 2018
//   HiResCAM     sum_c G_c A_c                                          Draelos and Carin 2020
//   LayerCAM     sum_c relu(G_c) A_c                                    Jiang et al. 2021
//   EigenCAM     A v, v the first right singular vector of A [HW, C]    Muhammad and Yeasin 2020
//   Score-CAM    sum_c w_c A_c, w_c = f(x masked by A_c) - f(baseline)  Wang et al. 2020
//   Ablation-CAM sum_c w_c A_c, w_c = f(x) - f(x without A_c)           Desai and Ramaswamy 2020
//
// All but EigenCAM's map end in a ReLU unless the options keep the sign. Every method works on each
// example by itself. Above a layer that is followed by a global mean and a linear head, Grad-CAM
// times H W is the original CAM, and HiResCAM adds up to the score without its bias.
//
// Cost: the first four one forward and backward pass; EigenCAM a forward pass and an
// eigendecomposition of [C, C]; the last two C forward passes an example.
#pragma once

#include <string>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/attribution/target.h"

namespace strata::introspect {

// `rectify` false keeps the sign. A layer whose activation is not [N, H, W, C] is refused.
Tensor grad_cam(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                const std::string& layer, bool rectify = true);
Tensor grad_cam_plus_plus(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                          const std::string& layer, bool rectify = true);
Tensor hires_cam(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                 const std::string& layer, bool rectify = true);
Tensor layer_cam(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                 const std::string& layer, bool rectify = true);
// Does not look at the score. Its sign is arbitrary; the one is taken that makes the map's sum
// positive.
Tensor eigen_cam(const Scores& model, const Tensor& x, const std::string& layer);

struct PerturbedCamOptions {
  bool rectify = true;
  // Score-CAM: weights through a softmax over the channels, as the paper's pseudocode has it,
  // instead of the increases of its equation 6.
  bool softmax = false;
  Tensor baseline = {};  // Score-CAM: in place of what a mask hides; undefined: 0. Broadcasts to x.
  PassLimit limit = {};
};
// The masks are the channels, each example's scaled to [0, 1] and upsampled to the image; a channel
// that is the same everywhere is a mask of 1, or of 0 if it is not positive.
Tensor score_cam(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                 const std::string& layer, const PerturbedCamOptions& options = {});
// The paper divides the drops by f(x), which scales a map and turns it over where f(x) < 0; left
// out here.
Tensor ablation_cam(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                    const std::string& layer, const PerturbedCamOptions& options = {});

// A map [N, h, w] in the size of the image, [N, height, width]: bilinear between the centres of the
// cells, which lie at (i + 1/2) height / h, so a map of a shifted image is the shifted map.
Tensor upsample_map(const Tensor& map, int64_t height, int64_t width);

}  // namespace strata::introspect
