// A data set whose images have labels that mean nothing: the control for what a network learns from
// its labels, and for explanations of it (Zhang et al. 2017; Adebayo et al. 2018).
#pragma once

#include <memory>

#include "engine/data/dataset.h"

namespace strata::study {

// The same images; each one's label is uniform over the classes, a function of (seed, index).
class RandomLabels : public Dataset {
 public:
  RandomLabels(std::unique_ptr<Dataset> data, uint64_t seed);
  int64_t size() const override { return data_->size(); }
  void read(int64_t index, uint8_t* pixels, int64_t* label, int64_t* factor_values) const override;

 private:
  std::unique_ptr<Dataset> data_;
  uint64_t seed_;
};

}  // namespace strata::study
