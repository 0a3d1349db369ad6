#include "tools/experiments/unit_domains.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/data/keyed_random.h"
#include "engine/data/terrace.h"
#include "engine/data/terrace_audio.h"
#include "engine/data/terrace_text.h"
#include "engine/ops.h"
#include "models/audio/log_mel.h"

namespace strata::experiments {
namespace {

constexpr int64_t side = 8, words = 20, word_numbers = 16, frames = 30, bands = 20, nodes = 20,
                  blocks = 4;

// Weights of units whose pairs are given: of each unit the same to itself and to those it is paired
// with, summing to 1.
std::vector<float> weights_of(int64_t units,
                              const std::vector<std::pair<int64_t, int64_t>>& pairs) {
  std::vector<float> weights(static_cast<size_t>(units * units), 0.0f);
  for (int64_t i = 0; i < units; ++i) weights[static_cast<size_t>(i * units + i)] = 1;
  for (const auto& [a, b] : pairs)
    weights[static_cast<size_t>(a * units + b)] = weights[static_cast<size_t>(b * units + a)] = 1;
  for (int64_t i = 0; i < units; ++i) {
    float* row = &weights[static_cast<size_t>(i * units)];
    const float sum = std::accumulate(row, row + units, 0.0f);
    for (int64_t j = 0; j < units; ++j) row[j] /= sum;
  }
  return weights;
}

Tensor neighbours_of(const UnitShape& shape, int64_t count) {
  std::vector<std::pair<int64_t, int64_t>> pairs;
  for (int64_t i = 0; i < shape.units; ++i) {
    if (!shape.grid && i + 1 < shape.units) pairs.emplace_back(i, i + 1);
    if (shape.grid && i % side + 1 < side) pairs.emplace_back(i, i + 1);
    if (shape.grid && i + side < shape.units) pairs.emplace_back(i, i + side);
  }
  return from_vector(weights_of(shape.units, pairs), {1, shape.units, shape.units})
      .expand({count, shape.units, shape.units});
}

struct Plain {
  Tensor x;  // [N, T, C]
  std::vector<int64_t> labels;
};

Plain images(uint64_t seed, uint64_t first, int64_t count) {
  const Terrace data(terrace_task("outline"), seed, count, first);
  const Batch batch = data.head(count);
  const int64_t block = batch.images.size(1) / side;
  return {mean(batch.images.reshape({count, side, block, side, block, 3}), {2, 4})
              .reshape({count, side * side, 3}),
          batch.labels.to_vector<int64_t>()};
}

Plain texts(uint64_t seed, uint64_t first, int64_t count) {
  const TerraceText data(seed, {.sentences = 1});
  Generator generator(seed);
  const Tensor table = randn({data.vocabulary(), word_numbers}, 0, 1, DType::f32, &generator);
  std::vector<int64_t> index, labels;
  for (int64_t i = 0; i < count; ++i) {
    const terrace_text::Passage passage = data.passage(first + static_cast<uint64_t>(i));
    labels.push_back(static_cast<int64_t>(passage.sentences.front().type));
    for (int64_t t = 0; t < words; ++t)
      index.push_back(t < std::ssize(passage.tokens) ? passage.tokens[static_cast<size_t>(t)].word
                                                     : terrace_text::begin_word);
  }
  return {index_select(table, 0, from_vector(index, {count * words}))
              .reshape({count, words, word_numbers}),
          labels};
}

// In pieces, since waves are 8 times as large as what is kept of them.
Plain sounds(uint64_t seed, uint64_t first, int64_t count) {
  constexpr int64_t piece = 128;
  const TerraceAudio data({.label = terrace_audio::word}, seed, count, first);
  LogMel log_mel({.mels = bands});
  Plain all;
  std::vector<Tensor> pieces;
  for (int64_t done = 0; done < count; done += piece) {
    std::vector<int64_t> rows(static_cast<size_t>(std::min(piece, count - done)));
    std::iota(rows.begin(), rows.end(), done);
    const TerraceAudio::Batch batch = data.fill(rows);
    const auto labels = batch.labels.to_vector<int64_t>();
    all.labels.insert(all.labels.end(), labels.begin(), labels.end());
    const Tensor mel = log_mel(batch.waves).slice(1, 0, 2 * frames);
    pieces.push_back(mean(mel.reshape({mel.size(0), frames, 2, bands}), {2}) * 0.2 + 1.0);
  }
  all.x = concatenate(pieces);
  return all;
}

// A node shows the colour of its block with probability .55 (right_colours, in %) and else another
// one; nodes of one block are joined with probability .9, others with .05.
Units graphs(uint64_t seed, uint64_t first, int64_t count, bool other_edges) {
  std::vector<float> x;
  Units units;
  for (int64_t i = 0; i < count; ++i) {
    KeyedRandom random(seed, first + static_cast<uint64_t>(i), 0x67726166u);
    std::array<int64_t, nodes> block{}, colour{};
    for (int64_t v = 0; v < nodes; ++v) {
      const auto at = static_cast<size_t>(v);
      block[at] = random.below(blocks);
      colour[at] = random.below(100) < right_colours
                       ? block[at]
                       : (block[at] + 1 + random.below(blocks - 1)) % blocks;
    }
    std::vector<std::pair<int64_t, int64_t>> edges;
    for (int64_t a = 0; a < nodes; ++a)
      for (int64_t b = a + 1; b < nodes; ++b) {
        const bool same = block[static_cast<size_t>(a)] == block[static_cast<size_t>(b)];
        if (random.below(100) < (same ? 90u : 5u)) edges.emplace_back(a, b);
      }
    if (other_edges)
      for (auto& [a, b] : edges) {
        a = random.below(nodes);
        b = random.below(nodes);
      }
    const std::vector<float> weights = weights_of(nodes, edges);
    for (int64_t v = 0; v < nodes; ++v) {
      const float* row = &weights[static_cast<size_t>(v * nodes)];
      for (int64_t c = 0; c < blocks; ++c)
        x.push_back(colour[static_cast<size_t>(v)] == c ? 1.0f : 0.0f);
      // Twice: as numbers of the node, which every network sees, and as its weights.
      for (int64_t u = 0; u < nodes; ++u) x.push_back(row[u] > 0 ? 1.0f : 0.0f);
      x.insert(x.end(), row, row + nodes);
    }
    units.labels.push_back(block[nodes - 1]);
  }
  units.x = from_vector(x, {count, nodes, blocks + 2 * nodes});
  return units;
}

}  // namespace

const char* name_of(UnitDomain domain) {
  return std::array{"image", "text", "audio", "graph"}.at(static_cast<size_t>(domain));
}

UnitShape shape_of(UnitDomain domain) {
  switch (domain) {
    case UnitDomain::image:
      return {.units = side * side, .numbers = 3, .grid = true};
    case UnitDomain::text:
      return {.units = words, .numbers = word_numbers, .classes = 5};
    case UnitDomain::audio:
      return {.units = frames, .numbers = bands};
    case UnitDomain::graph:
      return {.units = nodes, .numbers = blocks + nodes, .last = true};
  }
  return {};
}

Units unit_data(UnitDomain domain, uint64_t seed, uint64_t first, int64_t count,
                Disorder disorder) {
  NoGrad off;
  if (domain == UnitDomain::graph) return graphs(seed, first, count, disorder == Disorder::edges);
  const Plain plain = domain == UnitDomain::image  ? images(seed, first, count)
                      : domain == UnitDomain::text ? texts(seed, first, count)
                                                   : sounds(seed, first, count);
  Tensor x = plain.x;
  if (disorder == Disorder::units) {
    Generator generator(seed);
    x = index_select(x, 1, randperm(x.size(1), &generator));
  }
  return {concatenate({x, neighbours_of(shape_of(domain), count)}, 2), plain.labels};
}

Units scaled(const Units& units, const UnitShape& shape, const Units& by) {
  NoGrad off;
  const Tensor like = by.x.slice(2, 0, shape.numbers).contiguous(), shift = mean(like, {0, 1}),
               size = sqrt(mean(square(like - shift), {0, 1})) + 1e-6;
  const Tensor numbers = units.x.slice(2, 0, shape.numbers).contiguous(),
               weights = units.x.slice(2, shape.numbers, shape.numbers + shape.units).contiguous();
  return {concatenate({(numbers - shift) / size, weights}, 2), units.labels};
}

}  // namespace strata::experiments
