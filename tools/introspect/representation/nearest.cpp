#include "tools/introspect/representation/nearest.h"

#include <algorithm>
#include <map>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/maps/neighbours.h"

namespace strata::introspect {
namespace {

// The most frequent of labels[rows[0]], ..., labels[rows[k - 1]]; the first of them in ties.
int64_t vote(const int32_t* rows, int64_t k, const std::vector<int64_t>& labels) {
  auto label = [&](int64_t j) { return labels[static_cast<size_t>(rows[j])]; };
  std::map<int64_t, int64_t> votes;
  int64_t most = 0, winner = 0;
  for (int64_t j = 0; j < k; ++j) most = std::max(most, ++votes[label(j)]);
  while (votes[label(winner)] < most) ++winner;
  return label(winner);
}

}  // namespace

Tensor on_sphere(const Tensor& x) {
  NoGrad off;
  Tensor length = norm(x, {1}, true), zero = equal(length, zeros({}, x.dtype())).to(x.dtype());
  return concatenate({x / (length + zero), zero}, 1);
}

double nearest_accuracy(const Tensor& train, const std::vector<int64_t>& train_labels,
                        const Tensor& validation, const std::vector<int64_t>& validation_labels,
                        int64_t k, bool cosine) {
  NoGrad off;
  if (train.rank() != 2 || validation.rank() != 2 ||
      static_cast<int64_t>(train_labels.size()) != train.size(0) ||
      static_cast<int64_t>(validation_labels.size()) != validation.size(0)) {
    fail("nearest_accuracy", Caller{}, "{} and {} labels do not fit features {} and {}",
         train_labels.size(), validation_labels.size(), describe(train), describe(validation));
  }
  if (validation_labels.empty()) return 0;
  auto found = cosine ? nearest_neighbours(on_sphere(validation), on_sphere(train), k)
                      : nearest_neighbours(validation, train, k);
  int64_t right = 0;
  for (int64_t i = 0; i < validation.size(0); ++i) {
    int64_t answer = vote(found.index.data() + i * k, k, train_labels);
    right += answer == validation_labels[static_cast<size_t>(i)];
  }
  return static_cast<double>(right) / static_cast<double>(validation_labels.size());
}

}  // namespace strata::introspect
