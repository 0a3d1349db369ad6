#include "tools/introspect/maps/quality.h"

#include <algorithm>
#include <map>

#include "kernels/common/parallel.h"
#include "tools/introspect/maps/neighbours.h"

namespace strata::introspect {
namespace {

// What near neighbours in `view` cost by their rank in `truth`: trustworthiness and continuity are
// this with the roles exchanged.
double rank_agreement(const char* op, const Tensor& truth, const Tensor& view, int k) {
  if (truth.rank() != 2 || view.rank() != 2 || truth.size(0) != view.size(0)) {
    fail(op, Caller{}, "{} and its map {} must be [N, D] and [N, d]", describe(truth),
         describe(view));
  }
  int64_t n = truth.size(0);
  if (k < 1 || 3 * k + 1 >= 2 * n) {
    fail(op, Caller{}, "k = {} of {} points: needs 1 <= k < (2 N - 1) / 3", k, n);
  }
  Neighbours near = nearest_neighbours(view, k);
  Tensor points = truth.detach().to(DType::f64).contiguous();
  const double* data = points.data<double>();
  int64_t d = points.size(1);
  std::vector<double> penalties(static_cast<size_t>(n));
  parallel_for(n, 8, [&](int64_t begin, int64_t end) {
    std::vector<double> distances(static_cast<size_t>(n));
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double total = 0;
#pragma omp simd reduction(+ : total)
        for (int64_t c = 0; c < d; ++c) {
          double difference = data[i * d + c] - data[j * d + c];
          total += difference * difference;
        }
        distances[static_cast<size_t>(j)] = total;
      }
      for (int64_t j = 0; j < near.count; ++j) {
        // The rank of a point among its equals is the best of theirs. The point itself, at 0,
        // stands for the 1 that ranks begin with.
        auto other = static_cast<size_t>(near.index[static_cast<size_t>(i * near.count + j)]);
        double distance = distances[other];
        int64_t nearer = 0;
        for (double d : distances) nearer += d < distance;
        int64_t rank = std::max<int64_t>(1, nearer);
        penalties[static_cast<size_t>(i)] += static_cast<double>(std::max<int64_t>(0, rank - k));
      }
    }
  });
  double penalty = 0, count = static_cast<double>(n);
  for (double p : penalties) penalty += p;
  return 1 - 2 * penalty / (count * k * (2 * count - 3 * k - 1));
}

}  // namespace

double trustworthiness(const Tensor& x, const Tensor& map, int k) {
  return rank_agreement("trustworthiness", x, map, k);
}

double continuity(const Tensor& x, const Tensor& map, int k) {
  return rank_agreement("continuity", map, x, k);
}

double neighbour_accuracy(const Tensor& map, const std::vector<int64_t>& labels, int k) {
  Neighbours near = nearest_neighbours(map, k);
  if (static_cast<int64_t>(labels.size()) != near.rows()) {
    fail("neighbour_accuracy", Caller{}, "{} labels for the {} rows of {}", labels.size(),
         near.rows(), describe(map));
  }
  int64_t right = 0;
  for (int64_t i = 0; i < near.rows(); ++i) {
    std::map<int64_t, int> votes;
    int64_t winner = 0;
    int most = 0;
    for (int64_t j = 0; j < k; ++j) {
      ++votes[labels[static_cast<size_t>(near.index[static_cast<size_t>(i * k + j)])]];
    }
    for (int64_t j = k - 1; j >= 0; --j) {  // from far to near, so that the nearest wins a draw
      int64_t label = labels[static_cast<size_t>(near.index[static_cast<size_t>(i * k + j)])];
      if (votes[label] >= most) most = votes[label], winner = label;
    }
    right += winner == labels[static_cast<size_t>(i)];
  }
  return static_cast<double>(right) / static_cast<double>(near.rows());
}

}  // namespace strata::introspect
