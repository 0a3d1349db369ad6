#include "models/words/word2vec.h"

#include <cmath>

#include "engine/nn/init.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"

namespace strata {
namespace {

// 0 0 0 1 1 2 ...: the example that each entry belongs to.
std::vector<int64_t> owners_of(const std::vector<int64_t>& begin) {
  std::vector<int64_t> owners;
  for (size_t e = 0; e + 1 < begin.size(); ++e)
    owners.insert(owners.end(), static_cast<size_t>(begin[e + 1] - begin[e]),
                  static_cast<int64_t>(e));
  return owners;
}

Tensor line(const std::vector<int64_t>& values, Device device) {
  return from_vector(values, {static_cast<int64_t>(values.size())}).to(device);
}

float dot(const float* a, const float* b, int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void add_scaled(float* to, float scale, const float* from, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) to[i] += scale * from[i];
}

}  // namespace

int64_t word2vec_parameter_count(const Word2VecOptions& options) {
  return 2 * options.vocabulary * options.width;
}

Word2Vec::Word2Vec(const Word2VecOptions& options)
    : input_(add<Embedding>("input", options.vocabulary, options.width)),
      output_(add<Embedding>("output", options.vocabulary, options.width)) {
  const double bound = 0.5 / static_cast<double>(options.width);
  init::uniform_(input_.weight, -bound, bound);
  init::zeros_(output_.weight);
}

Tensor Word2Vec::forward(const Tensor& index) {
  if (index.rank() < 1 || index.rank() > 2)
    fail("Word2Vec", Caller{}, "takes word numbers [N] or [N, K]; got {}", describe(index));
  Tensor rows = input_(index);
  Tensor h = named("embedding", index.rank() == 2 ? mean(rows, {1}) : rows);
  return named("head", linear(h, output_.weight));
}

Tensor Word2Vec::loss(const WordPairs& pairs) {
  const Tensor& table = input_.weight;
  const Device device = table.device();
  std::vector<double> shares;
  for (size_t e = 0; e + 1 < pairs.input_begin.size(); ++e) {
    const int64_t count = pairs.input_begin[e + 1] - pairs.input_begin[e];
    shares.insert(shares.end(), static_cast<size_t>(count), 1.0 / static_cast<double>(count));
  }
  const auto entries = static_cast<int64_t>(shares.size());
  Tensor share = from_vector(shares, {entries, 1}).to(table.dtype()).to(device);
  Tensor h = index_add(zeros({pairs.examples(), table.size(1)}, table.dtype(), device), 0,
                       line(owners_of(pairs.input_begin), device),
                       input_(line(pairs.inputs, device)) * share);
  Tensor scores = sum(output_(line(pairs.targets, device)) *
                          index_select(h, 0, line(owners_of(pairs.target_begin), device)),
                      {1});
  Tensor labels = from_vector(pairs.labels, {static_cast<int64_t>(pairs.labels.size())});
  return bce_with_logits(scores, labels.to(table.dtype()).to(device), Reduction::sum) /
         static_cast<double>(pairs.examples());
}

// Hidden vectors, scores and their gradients example by example; then the rows of both tables, each
// summed by one thread in the order of the batch.
Word2Vec::Gradient Word2Vec::gradient(const WordPairs& pairs, Caller at) const {
  const int64_t width = input_.weight.size(1), examples = pairs.examples();
  const float* input = input_.weight.data<float>(at);
  const float* output = output_.weight.data<float>(at);
  std::vector<float> hidden(static_cast<size_t>(examples * width)), to_hidden(hidden.size());
  std::vector<float> to_score(pairs.targets.size()), share(pairs.inputs.size());
  constexpr int64_t chunk = 32;
  std::vector<double> losses(static_cast<size_t>((examples + chunk - 1) / chunk));
  const float scale = 1.0f / static_cast<float>(examples);
  parallel_chunks(examples, chunk, [&](int64_t index, int64_t begin, int64_t end) {
    for (int64_t e = begin; e < end; ++e) {
      float* h = hidden.data() + e * width;
      float* g = to_hidden.data() + e * width;
      const auto first = static_cast<size_t>(pairs.input_begin[static_cast<size_t>(e)]);
      const auto last = static_cast<size_t>(pairs.input_begin[static_cast<size_t>(e) + 1]);
      for (size_t i = first; i < last; ++i) {
        share[i] = 1.0f / static_cast<float>(last - first);
        add_scaled(h, share[i], input + pairs.inputs[i] * width, width);
      }
      const auto stop = static_cast<size_t>(pairs.target_begin[static_cast<size_t>(e) + 1]);
      for (auto t = static_cast<size_t>(pairs.target_begin[static_cast<size_t>(e)]); t < stop;
           ++t) {
        const float* row = output + pairs.targets[t] * width;
        const float score = dot(h, row, width), label = pairs.labels[t];
        // softplus(score) - label score, whose slope is sigmoid(score) - label.
        losses[static_cast<size_t>(index)] +=
            std::max(score, 0.0f) + std::log1p(std::exp(-std::abs(score))) - label * score;
        to_score[t] = (1.0f / (1.0f + std::exp(-score)) - label) * scale;
        add_scaled(g, to_score[t], row, width);
      }
    }
  });
  Gradient out;
  for (double loss : losses) out.loss += loss / static_cast<double>(examples);
  const int64_t vocabulary = input_.weight.size(0);
  out.rows[0] = sum_by_row(pairs.inputs, owners_of(pairs.input_begin), share, to_hidden.data(),
                           width, vocabulary);
  out.rows[1] = sum_by_row(pairs.targets, owners_of(pairs.target_begin), to_score, hidden.data(),
                           width, vocabulary);
  return out;
}

}  // namespace strata
