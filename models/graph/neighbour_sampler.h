// Mini-batches of a large graph (Hamilton et al. 2017, algorithm 2): the nodes wanted, a few of
// their neighbours, a few of theirs, one block a layer. The cost of a batch is bounded by the
// numbers given, whatever the degrees.
#pragma once

#include <span>
#include <vector>

#include "engine/ops/graph.h"

namespace strata {

struct SampledBlocks {
  // One for each layer, the one next to the features first. Rows of a block are columns of the
  // next; the first columns of a block are its rows.
  std::vector<Graph> blocks;
  // The node of the graph that each column of the first block is: rows of the features to read.
  std::vector<int64_t> nodes;
};

// At most counts[l] neighbours of each node for layer l, without repeats, all where there are not
// more: uniform, a function of (seed, layer, node) alone. `targets` become the rows of the last
// block. A target that is given twice, or is no node, is an error.
SampledBlocks sample_neighbours(const Graph& graph, std::span<const int64_t> targets,
                                const std::vector<int64_t>& counts, uint64_t seed,
                                Caller at = Caller::here());

}  // namespace strata
