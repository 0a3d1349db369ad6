// GraphSAGE: Hamilton, Ying and Leskovec 2017, "Inductive representation learning on large graphs".
// A layer keeps a node's own features apart from what its neighbours say:
//   h'_i = W_self x_i + W_neighbours aggregate over j of x_j + b,
// the sum of the two blocks of the paper's W [x_i ; aggregate]. The mean aggregator takes the mean;
// the pooling one the element-wise maximum of relu(P x_j + p). ReLU between layers; with
// `normalise`, rows are then scaled to length 1 (the paper's line 7).
//
//   layer    result           parameters (mean)    multiply-adds, N nodes, E edges (both ways)
//   sage1    [N, hidden]      (2 F + 1) hidden     2 N F hidden + E F
//   sage2    [N, classes]     (2 hidden + 1) K     2 N hidden K + E hidden
//
// The pooling aggregator adds F F + F parameters for each layer of F inputs. Cora (F 1433, hidden
// 64, K 7, mean): 184,391 parameters. Mini-batches: models/graph/neighbour_sampler.h.
#pragma once

#include "engine/nn/activation.h"
#include "engine/nn/linear.h"
#include "models/graph/graph_layer.h"

namespace strata {

enum class SageAggregator { mean, pool };

// x [columns, inputs] -> [rows, outputs]. Activations: pool (for that aggregator), "gathered"
// [rows, inputs], self, neighbours, and the layer's own.
class SageConv : public GraphLayer {
 public:
  SageConv(int64_t inputs, int64_t outputs, SageAggregator aggregator);
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

  SageAggregator aggregator;
  Linear* pool = nullptr;
  Linear &self, &neighbours;
};

struct GraphSageOptions {
  int64_t features = 1433;
  int64_t classes = 7;
  std::vector<int64_t> hidden = {64};
  SageAggregator aggregator = SageAggregator::mean;
  double dropout = 0.5;  // of each layer's input
  bool normalise = false;
  int64_t nodes = 12;  // of the graph it begins with
};

// x [nodes, features] -> logits [nodes, classes]; after set_blocks(), features of the first block's
// columns -> logits of the last block's rows. Activations: sage1, hidden1, sage2, ...
class GraphSage : public GraphModel {
 public:
  explicit GraphSage(const GraphSageOptions& options = {});
  std::string kind() const override { return "GraphSAGE"; }
  Tensor forward(const Tensor& x) override;
  // A graph for each layer, as sampling makes them. Until set_graph() or the next call. Another
  // number of them, or rows of one that are not the columns of the next, is an error.
  void set_blocks(const std::vector<Graph>& blocks, Caller at = Caller::here());
  // hidden1, hidden2, ..., the last layer.
  std::vector<std::string> stages() const override;

 private:
  bool normalise_;
  Dropout& dropout_;
  std::vector<SageConv*> convs_;
};

int64_t graph_sage_parameter_count(const GraphSageOptions& options);

}  // namespace strata
