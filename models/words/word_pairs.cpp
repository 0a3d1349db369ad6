#include "models/words/word_pairs.h"

#include <algorithm>
#include <cmath>

#include "engine/data/keyed_random.h"
#include "kernels/common/parallel.h"

namespace strata {
namespace {

std::vector<double> powers_of(const std::vector<int64_t>& counts, double power) {
  std::vector<double> weights;
  for (int64_t count : counts) weights.push_back(std::pow(static_cast<double>(count), power));
  return weights;
}

constexpr uint32_t keep_stream = 0, window_stream = 1;  // of Philox, with the pass in upper bits

}  // namespace

WordPairSampler::WordPairSampler(const Corpus& corpus, const WordPairOptions& options, Caller at)
    : corpus_(corpus), options_(options), noise_(powers_of(corpus.counts, options.power), at) {
  if (options.window < 1 || options.negatives < 1 || options.batch < 1)
    fail("WordPairSampler", at, "window {}, negatives {} and batch {} must be at least 1",
         options.window, options.negatives, options.batch);
  double total = 0;
  for (int64_t count : corpus.counts) total += static_cast<double>(count);
  for (int64_t count : corpus.counts) {
    const double ratio = static_cast<double>(count) / total / options.subsample;
    keep_.push_back(options.subsample > 0 && count > 0 ? (std::sqrt(ratio) + 1) / ratio : 1);
  }
}

int64_t WordPairSampler::batches() const {
  const auto tokens = static_cast<int64_t>(corpus_.tokens.size());
  return (tokens + options_.batch - 1) / options_.batch;
}

bool WordPairSampler::keep(int64_t token, int64_t pass) const {
  const double p = keep_[static_cast<size_t>(corpus_.tokens[static_cast<size_t>(token)])];
  if (p >= 1) return true;
  KeyedRandom random(options_.seed, static_cast<uint64_t>(token),
                     2 * static_cast<uint32_t>(pass) + keep_stream);
  return random.uniform() < p;
}

void WordPairSampler::add_example(int64_t token, int64_t pass, WordPairs& out) const {
  const auto size = static_cast<int64_t>(corpus_.tokens.size());
  KeyedRandom random(options_.seed, static_cast<uint64_t>(token),
                     2 * static_cast<uint32_t>(pass) + window_stream);
  const int width = 1 + static_cast<int>(random.below(static_cast<uint32_t>(options_.window)));
  std::vector<int64_t> context;
  for (int64_t direction : {-1, 1}) {
    int found = 0;
    for (int64_t i = token + direction; i >= 0 && i < size && found < width; i += direction) {
      const int word = corpus_.tokens[static_cast<size_t>(i)];
      if (word == Corpus::boundary) break;
      if (!keep(i, pass)) continue;
      context.push_back(word);
      ++found;
    }
  }
  if (context.empty()) return;
  const int64_t centre = corpus_.tokens[static_cast<size_t>(token)];
  const std::vector<int64_t> alone = {centre};
  const std::vector<int64_t>& inputs = options_.cbow ? context : alone;
  out.inputs.insert(out.inputs.end(), inputs.begin(), inputs.end());
  for (int64_t positive : options_.cbow ? alone : context) {
    out.targets.push_back(positive);
    out.labels.push_back(1);
    for (int n = 0; n < options_.negatives; ++n) {
      const uint32_t cell = random.bits();
      const int64_t negative = noise_(cell, random.bits());
      if (negative == positive) continue;
      out.targets.push_back(negative);
      out.labels.push_back(0);
    }
  }
  out.input_begin.push_back(static_cast<int64_t>(out.inputs.size()));
  out.target_begin.push_back(static_cast<int64_t>(out.targets.size()));
}

WordPairs WordPairSampler::batch(int64_t step) const {
  const int64_t pass = step / batches(), first = step % batches() * options_.batch;
  const int64_t last =
      std::min(first + options_.batch, static_cast<int64_t>(corpus_.tokens.size()));
  constexpr int64_t chunk = 64;
  std::vector<WordPairs> parts(static_cast<size_t>((last - first + chunk - 1) / chunk));
  parallel_chunks(last - first, chunk, [&](int64_t index, int64_t begin, int64_t end) {
    for (int64_t i = first + begin; i < first + end; ++i)
      if (corpus_.tokens[static_cast<size_t>(i)] != Corpus::boundary && keep(i, pass))
        add_example(i, pass, parts[static_cast<size_t>(index)]);
  });
  WordPairs all;
  for (const WordPairs& part : parts) {
    const auto inputs = static_cast<int64_t>(all.inputs.size());
    const auto targets = static_cast<int64_t>(all.targets.size());
    for (size_t e = 1; e < part.input_begin.size(); ++e) {
      all.input_begin.push_back(inputs + part.input_begin[e]);
      all.target_begin.push_back(targets + part.target_begin[e]);
    }
    all.inputs.insert(all.inputs.end(), part.inputs.begin(), part.inputs.end());
    all.targets.insert(all.targets.end(), part.targets.begin(), part.targets.end());
    all.labels.insert(all.labels.end(), part.labels.begin(), part.labels.end());
  }
  return all;
}

}  // namespace strata
