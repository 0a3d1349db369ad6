// What graph networks share: layers and models that hold the graph their features belong to.
//
// Features are [nodes, C]. A layer reads features of a graph's columns and gives features of its
// rows; row i is the same node as column i, so that a sampled neighbourhood
// (models/graph/neighbour_sampler.h) has its targets first. A graph moves to the device of the
// features when a layer first meets them there.
#pragma once

#include <vector>

#include "engine/nn/layer.h"
#include "engine/ops/graph.h"
#include "models/model.h"

namespace strata {

class GraphLayer : public Layer {
 public:
  explicit GraphLayer(bool self_loops = false) : self_loops_(self_loops) {}
  // Layers that count a node among its neighbours add the loops themselves.
  void set_graph(const Graph& graph);

 protected:
  // The graph on the device of x [columns, C]; another shape of x is an error.
  const Graph& graph_for(const Tensor& x);
  // Called when the graph is another one or has moved.
  virtual void graph_changed() {}

 private:
  bool self_loops_;
  Graph graph_;
};

// A model whose forward pass goes over a graph. Until set_graph() it holds ring_with_chords().
class GraphModel : public Model {
 public:
  // The graph of all layers: edges between the nodes, as they are in the data (no loops added, no
  // normalisation; each model does what its paper does).
  virtual void set_graph(const Graph& graph);

 protected:
  // To be called by constructors for each layer that goes over the graph, in order.
  void over_graph(GraphLayer& layer) { layers_.push_back(&layer); }
  const std::vector<GraphLayer*>& graph_layers() const { return layers_; }

 private:
  std::vector<GraphLayer*> layers_;
};

// Nodes in a circle, every third joined to the one across: a graph to begin with.
Graph ring_with_chords(int64_t nodes);

}  // namespace strata
