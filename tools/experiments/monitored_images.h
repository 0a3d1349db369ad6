// What E5 trains on and how it judges a monitor: generated images at half of their size, labels
// made wrong, the best linear head on a network's last features, and the share of shifted batches
// that a score tells from clean ones.
#pragma once

#include <string>
#include <vector>

#include "engine/data/terrace.h"
#include "tools/experiments/training.h"

namespace strata::experiments {

// Terrace images as means over blocks of 2 x 2 pixels, 16 x 16 x 3, rounded to bytes; of their
// factors those that are named, the class among them.
class HalvedTerrace : public Dataset {
 public:
  HalvedTerrace(Terrace data, const std::vector<std::string>& factors);
  int64_t size() const override { return data_.size(); }
  void read(int64_t index, uint8_t* pixels, int64_t* label, int64_t* values) const override;
  HalvedTerrace shifted(terrace::Shift shift, int severity) const;

 private:
  Terrace data_;
  std::vector<std::string> kept_;
  std::vector<size_t> columns_;  // of them in the record
};

// The first round(share n) labels are drawn anew, uniformly over the classes (Zhang et al. 2017),
// so that a share of (1 - 1 / classes) of those becomes wrong.
Images with_noisy_labels(const Images& images, double share, uint64_t seed);

// Mean loss in nats plus penalty / 2 |W|^2 of a linear head on features [N, D]: the network's own
// (weight [C, D], bias [C]), and the least that any has. The second is never above the first.
struct HeadLoss {
  double own = 0, best = 0;
};
HeadLoss head_loss(const Tensor& features, const std::vector<int64_t>& labels, const Tensor& weight,
                   const Tensor& bias, double penalty = 1e-6);

// Probability that a shifted score is above a clean one, ties counting one half (the area under
// the receiver operating characteristic). Empty lists are an error.
double roc_area(const std::vector<double>& clean, const std::vector<double>& shifted);

}  // namespace strata::experiments
