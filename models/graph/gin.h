// Graph isomorphism network: Xu, Hu, Leskovec and Jegelka 2019, "How powerful are graph neural
// networks?". Sums keep how many neighbours of each kind there are, which means and maxima do not:
//   h' = relu(norm2(fc2(relu(norm1(fc1((1 + epsilon) h + sum over neighbours of h_j))))),
// epsilon learned, norms over the nodes of the batch (Ioffe and Szegedy 2015). A readout then adds
// or averages the nodes of each graph (or leaves them), and two fully connected layers say the
// class.
//
//   layer    result                 parameters (widths F, then W)       multiply-adds
//   gin1     [N, W]                 F W + W W + 4 W + 1                 N (F W + W W) + E F
//   gin2..L  [N, W]                 2 W W + 4 W + 1                     2 N W W + E W
//   readout  [G, W]                 0                                   N W
//   fc       [G, W]                 W W + W                             G W W
//   head     [G, classes]           W K + K                             G W K
//
// N nodes in G graphs, E edges (both ways); without a readout G is N.
#pragma once

#include "engine/nn/linear.h"
#include "engine/nn/norm.h"
#include "models/graph/graph_layer.h"

namespace strata {

// x [nodes, inputs] -> [nodes, outputs]. Activations: "gathered" [nodes, inputs], fc1, norm1 (with
// its ReLU), fc2, norm2 and the layer's own, which is norm2's.
class GinConv : public GraphLayer {
 public:
  GinConv(int64_t inputs, int64_t outputs);
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

  Tensor epsilon;  // [1], starts at 0
  Linear& fc1;
  BatchNorm& norm1;
  Linear& fc2;
  BatchNorm& norm2;
};

enum class Readout { none, mean, sum };

// x [nodes, C] -> [groups, C]; with Readout::none x itself.
class GraphReadout : public GraphLayer {
 public:
  explicit GraphReadout(Readout readout) : readout(readout) {}
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

  const Readout readout;
};

struct GinOptions {
  int64_t features = 1;
  int64_t classes = 4;
  int64_t width = 64;
  int64_t layers = 4;
  Readout readout = Readout::sum;
  int64_t nodes = 12;  // of the graph it begins with
};

// x [nodes, features] -> logits [graphs, classes], or [nodes, classes] without a readout.
// Activations: gin1, ..., readout, hidden (after fc's ReLU), head.
class Gin : public GraphModel {
 public:
  explicit Gin(const GinOptions& options = {});
  std::string kind() const override { return "GIN"; }
  Tensor forward(const Tensor& x) override;
  // All nodes are one graph.
  void set_graph(const Graph& graph) override;
  // Several graphs side by side (Graph::disjoint), with the number of nodes of each.
  void set_graphs(const Graph& graph, const std::vector<int64_t>& sizes,
                  Caller at = Caller::here());
  // gin1, gin2, ..., readout, hidden, head.
  std::vector<std::string> stages() const override;

 private:
  std::vector<GinConv*> convs_;
  GraphReadout& readout_;
  Linear& fc_;
  Linear& head_;
};

int64_t gin_parameter_count(const GinOptions& options);

}  // namespace strata
