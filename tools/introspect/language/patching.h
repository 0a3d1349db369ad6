// Activation patching (Vig et al. 2020; Meng et al. 2022, "causal tracing"; Zhang and Nanda 2024):
// run a corrupted input with one activation taken from the clean run, and see how much of the clean
// behaviour comes back. What is restored is on a path that carries the difference.
//
//   restored = (metric(patched) - metric(corrupted)) / (metric(clean) - metric(corrupted))
// 0: nothing, 1: all of it; beyond either is possible.
#pragma once

#include <string>
#include <vector>

#include "tools/introspect/edit.h"

namespace strata::introspect {

// Output of the model on a batch ([N, T, V] of logits) to the number of interest.
using PatchMetric = std::function<double(const Tensor& output)>;
// Mean over sequences of logit(answers[n]) - logit(others[n]) at `position` (negative: from the
// end).
PatchMetric logit_difference(std::vector<int64_t> answers, std::vector<int64_t> others,
                             int64_t position = -1);

struct PatchingTask {
  Scores model;             // in evaluation mode
  Tensor clean, corrupted;  // inputs of one shape, [N, T, ...]
  PatchMetric metric;
  int64_t runs = 16;  // patched runs computed together, as one batch of runs N
};
struct PatchSweep {
  std::vector<std::string> activations;  // rows
  Tensor restored;                       // [activations, positions or heads], f64
  double clean = 0, corrupted = 0;       // the metric's two ends
};
// Each named activation [N, T, ...] (the stream, an attention's or mlp's output) at each position
// of axis 1 in turn. A metric that is the same for both inputs is an error, and so is a name that
// the model does not show, or shows more than once in a pass.
PatchSweep patch_positions(const PatchingTask& task, const std::vector<std::string>& activations);
// Each head's part of each named activation, at all positions: [N, T, heads D] with the heads side
// by side ("blocks.i.attention.heads"), or [N, T, heads, D] ("...queries", "...keys", "...values").
PatchSweep patch_heads(const PatchingTask& task, const std::vector<std::string>& activations,
                       int64_t heads);

// "blocks.0.mlp", "blocks.1.mlp", ... for `site` "mlp"; the stream after each block for "".
std::vector<std::string> in_every_block(int64_t layers, const std::string& site);

}  // namespace strata::introspect
