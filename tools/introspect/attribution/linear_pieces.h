// The pieces on which a piecewise linear network is linear along a segment, found exactly.
//
// Walk the ops in the order they ran. If every op before op k keeps its linear map between two
// points of the segment, the operands of op k move on straight lines between them, so each bend of
// op k (a ReLU, a maximum, ...) lies where the two lines meet that its result follows at either
// end: a closed form in the operands at the two points. Cut there, and go on with k + 1 in each
// part. A part that no op cuts is a piece. The argument needs no derivative of the pre-activations
// and holds for any program of these ops: residual sums, concatenations, layers used twice.
//
// Cost: each piece is the end of a branch of cuts, so at most twice as many stretches as pieces are
// looked at, each by a forward pass at its two ends; many stretches share a pass. The number of
// pieces is that of the units that switch along the segment: hundreds in a small network; but a
// ResNet-20 of 32x32 images has 188,416 ReLUs, and for it quadrature is the way.
//
// Ops that may depend on the input: linear ones, products with constants, `where` of a constant
// condition, relu, leaky_relu, abs, clamp, hard_sigmoid, maximum, minimum, max, min, max pooling,
// batch norm in inference. Any other is refused by name. A gradient is right up to the rounding of
// its point; bends closer together than 1e-13 (1e-6 in f32) of the segment are taken as one.
#pragma once

#include <functional>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/edit.h"

namespace strata::introspect {

// A stretch of example `example`'s segment, as shares of it from 0 to 1.
struct Stretch {
  int64_t example = 0;
  double from = 0, to = 1;
};
// The points of the segments at these shares: [K] examples and shares -> [K, ...].
using PointsAt =
    std::function<Tensor(const std::vector<int64_t>& examples, const std::vector<double>& shares)>;

// Calls visit with every piece, `per_pass` / 2 stretches in a forward pass; memory does not grow
// with the pieces. More than `most` pieces an example are an error.
void visit_linear_pieces(const Scores& model, const PointsAt& points, int64_t examples,
                         int64_t per_pass, int64_t most,
                         const std::function<void(const Stretch&)>& visit);

}  // namespace strata::introspect
