#include "tools/introspect/representation/logistic_pass.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "kernels/common/vec_math.h"

namespace strata::introspect {
namespace {

// At most 16 pieces, none with less work than makes up for waking a thread.
constexpr int64_t pieces = 16, tile = 64, least_work = 1 << 18;
// Columns of a block of classes: one vector register; rows or features it is multiplied with at
// once.
constexpr int64_t lanes = 16, together = 8;

// logits [rows, width] = x [rows, d] weights [d, width] + bias, width a multiple of `lanes`.
template <class T>
void multiply(const T* x, int64_t rows, int64_t d, const T* weights, const T* bias, int64_t width,
              T* logits) {
  for (int64_t k = 0; k < width; k += lanes) {
    for (int64_t i = 0; i < rows; i += together) {
      int64_t count = std::min(together, rows - i);
      T sums[together][lanes];
      for (auto& row : sums) std::copy(bias + k, bias + k + lanes, row);
      // A last group of rows that is not full repeats its last row, and drops the copies.
      const T* from[together];
      for (int64_t r = 0; r < together; ++r) from[r] = x + (i + std::min(r, count - 1)) * d;
      for (int64_t j = 0; j < d; ++j) {
        const T* w = weights + j * width + k;
        for (int64_t r = 0; r < together; ++r) {
#pragma omp simd
          for (int64_t c = 0; c < lanes; ++c) sums[r][c] += from[r][j] * w[c];
        }
      }
      for (int64_t r = 0; r < count; ++r) {
        std::copy(sums[r], sums[r] + lanes, logits + (i + r) * width + k);
      }
    }
  }
}

// gradient [d, width] += x' [d, rows] residuals [rows, width].
template <class T>
void accumulate(const T* x, int64_t rows, int64_t d, const T* residuals, int64_t width,
                T* gradient) {
  for (int64_t k = 0; k < width; k += lanes) {
    for (int64_t j = 0; j < d; j += together) {
      int64_t count = std::min(together, d - j);
      // A last group of features that is not full repeats its last one, and drops the copies.
      int64_t at[together];
      for (int64_t f = 0; f < together; ++f) at[f] = std::min(f, count - 1);
      T sums[together][lanes] = {};
      for (int64_t i = 0; i < rows; ++i) {
        const T *from = x + i * d + j, *r = residuals + i * width + k;
        for (int64_t f = 0; f < together; ++f) {
#pragma omp simd
          for (int64_t c = 0; c < lanes; ++c) sums[f][c] += from[at[f]] * r[c];
        }
      }
      for (int64_t f = 0; f < count; ++f) {
        for (int64_t c = 0; c < lanes; ++c) gradient[(j + f) * width + k + c] += sums[f][c];
      }
    }
  }
}

// Logits of one row and label set -> softmax - one-hot; returns -log probability of the label.
template <class T>
double residual(T* row, int64_t classes, int64_t label) {
  T top = *std::max_element(row, row + classes), own = row[label] - top, sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t k = 0; k < classes; ++k) {
    row[k] = math::exp(row[k] - top);
    sum += row[k];
  }
  T scale = 1 / sum;
  for (int64_t k = 0; k < classes; ++k) row[k] *= scale;
  row[label] -= 1;
  return std::log(static_cast<double>(sum)) - static_cast<double>(own);
}

// Weights as the products read them: [D, width], each row padded with zeros, and the bias.
template <class T>
struct Operands {
  int64_t d, width;
  std::vector<T> weights, bias;
  Operands(const std::vector<double>& rows, int64_t d, int64_t k)
      : d(d),
        width((k + lanes - 1) / lanes * lanes),
        weights(static_cast<size_t>(d * width), T(0)),
        bias(static_cast<size_t>(width), T(0)) {
    for (int64_t c = 0; c < k; ++c) {
      const double* row = rows.data() + c * (d + 1);
      for (int64_t j = 0; j < d; ++j) {
        weights[static_cast<size_t>(j * width + c)] = static_cast<T>(row[j]);
      }
      bias[static_cast<size_t>(c)] = static_cast<T>(row[d]);
    }
  }
};

// The sums over one piece of the rows: gradient [D + 1, width], bias last, and losses.
template <class T>
struct Piece {
  std::vector<T> gradient, logits;
  std::vector<double> losses;

  void run(const T* x, int64_t begin, int64_t end, const std::vector<PassLabels>& sets,
           const Operands<T>& w) {
    gradient.assign(static_cast<size_t>((w.d + 1) * w.width), T(0));
    logits.resize(static_cast<size_t>(tile * w.width));
    losses.assign(sets.size(), 0.0);
    T* bias = gradient.data() + w.d * w.width;
    for (int64_t first = begin; first < end; first += tile) {
      int64_t rows = std::min(tile, end - first);
      multiply(x + first * w.d, rows, w.d, w.weights.data(), w.bias.data(), w.width, logits.data());
      for (int64_t i = 0; i < rows; ++i) {
        T* row = logits.data() + i * w.width;
        for (size_t s = 0; s < sets.size(); ++s) {
          losses[s] += residual(row, sets[s].classes, sets[s].labels[first + i]);
          row += sets[s].classes;
        }
        row = logits.data() + i * w.width;
        for (int64_t c = 0; c < w.width; ++c) bias[c] += row[c];
      }
      accumulate(x + first * w.d, rows, w.d, logits.data(), w.width, gradient.data());
    }
  }
};

template <class T>
PassResult pass(const Tensor& x, const std::vector<PassLabels>& sets,
                const std::vector<double>& weights) {
  int64_t n = x.size(0), d = x.size(1), k = static_cast<int64_t>(weights.size()) / (d + 1);
  Operands<T> operands(weights, d, k);
  int64_t worth_it = least_work / (d * operands.width + 1);
  int64_t rows = std::max({tile, worth_it, (n + pieces - 1) / pieces});
  std::vector<Piece<T>> parts(static_cast<size_t>((n + rows - 1) / rows));
  parallel_chunks(n, rows, [&](int64_t index, int64_t begin, int64_t end) {
    parts[static_cast<size_t>(index)].run(x.data<T>(), begin, end, sets, operands);
  });
  PassResult result{std::vector<double>(sets.size(), 0.0),
                    std::vector<double>(weights.size(), 0.0)};
  double scale = 1 / static_cast<double>(n);
  for (const Piece<T>& part : parts) {
    for (size_t s = 0; s < sets.size(); ++s) result.losses[s] += part.losses[s] * scale;
    for (int64_t j = 0; j <= d; ++j) {
      for (int64_t c = 0; c < k; ++c) {
        double value = part.gradient[static_cast<size_t>(j * operands.width + c)];
        result.gradient[static_cast<size_t>(c * (d + 1) + j)] += value * scale;
      }
    }
  }
  return result;
}

}  // namespace

PassResult logistic_pass(const Tensor& x, const std::vector<PassLabels>& sets,
                         const std::vector<double>& weights) {
  return x.dtype() == DType::f64 ? pass<double>(x, sets, weights) : pass<float>(x, sets, weights);
}

}  // namespace strata::introspect
