// The pictures of experiment E11, the methods it asks, and how its numbers are read.
#pragma once

#include <string>
#include <vector>

#include "tools/experiments/experiment.h"

namespace strata::experiments {

// What is asked at the pixels, and at every layer.
inline const std::vector<std::string> pixel_methods = {
    "gradient",  "gradient-x-input", "smoothgrad",           "guided-backprop",
    "deconvnet", "fullgrad",         "integrated-gradients", "deeplift",
    "lrp",       "occlusion"};
inline const std::vector<std::string> layer_methods = {"gradcam", "gradient-x-input"};
// Those that share out the score among the pixels, whose sums can be checked against removals.
inline const std::vector<std::string> sharing_methods = {"gradient-x-input", "integrated-gradients",
                                                         "deeplift", "lrp"};
inline const std::vector<std::string> cascaded = {"gradient", "integrated-gradients", "gradcam",
                                                  "guided-backprop"};
inline const std::vector<std::string> convolutions = {"conv1", "conv2", "conv3", "conv4", "conv5"};
inline const std::string last_map = "conv5", stimulus_layer = "conv3";

// A number of each seed, by its path; NaN, which meets no threshold, where a seed has none because
// its network classified nothing rightly.
std::vector<double> over(const std::vector<Json>& seeds, const std::string& path);
double mean_of(const std::vector<Json>& seeds, const std::string& path);

// None where no seed has an example to show.
std::vector<NamedFigure> attribution_figures(const std::vector<Json>& seeds);

}  // namespace strata::experiments
