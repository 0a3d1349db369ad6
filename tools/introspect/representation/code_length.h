// Prequential code length (Voita and Titov 2020, "Information-theoretic probing with minimum
// description length"): how many bits the labels take when features are known to both ends.
//
// The rows, in random order, are sent in growing portions. The first is coded uniformly, each later
// one by a probe fitted to all before it:
//   L = n_1 log2 C + sum over portions of -log2 p(labels | features).
// Unlike accuracy it counts the effort: features from which few examples teach the labels give a
// short code. Compression is n log2 C / L: 1 for labels that cannot be predicted (below 1 for a
// probe that overfits), and higher is better.
#pragma once

#include "tools/introspect/representation/logistic.h"

namespace strata::introspect {

struct CodeLengthOptions {
  // Shares of the rows after which a portion ends, ascending to 1.
  std::vector<double> portions = {0.001,  0.002, 0.004, 0.008, 0.016, 0.032,
                                  0.0625, 0.125, 0.25,  0.5,   1};
  // bias_l2 0 is taken as l2: a class that has not been seen must cost finitely many bits.
  LogisticOptions probe;
  uint64_t seed = 1;  // of the order
};
struct CodeLength {
  double bits = 0, uniform_bits = 0;  // of all labels; n log2 C
  std::vector<int64_t> rows;          // of each portion
  std::vector<double> portion_bits;   // of each portion; the first is uniform
  double compression() const { return uniform_bits / bits; }
};

// x [n, D], one label a row. Portions that have no row are skipped.
CodeLength code_length(const Tensor& x, const LabelSet& labels,
                       const CodeLengthOptions& options = {});

}  // namespace strata::introspect
