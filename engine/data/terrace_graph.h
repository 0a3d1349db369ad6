// terrace-graph: graphs made on the fly from factors at known levels of a hierarchy, each with its
// full record, the sibling of the terrace images (engine/data/terrace_rules.h).
//
//   level 1  degree of each node: what can be read off without looking at a neighbour
//   level 2  motif (4): six nodes that hang on the rest by one of them, the anchor
//   level 3  role of a node of a motif = table(motif, position), position = core, inner, leaf,
//            anchor
//   level 4  community = table(near motif, far motif): a ring of nodes on which motifs of one kind
//            hang by an edge (near) and motifs of another by a node between (far)
//   level 5  class = table(hub community, plain community): two communities joined by an edge; the
//            hub community has a node in the middle of its ring, joined to all of it
//
// The four motifs have as many nodes of each degree (cores 3 and 3, inner 2, leaves 1 and 1, and
// the anchor 2, or 3 once it hangs), so how many nodes of each degree a graph has says nothing
// about its motifs, communities or class: a reader of raw degrees is at chance by construction.
// Drawn are the four motif kinds, independently and uniformly, and as nuisance the length of each
// ring, how many motifs hang where, and the order of the nodes. Bits are a function of (seed,
// index, factor).
//
//   0  triangle with a leaf and a path         1  square, leaves at neighbours
//   2  square, leaves at opposite corners      3  triangle with a fork
//
// How hard: a GIN of five layers (tools/train/graph.cpp) tells the hub community of 1,024 unseen
// graphs at 100 % after 12,800; the class at 73 % after 192,000, near the 75 % that three of the
// four motifs allow. That last step of the staircase is open.
//
// Also here: the stochastic block model (Holland, Laskey and Leinhardt 1983).
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/data/terrace_rules.h"
#include "engine/ops/graph.h"

namespace strata::terrace_graph {

// Factors of a whole graph. The first four are drawn.
enum Factor : int {
  hub_near,
  hub_far,
  plain_near,
  plain_far,
  hub_community,
  plain_community,
  graph_class,
};
inline constexpr int factor_count = 7, drawn_count = 4;
const char* name_of(int factor);
int level_of(int factor);  // 2, 4 or 5

enum Position : int8_t { core, inner, leaf, anchor };

struct Options {
  terrace::Rule role_rule = terrace::Rule::staircase;
  terrace::Rule community_rule = terrace::Rule::staircase;
  terrace::Rule class_rule = terrace::Rule::staircase;
  uint64_t rule_seed = 0;  // of random tables
};

struct Example {
  Edges edges;  // undirected, each once
  int64_t nodes = 0;
  std::array<int8_t, factor_count> factors{};
  // By node; -1 where it has none (ring, hub and in-between nodes have no motif).
  std::vector<int8_t> motif, position, role;
  std::vector<int8_t> community;  // the value of the community it lies in
  std::vector<int8_t> part;       // 0 in the hub community, 1 in the plain one

  Graph graph() const { return Graph::undirected(nodes, edges); }
  std::vector<int64_t> degrees() const;
};

class TerraceGraph {
 public:
  TerraceGraph(const Options& options, uint64_t seed);
  // The same index is the same graph.
  Example example(uint64_t index) const;
  // The same graph with drawn factor `factor` set to `value` and all else as it was. A derived
  // factor or a value outside 0..3 is an error.
  Example counterfactual(uint64_t index, int factor, int8_t value,
                         Caller at = Caller::here()) const;
  // Mutual information I(target; given jointly) of factors of a graph in bits, by enumeration of
  // the tables.
  double information(int target, const std::vector<int>& given) const;

 private:
  void derive(std::array<int8_t, factor_count>& factors) const;
  std::array<int8_t, factor_count> drawn(uint64_t index) const;
  Example build(uint64_t index, std::array<int8_t, factor_count> factors) const;

  terrace::Table role_, community_, class_;
  uint64_t seed_;
};

// Several examples as one graph, with the sizes that a readout wants and features of one constant
// (degrees must be counted, not read).
struct GraphBatch {
  Graph graph;
  std::vector<int64_t> sizes;
  Tensor features;  // f32 [nodes, 1], ones
  Tensor factors;   // i64 [graphs, factor_count]
};
GraphBatch batch_of(const TerraceGraph& data, uint64_t first, int64_t count);

}  // namespace strata::terrace_graph

namespace strata {

struct BlockModel {
  Graph graph;
  std::vector<int64_t> block;  // by node
};
// Nodes of block b lie one after the other; two of one block are joined with probability `within`,
// two of different blocks with `between`, independently, as a function of (seed, pair). A
// probability outside [0, 1] or a negative size is an error. Costs a draw a pair.
BlockModel stochastic_block_model(const std::vector<int64_t>& sizes, double within, double between,
                                  uint64_t seed, Caller at = Caller::here());

}  // namespace strata
