#include "models/graph/gat.h"

#include "engine/nn/init.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"

namespace strata {

GraphAttention::GraphAttention(int64_t inputs, int64_t outputs, const GraphAttentionOptions& given)
    : GraphLayer(true),
      options(given),
      linear(add<Linear>("linear", inputs, given.heads * outputs, false)),
      source(add_parameter("source", empty({given.heads, outputs}))),
      target(add_parameter("target", empty({given.heads, outputs}))),
      bias(add_parameter("bias", empty({given.mean ? outputs : given.heads * outputs}))) {
  if (given.heads < 1 || outputs < 1) {
    fail("GraphAttention", Caller{}, "there must be a head and a feature; got {} heads of {}",
         given.heads, outputs);
  }
  for (const Tensor& weight : {linear.weight, source, target}) init::xavier_uniform_(weight);
  init::zeros_(bias);
}

std::string GraphAttention::kind() const {
  return fmt::format("GraphAttention({} -> {} x {}{})", linear.weight.size(1), source.size(0),
                     source.size(1), options.mean ? ", mean" : "");
}

Tensor GraphAttention::forward(const Tensor& x) {
  const Graph& graph = graph_for(x);
  Tensor h = linear(x).reshape({x.size(0), source.size(0), source.size(1)});
  Tensor from = sum(h * source, {2}), to = sum(h * target, {2}).slice(0, 0, graph.rows());
  Tensor scores = leaky_relu(edge_sources(graph, from) + edge_targets(graph, to), options.slope);
  Tensor coefficients = named("coefficients", edge_softmax(graph, named("scores", scores)));
  Tensor mixed =
      aggregate(graph, h, Aggregate::sum, dropout(coefficients, options.dropout, training()));
  return (options.mean ? mean(mixed, {1}) : mixed.flatten(1)) + bias;
}

Gat::Gat(const GatOptions& options) : dropout_(add<Dropout>("dropout", options.dropout)) {
  if (options.layers < 1)
    fail("Gat", Caller{}, "there must be a layer; got layers = {}", options.layers);
  int64_t inputs = options.features;
  for (int64_t i = 1; i <= options.layers; ++i) {
    const bool last = i == options.layers;
    const GraphAttentionOptions layer = {.heads = last ? options.last_heads : options.heads,
                                         .mean = last,
                                         .dropout = options.dropout};
    gats_.push_back(&add<GraphAttention>(fmt::format("gat{}", i), inputs,
                                         last ? options.classes : options.hidden, layer));
    over_graph(*gats_.back());
    inputs = options.heads * options.hidden;
  }
  set_graph(ring_with_chords(options.nodes));
}

Tensor Gat::forward(const Tensor& x) {
  Tensor h = x;
  for (size_t i = 0; i < gats_.size(); ++i) {
    h = (*gats_[i])(dropout_(h));
    if (i + 1 < gats_.size()) h = named(fmt::format("hidden{}", i + 1).c_str(), elu(h));
  }
  return h;
}

std::vector<std::string> Gat::stages() const {
  std::vector<std::string> names;
  for (size_t i = 1; i < gats_.size(); ++i) names.push_back(fmt::format("hidden{}", i));
  names.push_back(fmt::format("gat{}", gats_.size()));
  return names;
}

int64_t gat_parameter_count(const GatOptions& o) {
  const int64_t width = o.heads * o.hidden;
  int64_t inputs = o.features, count = 0;
  for (int64_t i = 1; i < o.layers; ++i) {
    count += width * (inputs + 3);
    inputs = width;
  }
  return count + o.last_heads * o.classes * (inputs + 2) + o.classes;
}

}  // namespace strata
