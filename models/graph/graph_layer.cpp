#include "models/graph/graph_layer.h"

namespace strata {

void GraphLayer::set_graph(const Graph& graph) {
  graph_ = self_loops_ ? graph.with_self_loops() : graph;
  graph_changed();
}

const Graph& GraphLayer::graph_for(const Tensor& x) {
  if (x.rank() != 2 || x.size(0) != graph_.columns()) {
    fail(kind().c_str(), Caller{},
         "features {} must be [nodes, C] with the {} nodes of the model's graph; set_graph() gives "
         "it another",
         describe(x), graph_.columns());
  }
  if (graph_.device() != x.device()) {
    graph_ = graph_.to(x.device());
    graph_changed();
  }
  return graph_;
}

void GraphModel::set_graph(const Graph& graph) {
  for (GraphLayer* layer : layers_) layer->set_graph(graph);
}

Graph ring_with_chords(int64_t nodes) {
  Edges edges;
  for (int64_t i = 0; i < nodes; ++i) {
    edges.emplace_back(i, (i + 1) % nodes);
    if (i % 3 == 0 && i < nodes / 2) edges.emplace_back(i, i + nodes / 2);
  }
  return Graph::undirected(nodes, edges);
}

}  // namespace strata
