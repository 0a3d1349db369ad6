#include "models/graph/gcn.h"

#include "engine/nn/init.h"

namespace strata {

GraphConv::GraphConv(int64_t inputs, int64_t outputs)
    : GraphLayer(true),
      linear(add<Linear>("linear", inputs, outputs, false)),
      bias(add_parameter("bias", empty({outputs}))) {
  init::xavier_uniform_(linear.weight);
  init::zeros_(bias);
}

std::string GraphConv::kind() const {
  return fmt::format("GraphConv({} -> {})", linear.weight.size(1), linear.weight.size(0));
}

Tensor GraphConv::forward(const Tensor& x) {
  const Graph& graph = graph_for(x);
  if (!normalisation_.defined() || normalisation_.dtype() != x.dtype())
    normalisation_ = graph.symmetric_normalisation(x.dtype());
  return aggregate(graph, linear(x), Aggregate::sum, normalisation_) + bias;
}

Gcn::Gcn(const GcnOptions& options)
    : edges_(options.edges), dropout_(add<Dropout>("dropout", options.dropout)) {
  std::vector<int64_t> widths = options.hidden;
  widths.push_back(options.classes);
  int64_t inputs = options.features;
  for (size_t i = 0; i < widths.size(); ++i) {
    convs_.push_back(&add<GraphConv>(fmt::format("conv{}", i + 1), inputs, widths[i]));
    over_graph(*convs_.back());
    inputs = widths[i];
  }
  set_graph(ring_with_chords(options.nodes));
}

void Gcn::set_graph(const Graph& graph) {
  GraphModel::set_graph(edges_ ? graph : Graph::directed(graph.rows(), {}));
}

Tensor Gcn::forward(const Tensor& x) {
  Tensor h = x;
  for (size_t i = 0; i < convs_.size(); ++i) {
    h = (*convs_[i])(dropout_(h));
    if (i + 1 < convs_.size()) h = named(fmt::format("hidden{}", i + 1).c_str(), relu(h));
  }
  return h;
}

std::vector<std::string> Gcn::stages() const {
  std::vector<std::string> names;
  for (size_t i = 1; i < convs_.size(); ++i) names.push_back(fmt::format("hidden{}", i));
  names.push_back(fmt::format("conv{}", convs_.size()));
  return names;
}

int64_t gcn_parameter_count(const GcnOptions& options) {
  int64_t inputs = options.features, count = 0;
  for (int64_t width : options.hidden) {
    count += (inputs + 1) * width;
    inputs = width;
  }
  return count + (inputs + 1) * options.classes;
}

}  // namespace strata
