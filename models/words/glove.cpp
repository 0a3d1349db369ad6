#include "models/words/glove.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/nn/init.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"

namespace strata {

int64_t glove_parameter_count(const GloveOptions& options) {
  return 2 * options.vocabulary * (options.width + 1);
}

Glove::Glove(const GloveOptions& options)
    : options_(options),
      word_(add<Embedding>("word", options.vocabulary, options.width)),
      context_(add<Embedding>("context", options.vocabulary, options.width)),
      bias_(add_parameter("bias", empty({options.vocabulary}))),
      context_bias_(add_parameter("context_bias", empty({options.vocabulary}))) {
  const double bound = 0.5 / static_cast<double>(options.width);
  for (const Tensor& parameter : parameters()) init::uniform_(parameter, -bound, bound);
}

Tensor Glove::forward(const Tensor& index) {
  if (index.rank() < 1 || index.rank() > 2)
    fail("Glove", Caller{}, "takes word numbers [N] or [N, K]; got {}", describe(index));
  const bool several = index.rank() == 2;
  Tensor rows = word_(index);
  Tensor h = named("embedding", several ? mean(rows, {1}) : rows);
  Tensor bias = index_select(bias_, 0, index.flatten());
  if (several) bias = mean(bias.reshape(index.shape()), {1});
  return named("head", linear(h, context_.weight, context_bias_) + bias.unsqueeze(1));
}

double Glove::importance(double count) const {
  return std::min(1.0, std::pow(count / options_.largest_count, options_.alpha));
}

Tensor Glove::loss(const Cooccurrence& cells) {
  const Tensor& table = word_.weight;
  const Dims line = {cells.size()};
  std::vector<double> logs, weights;
  for (float count : cells.count) {
    logs.push_back(std::log(static_cast<double>(count)));
    weights.push_back(importance(count));
  }
  auto as_table = [&](const std::vector<double>& values) {
    return from_vector(values, line).to(table.dtype()).to(table.device());
  };
  Tensor i = from_vector(cells.row, line).to(table.device());
  Tensor j = from_vector(cells.column, line).to(table.device());
  Tensor fitted = sum(word_(i) * context_(j), {1}) + index_select(bias_, 0, i) +
                  index_select(context_bias_, 0, j);
  return mean(as_table(weights) * square(fitted - as_table(logs)));
}

Glove::Gradient Glove::gradient(const Cooccurrence& cells, Caller at) const {
  const int64_t width = options_.width, n = cells.size(), vocabulary = options_.vocabulary;
  const float* word = word_.weight.data<float>(at);
  const float* context = context_.weight.data<float>(at);
  const float *bias = bias_.data<float>(at), *context_bias = context_bias_.data<float>(at);
  std::vector<float> slope(static_cast<size_t>(n));
  constexpr int64_t chunk = 256;
  std::vector<double> losses(static_cast<size_t>((n + chunk - 1) / chunk));
  parallel_chunks(n, chunk, [&](int64_t index, int64_t begin, int64_t end) {
    for (auto e = static_cast<size_t>(begin); e < static_cast<size_t>(end); ++e) {
      const int64_t i = cells.row[e], j = cells.column[e];
      const float *a = word + i * width, *b = context + j * width;
      float product = 0;
#pragma omp simd reduction(+ : product)
      for (int64_t c = 0; c < width; ++c) product += a[c] * b[c];
      const double error = product + bias[i] + context_bias[j] - std::log(cells.count[e]);
      const double f = importance(cells.count[e]);
      losses[static_cast<size_t>(index)] += f * error * error;
      slope[e] = static_cast<float>(2 * f * error / static_cast<double>(n));
    }
  });
  Gradient out;
  for (double loss : losses) out.loss += loss / static_cast<double>(n);
  const float one = 1;
  const std::vector<int64_t> nothing(static_cast<size_t>(n), 0);
  out.rows[0] = sum_by_row(cells.row, nothing, slope, &one, 1, vocabulary);
  out.rows[1] = sum_by_row(cells.column, nothing, slope, &one, 1, vocabulary);
  out.rows[2] = sum_by_row(cells.row, cells.column, slope, context, width, vocabulary);
  out.rows[3] = sum_by_row(cells.column, cells.row, slope, word, width, vocabulary);
  return out;
}

Tensor Glove::vectors() const {
  NoGrad off;
  return word_.weight + context_.weight;
}

}  // namespace strata
