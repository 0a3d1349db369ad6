#include "engine/data/terrace_graph.h"

#include <cmath>
#include <map>

#include "engine/data/keyed_random.h"
#include "engine/ops/create.h"

namespace strata::terrace_graph {
namespace {

// Streams of random numbers besides those of the drawn factors.
enum Stream : uint32_t { ring_length = 16, near_count = 18, far_count = 20, order = 22 };

struct Row {
  const char* name;
  int level;
};
constexpr Row rows[] = {{"hub near motif", 2},
                        {"hub far motif", 2},
                        {"plain near motif", 2},
                        {"plain far motif", 2},
                        {"hub community", 4},
                        {"plain community", 4},
                        {"class", 5}};

// Six nodes: 0 and 1 of degree 3, 2 and 3 of degree 2, 4 and 5 leaves; node 2 is the anchor.
constexpr int motif_nodes = 6;
constexpr Position positions[motif_nodes] = {core, core, anchor, inner, leaf, leaf};
using MotifEdges = std::array<std::pair<int, int>, 6>;
constexpr MotifEdges motifs[terrace::kinds] = {
    {{{0, 1}, {1, 2}, {2, 0}, {1, 4}, {0, 3}, {3, 5}}},
    {{{0, 1}, {1, 2}, {2, 3}, {3, 0}, {0, 4}, {1, 5}}},
    {{{0, 2}, {2, 1}, {1, 3}, {3, 0}, {0, 4}, {1, 5}}},
    {{{0, 2}, {2, 3}, {3, 0}, {0, 1}, {1, 4}, {1, 5}}},
};

// A graph while it grows, its nodes in the order of building.
class Builder {
 public:
  explicit Builder(const terrace::Table& role) : role_(role) {}

  int64_t node(int motif = -1, int position = -1) {
    example.motif.push_back(static_cast<int8_t>(motif));
    example.position.push_back(static_cast<int8_t>(position));
    example.role.push_back(static_cast<int8_t>(motif < 0 ? -1 : role_(motif, position)));
    example.part.push_back(part);
    example.community.push_back(community);
    return example.nodes++;
  }
  void join(int64_t a, int64_t b) { example.edges.emplace_back(a, b); }

  // Hangs a motif on node `on`, over a node in between when `far`.
  void hang(int64_t on, int kind, bool far) {
    if (far) {
      const int64_t between = node();
      join(on, between);
      on = between;
    }
    const int64_t first = example.nodes;
    for (int i = 0; i < motif_nodes; ++i) node(kind, positions[i]);
    for (auto [a, b] : motifs[static_cast<size_t>(kind)]) join(first + a, first + b);
    join(on, first + 2);
  }

  Example example;
  int8_t part = 0, community = 0;

