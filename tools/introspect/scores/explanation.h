// What the scores of explanations are given: a method, and the map it makes.
#pragma once

#include <functional>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/edit.h"

namespace strata::introspect {

// A method of attribution: model, x, targets -> an attribution of x's shape, or a map [N, H, W].
using Method =
    std::function<Tensor(const Scores&, const Tensor& x, const std::vector<int64_t>& target)>;

// One number for each place of x [N, ..., C], as [N, places] in f64, signs kept. From x's shape the
// channels are added up; x's shape without channels is taken as it is; a map [N, h, w] of another
// size is interpolated to an image [N, H, W, C] (half-pixel centres). Anything else is an error.
Tensor relevance_of_places(const Tensor& attribution, const Tensor& x);
// The same with the size of images alone: [N, H, W, C] or [N, h, w] -> [N, H, W].
Tensor relevance_map(const Tensor& attribution, int64_t height, int64_t width);

// The model with its scores [N, classes] turned to probabilities.
Scores probabilities_of(Scores model);

// A verdict by thresholds that are written down where it is given.
enum class Verdict { passes, unclear, fails };
const char* name_of(Verdict verdict);

}  // namespace strata::introspect
