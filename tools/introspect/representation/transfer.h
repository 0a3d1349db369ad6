// How well features made for one task serve others: frozen layers, read linearly, for several
// downstream tasks at once (Zeiler and Fergus 2013, Table 7; Kornblith, Shlens and Le 2019), how
// many examples that takes, and two scores that need no fit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/introspect/representation/probe.h"

namespace strata::introspect {

struct LayerFeatures {
  std::string name;
  Tensor train, validation;  // [n, D], [m, D]; D may differ between layers
};
struct TransferTable {
  std::vector<std::string> layers, tasks;
  std::vector<std::vector<ProbeResult>> probes;  // [layer][task]
  // Place in `layers` of the best validation accuracy of a task; the first in ties.
  size_t best_layer(size_t task) const;
};
// A probe for each layer and task; the tasks of a layer are solved together.
TransferTable transfer_scores(const std::vector<LayerFeatures>& layers,
                              const std::vector<ProbeTask>& tasks,
                              const ProbeOptions& options = {});

struct FewShotPoint {
  int64_t shots = 0;               // training examples a class
  double mean = 0, deviation = 0;  // of the validation accuracy, over draws
};
// Probes fitted to `shots` examples of each class, drawn without replacement `draws` times. Errors:
// a class with fewer training examples than the largest of `shots`.
std::vector<FewShotPoint> few_shot_curve(const Tensor& train, const Tensor& validation,
                                         const ProbeTask& task, const std::vector<int64_t>& shots,
                                         int draws = 10, const ProbeOptions& options = {},
                                         uint64_t seed = 1);
// Shots a curve needs to reach `accuracy`, between points linear in log shots; infinite if it never
// does. The quotient of two curves' shots is the saving of data by transfer.
double shots_to_reach(const std::vector<FewShotPoint>& curve, double accuracy);

// LogME (You et al. 2021): the logarithm of the evidence of a Bayesian linear regression of the
// one-hot labels on x [n, D], per example, mean over classes, maximised over both precisions.
// Higher is better; it ranks layers or networks without a validation set.
double log_evidence(const Tensor& x, const LabelSet& labels);
// LEEP (Nguyen et al. 2020): mean log probability of the labels under the source network's own
// class probabilities [n, Z] and the empirical P(label | source class). At most 0.
double leep(const Tensor& source_probabilities, const LabelSet& labels);

}  // namespace strata::introspect