 private:
  const terrace::Table& role_;
};

// Nodes renumbered by a permutation, so that their order says nothing.
void shuffle(Example& e, uint64_t seed, uint64_t index) {
  KeyedRandom random(seed, index, order);
  std::vector<int64_t> place(static_cast<size_t>(e.nodes));
  for (int64_t i = 0; i < e.nodes; ++i) place[static_cast<size_t>(i)] = i;
  for (size_t i = place.size(); i > 1; --i)
    std::swap(place[i - 1], place[random.below(static_cast<uint32_t>(i))]);
  for (auto& [a, b] : e.edges) a = place[static_cast<size_t>(a)], b = place[static_cast<size_t>(b)];
  for (auto* values : {&e.motif, &e.position, &e.role, &e.community, &e.part}) {
    std::vector<int8_t> moved(values->size());
    for (size_t i = 0; i < moved.size(); ++i) moved[static_cast<size_t>(place[i])] = (*values)[i];
    *values = std::move(moved);
  }
}

}  // namespace

const char* name_of(int factor) { return rows[factor].name; }
int level_of(int factor) { return rows[factor].level; }

std::vector<int64_t> Example::degrees() const {
  std::vector<int64_t> count(static_cast<size_t>(nodes));
  for (auto [a, b] : edges) ++count[static_cast<size_t>(a)], ++count[static_cast<size_t>(b)];
  return count;
}

TerraceGraph::TerraceGraph(const Options& options, uint64_t seed)
    : role_(terrace::make_table(options.role_rule, options.rule_seed)),
      community_(terrace::make_table(options.community_rule, options.rule_seed + 1)),
      class_(terrace::make_table(options.class_rule, options.rule_seed + 2)),
      seed_(seed) {}

void TerraceGraph::derive(std::array<int8_t, factor_count>& f) const {
  f[hub_community] = static_cast<int8_t>(community_(f[hub_near], f[hub_far]));
  f[plain_community] = static_cast<int8_t>(community_(f[plain_near], f[plain_far]));
  f[graph_class] = static_cast<int8_t>(class_(f[hub_community], f[plain_community]));
}

std::array<int8_t, factor_count> TerraceGraph::drawn(uint64_t index) const {
  std::array<int8_t, factor_count> f{};
  for (uint32_t i = 0; i < drawn_count; ++i)
    f[i] = static_cast<int8_t>(KeyedRandom(seed_, index, i).below(terrace::kinds));
  return f;
}

Example TerraceGraph::build(uint64_t index, std::array<int8_t, factor_count> f) const {
  derive(f);
  Builder builder(role_);
  int64_t doors[2];  // the ring nodes that join the communities
  for (uint32_t part : {0u, 1u}) {
    builder.part = static_cast<int8_t>(part);
    builder.community = f[hub_community + part];
    auto count = [&](uint32_t stream, uint32_t low, uint32_t kinds) {
      return low + KeyedRandom(seed_, index, stream + part).below(kinds);
    };
    const uint32_t near = count(near_count, 1, 2), far = count(far_count, 1, 2);
    const uint32_t length = near + far + count(ring_length, 1, 2);
    const int64_t first = builder.example.nodes;
    for (uint32_t i = 0; i < length; ++i) builder.node();
    for (uint32_t i = 0; i < length; ++i) builder.join(first + i, first + (i + 1) % length);
    if (part == 0) {
      const int64_t hub = builder.node();
      for (uint32_t i = 0; i < length; ++i) builder.join(hub, first + i);
    }
    for (uint32_t i = 0; i < near; ++i) builder.hang(first + i, f[hub_near + 2 * part], false);
    for (uint32_t i = 0; i < far; ++i) builder.hang(first + near + i, f[hub_far + 2 * part], true);
    doors[part] = first + length - 1;
  }
  builder.join(doors[0], doors[1]);
  builder.example.factors = f;
  shuffle(builder.example, seed_, index);
  return std::move(builder.example);
}

Example TerraceGraph::example(uint64_t index) const { return build(index, drawn(index)); }

Example TerraceGraph::counterfactual(uint64_t index, int factor, int8_t value, Caller at) const {
  if (factor < 0 || factor >= drawn_count)
    fail("TerraceGraph", at, "factor {} is not drawn; those are 0 to {}", factor, drawn_count - 1);
  if (value < 0 || value >= terrace::kinds)
    fail("TerraceGraph", at, "a motif is 0 to {}; got {}", terrace::kinds - 1, value);
  auto f = drawn(index);
  f[static_cast<size_t>(factor)] = value;
  return build(index, f);
}

double TerraceGraph::information(int target, const std::vector<int>& given) const {
  constexpr int cells = 256;  // 4^4 drawn factors
  std::map<int, int> labels, keys;
  std::map<std::pair<int, int>, int> both;
  for (int cell = 0; cell < cells; ++cell) {
    std::array<int8_t, factor_count> f{};
    for (int i = 0; i < drawn_count; ++i)
      f[static_cast<size_t>(i)] = static_cast<int8_t>(cell >> 2 * i & 3);
    derive(f);
    int key = 0;
    for (int factor : given) key = 4 * key + f[static_cast<size_t>(factor)];
    const int label = f[static_cast<size_t>(target)];
    ++labels[label], ++keys[key], ++both[{key, label}];
  }
  double bits = 0;
  for (auto& [pair, n] : both) {
    const double p = static_cast<double>(n) / cells;
    bits +=
        p * std::log2(static_cast<double>(n) * cells / (keys[pair.first] * labels[pair.second]));
  }
  return bits;
}

GraphBatch batch_of(const TerraceGraph& data, uint64_t first, int64_t count) {
  GraphBatch batch;
  Edges edges;
  std::vector<int64_t> factors;
  int64_t nodes = 0;
  for (int64_t i = 0; i < count; ++i) {
    const Example e = data.example(first + static_cast<uint64_t>(i));
    for (auto [a, b] : e.edges) edges.emplace_back(nodes + a, nodes + b);
    batch.sizes.push_back(e.nodes);
    nodes += e.nodes;
    factors.insert(factors.end(), e.factors.begin(), e.factors.end());
  }
  batch.graph = Graph::undirected(nodes, edges);
  batch.features = ones({nodes, 1});
  batch.factors = from_vector(factors, {count, factor_count});
  return batch;
}

}  // namespace strata::terrace_graph

namespace strata {

BlockModel stochastic_block_model(const std::vector<int64_t>& sizes, double within, double between,
                                  uint64_t seed, Caller at) {
  for (double p : {within, between}) {
    if (!(p >= 0 && p <= 1))
      fail("stochastic_block_model", at, "a probability is between 0 and 1; got {}", p);
  }
  BlockModel model;
  for (size_t b = 0; b < sizes.size(); ++b) {
    if (sizes[b] < 0)
      fail("stochastic_block_model", at, "block {} cannot have {} nodes", b, sizes[b]);
    model.block.insert(model.block.end(), static_cast<size_t>(sizes[b]), static_cast<int64_t>(b));
  }
  Edges edges;
  const auto nodes = static_cast<int64_t>(model.block.size());
  for (int64_t i = 0; i < nodes; ++i) {
    KeyedRandom random(seed, static_cast<uint64_t>(i), 0);
    for (int64_t j = 0; j < i; ++j) {
      const bool same = model.block[static_cast<size_t>(i)] == model.block[static_cast<size_t>(j)];
      if (random.uniform() < (same ? within : between)) edges.emplace_back(j, i);
    }
  }
  model.graph = Graph::undirected(nodes, edges, at);
  return model;
}

}  // namespace strata
