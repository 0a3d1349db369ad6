// How much a layer leans on single units: class selectivity and ablation (Morcos et al. 2018, "On
// the importance of single directions for generalization"), and single units beside the population.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/introspect/edit.h"

namespace strata::introspect {

// (m1 - m2) / (m1 + m2) of each unit, with m1 its largest mean response to a class and m2 the mean
// of its mean responses to the others: 1 for a unit that answers to one class only, 0 for one that
// does not care, and 0 for one that never answers. Responses are those behind a ReLU, [N, H, W, C]
// (averaged over places), [N, T, C] or [N, C]; negative ones are an error, as the index then means
// nothing. labels: N numbers in [0, classes); classes without an example are left out.
std::vector<double> class_selectivity(const Tensor& activation, const std::vector<int64_t>& labels,
                                      int64_t classes);

// Units by falling value, ties to the smaller number; and units shuffled.
std::vector<int64_t> by_falling(const std::vector<double>& values);
std::vector<int64_t> shuffled_units(int64_t units, uint64_t seed);
// Mean |response| of each unit.
std::vector<double> unit_magnitudes(const Tensor& activation);

struct AblationCurve {
  std::vector<int64_t> ablated;  // units that are off: the first ones of the order
  std::vector<double> accuracy;  // of the model then
};
// Accuracy of scores [N, classes] on x with the first n units of `order` held at `value` in every
// use of `layer`, for each n of `counts`. Cost: one pass over x for each.
AblationCurve ablation_curve(const Scores& model, const std::string& layer, const Tensor& x,
                             const std::vector<int64_t>& labels, const std::vector<int64_t>& order,
                             const std::vector<int64_t>& counts, double value = 0,
                             int64_t batch = 256);

// Probability that a positive example has the larger score, ties counting half: the area under the
// ROC curve. 0.5 when either kind is missing.
double area_under_roc(const std::vector<double>& scores, const std::vector<bool>& positive);

// For one class against the rest, on validation data: the unit that tells it best on the training
// data (whichever its sign) and a linear probe of all units.
struct UnitVersusPopulation {
  int64_t unit = -1;
  double unit_area = 0.5, population_area = 0.5;  // under the ROC curve
};
// train [n, C], validation [m, C]; one entry a class.
std::vector<UnitVersusPopulation> unit_versus_population(
    const Tensor& train, const std::vector<int64_t>& train_labels, const Tensor& validation,
    const std::vector<int64_t>& validation_labels, int64_t classes);

}  // namespace strata::introspect
