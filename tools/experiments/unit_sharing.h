// The trained network of E10: what its layers' units and populations know, what losing a unit or a
// direction of the last layer costs, which classes its units serve, and whether its units are
// better detectors of concepts than turned axes.
#pragma once

#include "engine/data/terrace_rules.h"
#include "tools/experiments/experiment.h"

namespace strata::experiments {

// Whose values are read from every layer; the first `scored_factors` are those the label is made
// from.
inline constexpr int read_factors[] = {terrace::object, terrace::outline_above,
                                       terrace::outline_below, terrace::hue};
inline constexpr size_t scored_factors = 3;

// Trains a ConvNet on the task "object" of the generated images and returns
//   accuracy, head_accuracy            on 2,000 test images; from the features of the last layer
//   readout.<factor>.unit, .population, .chance   a number a layer; "shuffled": the null
//   unit_cost, direction_cost, random_cost        accuracy lost, one a unit, class, random draw
//   classes_of_unit, units_of_class, reused       see population_codes.h
//   dissection.iou, .detectors         of conv3's units, then of three random rotations
// Small budget: 6,000 images halved to 16 x 16, 500 steps of 64. Full: 20,000 of 32 x 32, a network
// twice as wide, 3,000 steps.
Json train_and_look(const Context& context);

}  // namespace strata::experiments
