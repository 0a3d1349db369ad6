// How a layer's units share the work: what one unit knows and what all of them know, what it costs
// to lose a unit or a direction, and how many classes a unit serves (E10).
//
// Features are [N, U]: a row an image, a column a unit, averaged over places.
#pragma once

#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/representation/probe.h"

namespace strata::experiments {

// The same reader, multinomial logistic regression, of the one best unit (chosen by its accuracy on
// the training rows) and of all units; accuracies on the validation rows.
struct UnitAndPopulation {
  int64_t unit = -1;
  double unit_accuracy = 0, population_accuracy = 0, chance = 0;
};
// One entry a task. Columns are standardised by the training rows.
std::vector<UnitAndPopulation> unit_and_population(const Tensor& train, const Tensor& validation,
                                                   const std::vector<introspect::ProbeTask>& tasks);

// A linear head: logits = features weight + bias, weight [U, K].
struct Head {
  Tensor weight, bias;
};
double head_accuracy(const Head& head, const Tensor& features, const std::vector<int64_t>& labels);
// Accuracy lost when the features keep only their mean along `direction` [U].
double direction_cost(const Head& head, const Tensor& features, const std::vector<int64_t>& labels,
                      const Tensor& direction);
// The same for each unit's own axis.
std::vector<double> unit_costs(const Head& head, const Tensor& features,
                               const std::vector<int64_t>& labels);
// One a class: the normal of a linear probe that tells it from the others, length 1.
std::vector<Tensor> class_directions(const Tensor& features, const std::vector<int64_t>& labels,
                                     int64_t classes);

// Which unit serves which class: on the images of the class, |weight x activation| is on average at
// least an equal share (1 / U) of all units'. A head or features of another shape are an error.
struct Service {
  std::vector<int64_t> classes_of_unit;  // how many, a unit
  std::vector<int64_t> units_of_class;
  double reused = 0;  // of the units that serve a class, the share that serves two or more
};
Service service(const Head& head, const Tensor& features, const std::vector<int64_t>& labels);

}  // namespace strata::experiments
