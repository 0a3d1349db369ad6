#include "tools/introspect/representation/nearest.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tools/introspect/representation/distances.h"

namespace strata::introspect {
namespace {

constexpr int64_t query_tile = 256, base_tile = 4096;

struct Candidate {
  double distance;
  int64_t index;
  bool operator<(const Candidate& other) const {
    return distance != other.distance ? distance < other.distance : index < other.index;
  }
};
using Heap = std::vector<Candidate>;  // the worst on top

void offer(Heap& heap, size_t k, Candidate candidate) {
  if (heap.size() == k) {
    if (!(candidate < heap.front())) return;
    std::pop_heap(heap.begin(), heap.end());
    heap.pop_back();
  }
  heap.push_back(candidate);
  std::push_heap(heap.begin(), heap.end());
}

Tensor unit_rows(const Tensor& x) {
  Tensor length = norm(x, {1}, true);
  return x / where(equal(length, zeros({}, x.dtype())), ones({}, x.dtype()), length);
}

// The distance worked out from the difference, without the cancellation of the ranking.
template <class T>
double distance_of(const T* a, const T* b, int64_t d, Metric metric) {
  double total = 0;
  if (metric == Metric::euclidean) {
    for (int64_t j = 0; j < d; ++j) {
      double difference = static_cast<double>(a[j]) - static_cast<double>(b[j]);
      total += difference * difference;
    }
    return std::sqrt(total);
  }
  for (int64_t j = 0; j < d; ++j) total += static_cast<double>(a[j]) * static_cast<double>(b[j]);
  return 1 - total;
}

template <class T>
void refine(const Tensor& queries, const Tensor& base, int64_t first, std::vector<Heap>& heaps,
            Metric metric, Neighbours& out) {
  int64_t d = base.size(1), k = out.index.size(1);
  parallel_for(static_cast<int64_t>(heaps.size()), 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Heap& heap = heaps[static_cast<size_t>(i)];
      const T* query = queries.data<T>() + (first + i) * d;
      for (Candidate& c : heap) {
        c.distance = distance_of(query, base.data<T>() + c.index * d, d, metric);
      }
      std::sort(heap.begin(), heap.end());
      for (int64_t j = 0; j < k; ++j) {
        out.index.data<int64_t>()[(first + i) * k + j] = heap[static_cast<size_t>(j)].index;
        out.distance.data<double>()[(first + i) * k + j] = heap[static_cast<size_t>(j)].distance;
      }
    }
  });
}

// The best of one tile of the base for each query of a tile.
void offer_tile(const Tensor& distances, int64_t first_query, int64_t first_base, size_t k,
                bool skip_self, std::vector<Heap>& heaps) {
  int64_t columns = distances.size(1);
  const double* values = distances.data<double>();
  parallel_for(distances.size(0), 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < columns; ++j) {
        if (skip_self && first_base + j == first_query + i) continue;
        offer(heaps[static_cast<size_t>(i)], k, {values[i * columns + j], first_base + j});
      }
    }
  });
}

}  // namespace

Neighbours nearest(const Tensor& queries, const Tensor& base, int64_t k, Metric metric,
                   bool skip_self) {
  NoGrad off;
  if (queries.rank() != 2 || base.rank() != 2 || queries.size(1) != base.size(1) ||
      queries.dtype() != base.dtype() || (skip_self && queries.size(0) != base.size(0))) {
    fail("nearest", Caller{},
         "queries {} and base {} must be [m, D] and [n, D] of one type, with m = n to skip a row "
         "itself",
         describe(queries), describe(base));
  }
  if (base.dtype() != DType::f32 && base.dtype() != DType::f64) {
    fail("nearest", Caller{}, "{} is neither f32 nor f64", describe(base));
  }
  int64_t m = queries.size(0), n = base.size(0), most = n - (skip_self ? 1 : 0);
  if (k < 1 || k > most) {
    fail("nearest", Caller{}, "k is {}; there are {} rows to choose from in {}", k, most,
         describe(base));
  }
  bool cosine = metric == Metric::cosine;
  Tensor from = cosine ? unit_rows(queries) : queries.contiguous();
  Tensor to = cosine ? unit_rows(base) : base.contiguous();
  Neighbours out{empty({m, k}, DType::i64), empty({m, k}, DType::f64)};
  for (int64_t q = 0; q < m; q += query_tile) {
    Tensor tile = from.slice(0, q, std::min(m, q + query_tile));
    std::vector<Heap> heaps(static_cast<size_t>(tile.size(0)));
    for (int64_t b = 0; b < n; b += base_tile) {
      Tensor rows = to.slice(0, b, std::min(n, b + base_tile));
      Tensor distances =
          cosine ? 1.0 + -matmul(tile, rows.transpose(0, 1)) : squared_distances(tile, rows);
      distances = distances.to(DType::f64).contiguous();
      offer_tile(distances, q, b, static_cast<size_t>(k), skip_self, heaps);
    }
    if (base.dtype() == DType::f64) {
      refine<double>(from, to, q, heaps, metric, out);
    } else {
      refine<float>(from, to, q, heaps, metric, out);
    }
  }
  return out;
}

double nearest_accuracy(const Tensor& train, const std::vector<int64_t>& train_labels,
                        const Tensor& validation, const std::vector<int64_t>& validation_labels,
                        int64_t k, Metric metric) {
  auto found = nearest(validation, train, k, metric).index.to_vector<int64_t>();
  if (static_cast<int64_t>(train_labels.size()) != train.size(0) ||
      static_cast<int64_t>(validation_labels.size()) != validation.size(0)) {
    fail("nearest_accuracy", Caller{}, "{} and {} labels do not fit features {} and {}",
         train_labels.size(), validation_labels.size(), describe(train), describe(validation));
  }
  int64_t right = 0;
  for (size_t i = 0; i < validation_labels.size(); ++i) {
    std::map<int64_t, int64_t> votes;
    int64_t most = 0;
    auto label = [&](int64_t j) {
      return train_labels[static_cast<size_t>(
          found[i * static_cast<size_t>(k) + static_cast<size_t>(j)])];
    };
    for (int64_t j = 0; j < k; ++j) most = std::max(most, ++votes[label(j)]);
    int64_t j = 0;
    while (votes[label(j)] < most) ++j;
    right += label(j) == validation_labels[i];
  }
  return static_cast<double>(right) / std::max(1.0, static_cast<double>(validation_labels.size()));
}

}  // namespace strata::introspect
