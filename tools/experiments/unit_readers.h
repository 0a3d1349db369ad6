// Five networks of one size that read units of any domain, and their training.
//
//   network      over units, to a vector each                              read by
//   MLP          (all units in a row)                                      -
//   CNN          3 convolutions of width 3, normalised                     largest over units
//   LSTM         1 layer                                                   mean
//   transformer  2 layers of attention, positions learned                  mean
//   GNN          2 layers of GraphSAGE with means (Hamilton et al. 2017)   mean
//
// A head of two layers follows. Where the question is about the last unit, that one is read.
#pragma once

#include <memory>

#include "engine/nn/layer.h"
#include "tools/experiments/unit_domains.h"

namespace strata::experiments {

enum class UnitNetwork { mlp, cnn, lstm, transformer, gnn };
inline constexpr int unit_networks = 5;
const char* name_of(UnitNetwork network);

// A network of nearly `parameters` parameters: its width is the largest that leaves room for the
// head, the head's hidden layer takes what is left. x [N, T, C + T] -> logits [N, classes].
std::unique_ptr<Layer> make_unit_network(UnitNetwork network, const UnitShape& shape,
                                         int64_t parameters);

struct UnitTraining {
  int64_t steps = 600, batch = 32;
  std::vector<double> rates = {3e-3, 1e-2};  // each is tried, validation decides
  int64_t parameters = 8000;
};
std::unique_ptr<Layer> train_unit_network(UnitNetwork network, const UnitShape& shape,
                                          const Units& train, const UnitTraining& training,
                                          double rate, uint64_t seed);
// Accuracy on `test` of the network whose rate did best on `validation`; all scaled by `train`.
double unit_accuracy(UnitNetwork network, const UnitShape& shape, const Units& train,
                     const Units& validation, const Units& test, const UnitTraining& training,
                     uint64_t seed);

}  // namespace strata::experiments
