#include "tools/introspect/maps/affinities.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"

namespace strata::introspect {
namespace {

void check_perplexity(double perplexity, int64_t n) {
  if (!(perplexity >= 1) || perplexity * 3 > static_cast<double>(n - 1)) {
    fail("tsne", Caller{}, "perplexity {} needs 1 <= perplexity <= (N - 1) / 3 = {:.1f}",
         perplexity, static_cast<double>(n - 1) / 3);
  }
}

}  // namespace

void fill_conditional(const double* squared, int64_t count, double entropy_wanted, double* row) {
  double nearest = *std::min_element(squared, squared + count), scale = 0;
  for (int64_t j = 0; j < count; ++j) scale += squared[j] - nearest;
  double low = 0, high = INFINITY;
  double precision = scale > 0 ? static_cast<double>(count) / scale : 1;
  for (int step = 0; step < 200; ++step) {
    double sum = 0, weighted = 0;
    for (int64_t j = 0; j < count; ++j) {
      row[j] = std::exp(-precision * (squared[j] - nearest));
      sum += row[j];
      weighted += row[j] * (squared[j] - nearest);
    }
    double entropy = std::log(sum) + precision * weighted / sum;
    for (int64_t j = 0; j < count; ++j) row[j] /= sum;
    if (std::abs(entropy - entropy_wanted) < 1e-6) break;
    if (entropy > entropy_wanted) {
      low = precision;
      precision = std::isinf(high) ? precision * 2 : (precision + high) / 2;
    } else {
      high = precision;
      precision = (precision + low) / 2;
    }
    if (precision > 1e300 || precision < 1e-300) break;
  }
}

std::vector<double> tsne_affinities(const Tensor& x, double perplexity) {
  if (x.rank() != 2 || x.size(0) < 4) {
    fail("tsne", Caller{}, "{} must be [N, D] with N at least 4", describe(x));
  }
  int64_t n = x.size(0), d = x.size(1);
  check_perplexity(perplexity, n);
  Tensor points = x.detach().to(DType::f64).contiguous();
  const double* data = points.data<double>();
  std::vector<double> p(static_cast<size_t>(n * n), 0.0);
  parallel_for(n, 4, [&](int64_t begin, int64_t end) {
    std::vector<double> squared(static_cast<size_t>(n - 1)), others(squared);
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < n - 1; ++j) {
        const double *a = data + i * d, *b = data + (j < i ? j : j + 1) * d;
        double total = 0;
#pragma omp simd reduction(+ : total)
        for (int64_t k = 0; k < d; ++k) total += (a[k] - b[k]) * (a[k] - b[k]);
        squared[static_cast<size_t>(j)] = total;
      }
      fill_conditional(squared.data(), n - 1, std::log(perplexity), others.data());
      double* row = &p[static_cast<size_t>(i * n)];
      std::copy(others.begin(), others.begin() + i, row);
      std::copy(others.begin() + i, others.end(), row + i + 1);
    }
  });
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < i; ++j) {
      auto a = static_cast<size_t>(i * n + j), b = static_cast<size_t>(j * n + i);
      p[a] = p[b] = (p[a] + p[b]) / (2 * static_cast<double>(n));
    }
  }
  return p;
}

SparseMatrix symmetrised(const std::vector<int32_t>& column, const std::vector<double>& value,
                         int64_t k, double overlap) {
  int64_t n = static_cast<int64_t>(column.size()) / k;
  // Row by row: own entries and those of the transposed, sorted by column; two of a column meet.
  std::vector<int64_t> start(static_cast<size_t>(n) + 1);
  for (int32_t c : column) start[static_cast<size_t>(c) + 1] += 1;
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) start[i + 1] += start[i] + k;
  std::vector<std::pair<int32_t, double>> entries(column.size() * 2);
  auto next = start;
  for (size_t e = 0; e < column.size(); ++e) {
    auto row = e / static_cast<size_t>(k), other = static_cast<size_t>(column[e]);
    entries[static_cast<size_t>(next[row]++)] = {column[e], value[e]};
    entries[static_cast<size_t>(next[other]++)] = {static_cast<int32_t>(row), value[e]};
  }
  SparseMatrix result;
  result.start.push_back(0);
  for (size_t i = 0; i < static_cast<size_t>(n); ++i) {
    std::sort(entries.begin() + start[i], entries.begin() + start[i + 1]);
    for (int64_t e = start[i]; e < start[i + 1]; ++e) {
      auto [c, v] = entries[static_cast<size_t>(e)];
      bool again = static_cast<int64_t>(result.column.size()) > result.start.back() &&
                   result.column.back() == c;
      if (again) {
        double other = result.value.back();
        result.value.back() = other + v - overlap * other * v;
      } else {
        result.column.push_back(c);
        result.value.push_back(v);
      }
    }
    result.start.push_back(static_cast<int64_t>(result.column.size()));
  }
  return result;
}

SparseMatrix tsne_affinities(const Neighbours& neighbours, double perplexity) {
  int64_t n = neighbours.rows(), k = neighbours.count;
  check_perplexity(perplexity, n);
  if (perplexity > static_cast<double>(k)) {
    fail("tsne", Caller{},
         "perplexity {} of {} neighbours a point: needs more neighbours, 3 {} as usual", perplexity,
         k, perplexity);
  }
  std::vector<double> p(neighbours.distance.size());
  parallel_for(n, 16, [&](int64_t begin, int64_t end) {
    std::vector<double> squared(static_cast<size_t>(k));
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = 0; j < k; ++j) {
        double distance = neighbours.distance[static_cast<size_t>(i * k + j)];
        squared[static_cast<size_t>(j)] = distance * distance;
      }
      double* row = &p[static_cast<size_t>(i * k)];
      fill_conditional(squared.data(), k, std::log(perplexity), row);
      for (int64_t j = 0; j < k; ++j) row[j] /= 2 * static_cast<double>(n);
    }
  });
  return symmetrised(neighbours.index, p, k, 0);
}

}  // namespace strata::introspect
