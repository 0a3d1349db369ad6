// Graph convolution network: Kipf and Welling 2017, "Semi-supervised classification with graph
// convolutional networks". A layer mixes features, then neighbours, with fixed weights:
//   H' = D^-1/2 (A + I) D^-1/2 H W + b,
// where D counts edges of A + I; ReLU between layers, dropout in front of each.
//
//   layer    result            parameters       multiply-adds, N nodes, E edges (both ways)
//   conv1    [N, hidden]       (F + 1) hidden   N F hidden + (E + N) hidden
//   conv2    [N, classes]      (hidden + 1) K   N hidden K + (E + N) K
//
// Cora (N 2708, E 10556, F 1433, hidden 16, K 7): 23,063 parameters, 62.7 M multiply-adds.
//
// Without edges (GcnOptions::edges = false) the matrix is I and what is left is the same network of
// fully connected layers, node by node: the control that says what the edges are worth.
#pragma once

#include "engine/nn/activation.h"
#include "engine/nn/linear.h"
#include "models/graph/graph_layer.h"

namespace strata {

// x [nodes, inputs] -> [nodes, outputs]: the normalised sum over a node and its neighbours of
// linear(x), plus bias. Activations: linear (before the sum), and the layer's own. Starts Glorot
// uniform with zero bias.
class GraphConv : public GraphLayer {
 public:
  GraphConv(int64_t inputs, int64_t outputs);
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

  Linear& linear;
  Tensor bias;

 private:
  void graph_changed() override { normalisation_ = {}; }
  Tensor normalisation_;  // by edge
};

struct GcnOptions {
  int64_t features = 1433;
  int64_t classes = 7;
  std::vector<int64_t> hidden = {16};  // widths between input and logits
  double dropout = 0.5;                // of each layer's input
  bool edges = true;
  int64_t nodes = 12;  // of the graph it begins with
};

// x [nodes, features] -> logits [nodes, classes]. Activations: conv1, hidden1 (after its ReLU),
// conv2, ...
class Gcn : public GraphModel {
 public:
  explicit Gcn(const GcnOptions& options = {});
  std::string kind() const override { return edges_ ? "GCN" : "GCN without edges"; }
  Tensor forward(const Tensor& x) override;
  void set_graph(const Graph& graph) override;
  // hidden1, hidden2, ..., the last convolution.
  std::vector<std::string> stages() const override;

 private:
  bool edges_;
  Dropout& dropout_;
  std::vector<GraphConv*> convs_;
};

int64_t gcn_parameter_count(const GcnOptions& options);

}  // namespace strata
