#include "tools/introspect/maps/neighbours.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"

namespace strata::introspect {
namespace {

constexpr int64_t tile_rows = 256, tile_columns = 2048;

struct Candidate {
  float bound;  // the squared distance is at least this
  int32_t index;
};

// Candidates of one query. `limit` is a squared distance that k of them are known not to exceed.
struct Stream {
  std::vector<Candidate> kept;
  float limit = std::numeric_limits<float>::infinity();
  size_t full = 0;  // how many to keep before the next look; doubles where ties defeat it

  // Drops what k others are certainly nearer than. `slack`: twice the error of a distance.
  void shrink(int64_t k, float slack) {
    auto nearer = [](const Candidate& a, const Candidate& b) { return a.bound < b.bound; };
    std::nth_element(kept.begin(), kept.begin() + (k - 1), kept.end(), nearer);
    limit = std::min(limit, kept[static_cast<size_t>(k - 1)].bound + slack);
    std::erase_if(kept, [&](const Candidate& c) { return c.bound > limit; });
    full = std::max(full, 2 * kept.size());
  }
};

// Points moved to the mean of `x` (which makes norms, and so rounding, small), f32, with norms.
struct Points {
  Tensor rows;
  std::vector<float> norms;

  Points(const Tensor& x, const Tensor& mean) : rows((x - mean).to(DType::f32).contiguous()) {
    norms = sum(square(rows), {1}).to_vector<float>();
  }
};

template <class T>
double squared_distance(const T* a, const T* b, int64_t d) {
  double total = 0;
#pragma omp simd reduction(+ : total)
  for (int64_t k = 0; k < d; ++k) {
    double difference = static_cast<double>(a[k]) - static_cast<double>(b[k]);
    total += difference * difference;
  }
  return total;
}

// Measures the candidates of a query and keeps the k nearest.
template <class T>
void settle(const Stream& stream, const T* query, const T* x, int64_t d, int64_t k, int32_t* index,
            double* distance) {
  std::vector<std::pair<double, int32_t>> exact;
  exact.reserve(stream.kept.size());
  for (const Candidate& c : stream.kept) {
    exact.emplace_back(squared_distance(query, x + c.index * d, d), c.index);
  }
  std::partial_sort(exact.begin(), exact.begin() + k, exact.end());
  for (int64_t j = 0; j < k; ++j) {
    distance[j] = std::sqrt(exact[static_cast<size_t>(j)].first);
    index[j] = exact[static_cast<size_t>(j)].second;
  }
}

// `self`: query i is row i of x and is not its own neighbour.
template <class T>
Neighbours search(const Tensor& queries, const Tensor& x, int64_t k, bool self, Caller at) {
  NoGrad off;
  for (const Tensor& t : {queries, x}) {
    if (!std::isfinite(sum(t.to(DType::f64)).item())) {
      fail("nearest_neighbours", at, "{} holds NaN or infinite values: they have no distances",
           describe(t));
    }
  }
  int64_t q = queries.size(0), n = x.size(0), d = x.size(1);
  Tensor mean_row = mean(x.to(DType::f64), {0}).to(x.dtype());
  Points from(queries, mean_row), to(x, mean_row);
  const T *query = queries.data<T>(), *data = x.data<T>();
  // |a|^2 + |b|^2 - 2 a.b in f32: each of its d + 4 roundings is at most half an ulp of (|a| +
  // |b|)^2.
  auto error_scale = static_cast<float>(static_cast<double>(d + 8) * 0x1p-23);
  float longest = std::sqrt(*std::max_element(to.norms.begin(), to.norms.end()));
  Neighbours result{k, std::vector<int32_t>(static_cast<size_t>(q * k)),
                    std::vector<double>(static_cast<size_t>(q * k))};
  std::vector<Stream> streams(tile_rows);
  for (int64_t row = 0; row < q; row += tile_rows) {
    int64_t rows = std::min(tile_rows, q - row);
    for (Stream& stream : streams) {
      stream = Stream{};
      stream.full = static_cast<size_t>(3 * k + 64);
    }
    for (int64_t column = 0; column < n; column += tile_columns) {
      int64_t columns = std::min(tile_columns, n - column);
      Tensor products = matmul(from.rows.slice(0, row, row + rows),
                               to.rows.slice(0, column, column + columns).transpose(0, 1));
      const float* product = products.data<float>();
      parallel_for(rows, 8, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          Stream& stream = streams[static_cast<size_t>(i)];
          float norm = from.norms[static_cast<size_t>(row + i)];
          float reach = std::sqrt(norm) + longest, error = error_scale * reach * reach;
          for (int64_t j = 0; j < columns; ++j) {
            float bound = norm + to.norms[static_cast<size_t>(column + j)] -
                          2 * product[i * columns + j] - error;
            if (bound > stream.limit || (self && column + j == row + i)) continue;
            stream.kept.push_back({bound, static_cast<int32_t>(column + j)});
            if (stream.kept.size() >= stream.full) stream.shrink(k, 2 * error);
          }
        }
      });
    }
    parallel_for(rows, 8, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        int64_t one = row + i;
        settle(streams[static_cast<size_t>(i)], query + one * d, data, d, k,
               &result.index[static_cast<size_t>(one * k)],
               &result.distance[static_cast<size_t>(one * k)]);
      }
    });
  }
  return result;
}

Tensor prepared(const Tensor& x) {
  return (x.dtype() == DType::f64 ? x.detach() : x.detach().to(DType::f32)).contiguous();
}

}  // namespace

Neighbours nearest_neighbours(const Tensor& queries, const Tensor& x, int64_t k, Caller at) {
  if (x.rank() != 2 || queries.rank() != 2 || x.size(1) != queries.size(1)) {
    fail("nearest_neighbours", at, "queries {} and points {} must be [Q, D] and [N, D]",
         describe(queries), describe(x));
  }
  if (k < 1 || k > x.size(0)) {
    fail("nearest_neighbours", at, "k = {} of {}: needs 1 <= k <= N", k, describe(x));
  }
  Tensor points = prepared(x), from = prepared(queries.to(points.dtype()));
  return points.dtype() == DType::f64 ? search<double>(from, points, k, false, at)
                                      : search<float>(from, points, k, false, at);
}

Neighbours nearest_neighbours(const Tensor& x, int64_t k, Caller at) {
  if (x.rank() != 2) fail("nearest_neighbours", at, "{} must be [N, D]", describe(x));
  if (k < 1 || k >= x.size(0)) {
    fail("nearest_neighbours", at,
         "k = {} of {}: needs 1 <= k < N, a point is not its own neighbour", k, describe(x));
  }
  Tensor points = prepared(x);
  return points.dtype() == DType::f64 ? search<double>(points, points, k, true, at)
                                      : search<float>(points, points, k, true, at);
}

}  // namespace strata::introspect
