// The affinities P of t-SNE: Gaussian, with a precision for each point such that the entropy of its
// row is log(perplexity), then symmetrised, p_ij = (p_j|i + p_i|j) / 2N, so that they sum to 1.
// Dense over all pairs, or over nearest neighbours alone (van der Maaten 2014: three times the
// perplexity is enough), which is what the fast methods use.
#pragma once

#include <cstdint>
#include <vector>

#include "tools/introspect/maps/neighbours.h"

namespace strata::introspect {

// A symmetric sparse matrix by rows: row i is entries start[i] to start[i + 1], columns ascending.
struct SparseMatrix {
  std::vector<int64_t> start;
  std::vector<int32_t> column;
  std::vector<double> value;
  int64_t rows() const { return static_cast<int64_t>(start.size()) - 1; }
};

// One row of conditional probabilities from squared distances to `count` others: the entropy (nats)
// is `entropy` to 1e-6 wherever a precision reaches it (among more duplicates than the perplexity
// none does: they share the row equally).
void fill_conditional(const double* squared, int64_t count, double entropy, double* row);

// Dense [N, N], f64, of x [N, D]; 1 <= perplexity <= (N - 1) / 3.
std::vector<double> tsne_affinities(const Tensor& x, double perplexity);
// Over the neighbours given (no point among its own); as many as 3 perplexity of them are usual.
SparseMatrix tsne_affinities(const Neighbours& neighbours, double perplexity);

// p + q - overlap p q of a matrix p with k entries a row, in the given columns (none on the
// diagonal), and its transpose q: the sum for overlap 0, the probability of either of two for
// overlap 1.
SparseMatrix symmetrised(const std::vector<int32_t>& column, const std::vector<double>& value,
                         int64_t k, double overlap);

}  // namespace strata::introspect
