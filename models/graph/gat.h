// Graph attention network: Velickovic, Cucurull, Casanova, Romero, Lio and Bengio 2018. A layer
// weighs each neighbour by what both ends of the edge say. For each head, with h = W x,
//   score(j -> i) = LeakyReLU(a_s . h_j + a_t . h_i, slope 0.2),
//   coefficients = softmax of the scores over the edges into i (its loop among them),
//   out_i = sum over j of coefficient(j -> i) h_j + b.
// Heads lie side by side between layers (followed by an ELU); the last layer takes their mean.
// Dropout falls on each layer's input and on the coefficients.
//
//   layer   result                  parameters            multiply-adds, N nodes, E edges + loops
//   gat1    [N, heads hidden]       heads hidden (F + 3)  heads hidden (N F + 2 N + E)
//   gat2    [N, classes]            heads' K (heads hidden + 2) + K    the same with its widths
//
// Cora (F 1433, 8 heads of 8, then 1 of 7): 92,373 parameters, 251 M multiply-adds.
#pragma once

#include "engine/nn/activation.h"
#include "engine/nn/linear.h"
#include "models/graph/graph_layer.h"

namespace strata {

struct GraphAttentionOptions {
  int64_t heads = 8;
  bool mean = false;   // the mean of the heads in place of all side by side
  double dropout = 0;  // of coefficients
  double slope = 0.2;
};

// x [nodes, inputs] -> [nodes, heads outputs], or [nodes, outputs] for the mean. Activations:
// linear, "scores" and "coefficients" [edges, heads] (edges by target, with loops; the coefficients
// before dropout), and the layer's own. Starts Glorot uniform with zero bias.
class GraphAttention : public GraphLayer {
 public:
  GraphAttention(int64_t inputs, int64_t outputs, const GraphAttentionOptions& options = {});
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

  GraphAttentionOptions options;
  Linear& linear;
  Tensor source, target;  // a_s and a_t [heads, outputs]
  Tensor bias;
};

struct GatOptions {
  int64_t features = 1433;
  int64_t classes = 7;
  int64_t hidden = 8;  // features of a head
  int64_t heads = 8;
  int64_t layers = 2;
  int64_t last_heads = 1;
  double dropout = 0.6;  // of each layer's input, and of the coefficients
  int64_t nodes = 12;    // of the graph it begins with
};

// x [nodes, features] -> logits [nodes, classes]. Activations: gat1, hidden1 (after its ELU), gat2,
// ...
class Gat : public GraphModel {
 public:
  explicit Gat(const GatOptions& options = {});
  std::string kind() const override { return "GAT"; }
  Tensor forward(const Tensor& x) override;
  // hidden1, hidden2, ..., the last layer.
  std::vector<std::string> stages() const override;

 private:
  Dropout& dropout_;
  std::vector<GraphAttention*> gats_;
};

int64_t gat_parameter_count(const GatOptions& options);

}  // namespace strata
