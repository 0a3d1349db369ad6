// How often words stand near each other: what GloVe is fitted to (Pennington et al. 2014).
#pragma once

#include <cstdint>
#include <vector>

#include "models/words/corpus.h"

namespace strata {

// The cells that are not zero, by row and column. Symmetric: (i, j) and (j, i) are both there.
struct Cooccurrence {
  std::vector<int64_t> row, column;
  std::vector<float> count;
  int64_t size() const { return static_cast<int64_t>(row.size()); }
};

// Each pair of tokens up to `window` apart counts 1 / distance, both ways; boundaries part.
Cooccurrence count_cooccurrences(const Corpus& corpus, int window);

// All vocabulary^2 cells with one more each, so that words that never meet say so: what is fitted
// is log(1 + X), which the paper names as the way to give zeros a logarithm, and leaves for fitting
// the others alone. For vocabularies whose square fits into memory, 20 bytes a cell.
Cooccurrence every_cell(const Cooccurrence& cells, int64_t vocabulary);

// `size` cells of a pass in an order drawn by (seed, pass): batch `step` of one pass after another.
Cooccurrence cooccurrence_batch(const Cooccurrence& all, int64_t size, uint64_t seed, int64_t step);

}  // namespace strata
