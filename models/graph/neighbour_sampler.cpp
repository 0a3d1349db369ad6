#include "models/graph/neighbour_sampler.h"

#include <algorithm>
#include <unordered_map>

#include "engine/data/keyed_random.h"

namespace strata {
namespace {

// `count` of the edges begin..end - 1: Floyd's way of drawing without repeats (Bentley 1987).
std::vector<int64_t> choose(int64_t begin, int64_t end, int64_t count, KeyedRandom random) {
  std::vector<int64_t> chosen;
  const int64_t n = end - begin;
  if (n <= count) {
    for (int64_t e = begin; e < end; ++e) chosen.push_back(e);
    return chosen;
  }
  for (int64_t last = n - count; last < n; ++last) {
    const int64_t drawn = begin + random.below(static_cast<uint32_t>(last + 1));
    const bool taken = std::find(chosen.begin(), chosen.end(), drawn) != chosen.end();
    chosen.push_back(taken ? begin + last : drawn);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace

SampledBlocks sample_neighbours(const Graph& graph, std::span<const int64_t> targets,
                                const std::vector<int64_t>& counts, uint64_t seed, Caller at) {
  SampledBlocks out;
  if (graph.device() != Device::cpu)
    fail("sample_neighbours", at, "the {} is on the gpu; sample from the one on the cpu",
         describe(graph));
  std::unordered_map<int64_t, int64_t> place;  // of a node among `nodes`
  for (int64_t node : targets) {
    if (node < 0 || node >= graph.rows())
      fail("sample_neighbours", at, "target {} is no node of the {}", node, describe(graph));
    if (!place.emplace(node, static_cast<int64_t>(out.nodes.size())).second)
      fail("sample_neighbours", at, "target {} is given twice", node);
    out.nodes.push_back(node);
  }
  const int64_t *offsets = graph.csr().offsets, *from = graph.csr().from;
  for (size_t layer = counts.size(); layer-- > 0;) {
    const auto rows = static_cast<int64_t>(out.nodes.size());
    Edges edges;
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t node = out.nodes[static_cast<size_t>(row)];
      const KeyedRandom random(seed, static_cast<uint64_t>(node), static_cast<uint32_t>(layer));
      for (int64_t e : choose(offsets[node], offsets[node + 1], counts[layer], random)) {
        auto [it, fresh] = place.emplace(from[e], static_cast<int64_t>(out.nodes.size()));
        if (fresh) out.nodes.push_back(from[e]);
        edges.emplace_back(it->second, row);
      }
    }
    out.blocks.push_back(Graph::bipartite(rows, static_cast<int64_t>(out.nodes.size()), edges, at));
  }
  std::reverse(out.blocks.begin(), out.blocks.end());
  return out;
}

}  // namespace strata
