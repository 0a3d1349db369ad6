// Slices of the loss through parameter space: along random directions (Li et al. 2018, "Visualizing
// the loss landscape of neural nets"), or between two checkpoints (Goodfellow et al. 2015,
// "Qualitatively characterizing neural network optimization problems").
//
// Each point costs one forward pass. Parameters and buffers have their old bits afterwards.
#pragma once

#include "tools/introspect/curvature/objective.h"

namespace strata::introspect {

// A Gaussian direction [P] in which each filter (row of a tensor of rank 2 or more) has the norm of
// the filter it moves, and biases and the scales of norms (rank 1) do not move: so that slices of
// networks which differ by a rescaling of their filters compare.
Tensor filter_normalised_direction(const std::vector<Tensor>& parameters, uint64_t seed);

// What is done at each point before its loss is taken; to estimate the running statistics of batch
// norms anew, say. Without it they stay as they are.
using Prepare = std::function<void()>;

// loss(w + step direction) for each step.
std::vector<double> loss_along(const Objective& objective, const Tensor& direction,
                               const std::vector<double>& steps, const Prepare& prepare = {});
// loss(w + a_i first + b_j second): f64 [a, b].
Tensor loss_over(const Objective& objective, const Tensor& first, const Tensor& second,
                 const std::vector<double>& a, const std::vector<double>& b,
                 const Prepare& prepare = {});
// loss at (1 - step) from + step to, for states of `module`: of parameters and of floating buffers,
// whose running statistics are mixed as the weights are. Other buffers are those of `from`.
std::vector<double> loss_between(Module& module, const std::function<Tensor()>& loss,
                                 const StateDict& from, const StateDict& to,
                                 const std::vector<double>& steps, const Prepare& prepare = {});

}  // namespace strata::introspect
