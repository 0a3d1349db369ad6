// Linear probes (Alain and Bengio 2016, "Understanding intermediate layers using linear classifier
// probes"): how much of a factor a layer shows to a linear reader.
//
// A probe is the optimum of an L2-regularised multinomial logistic regression (logistic.h), unique,
// so it is a measurement and not another training run. Several factors of the same features are
// solved together. Read an accuracy between `chance`, the best constant answer, and `ceiling`, what
// a reader that knows how the data was made can reach.
//
// On the features below a network's own linear head, the loss of the probe is no larger than the
// network's, up to the penalty: a low probe there says that the probe is regularised, not that the
// head is overworked.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/introspect/representation/logistic.h"

namespace strata::introspect {

struct ProbeTask {
  std::string name;
  int64_t classes = 0;
  std::vector<int64_t> train, validation;  // labels of the rows of the two feature matrices
  double ceiling = 1;                      // accuracy of the Bayes-optimal reader, where known
};
using ProbeOptions = LogisticOptions;
struct ProbeResult {
  std::string name;
  double train_accuracy = 0, validation_accuracy = 0;
  double train_loss = 0;       // nats, without the penalty
  double validation_loss = 0;  // nats; infinite if a class was not among the training labels
  double chance = 0;           // of the best constant answer on the validation labels
  double ceiling = 1;
  double gradient = 0;  // Euclidean norm at the end
  int iterations = 0;
  Tensor weight, bias;  // [D, classes], [classes]

  // (accuracy - chance) / (ceiling - chance): 0 for a constant answer, 1 for the best there is.
  double normalised_accuracy() const;
  // Half the width of the 95 % interval of the validation accuracy of m rows (normal
  // approximation).
  double margin(int64_t m) const;
};

// train [n, D], validation [m, D], f32 or f64. `start`: see fit_logistic.
std::vector<ProbeResult> fit_probes(const Tensor& train, const Tensor& validation,
                                    const std::vector<ProbeTask>& tasks,
                                    const ProbeOptions& options = {}, const Tensor& start = {});

// Share of the most frequent label.
double chance_of(const std::vector<int64_t>& labels);

}  // namespace strata::introspect
