#include "models/graph/graph_sage.h"

#include "engine/nn/init.h"
#include "engine/ops/create.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"

namespace strata {

SageConv::SageConv(int64_t inputs, int64_t outputs, SageAggregator kind_of)
    : aggregator(kind_of),
      pool(kind_of == SageAggregator::pool ? &add<Linear>("pool", inputs, inputs) : nullptr),
      self(add<Linear>("self", inputs, outputs, false)),
      neighbours(add<Linear>("neighbours", inputs, outputs)) {
  init::xavier_uniform_(self.weight);
  init::xavier_uniform_(neighbours.weight);
  init::zeros_(neighbours.bias);
}

std::string SageConv::kind() const {
  return fmt::format("SageConv({} -> {}, {})", self.weight.size(1), self.weight.size(0),
                     pool ? "pool" : "mean");
}

Tensor SageConv::forward(const Tensor& x) {
  const Graph& graph = graph_for(x);
  Tensor gathered = pool ? aggregate(graph, relu((*pool)(x)), Aggregate::max)
                         : aggregate(graph, x, Aggregate::mean);
  gathered = named("gathered", gathered);
  return self(x.slice(0, 0, graph.rows())) + neighbours(gathered);
}

GraphSage::GraphSage(const GraphSageOptions& options)
    : normalise_(options.normalise), dropout_(add<Dropout>("dropout", options.dropout)) {
  std::vector<int64_t> widths = options.hidden;
  widths.push_back(options.classes);
  int64_t inputs = options.features;
  for (size_t i = 0; i < widths.size(); ++i) {
    convs_.push_back(
        &add<SageConv>(fmt::format("sage{}", i + 1), inputs, widths[i], options.aggregator));
    over_graph(*convs_.back());
    inputs = widths[i];
  }
  set_graph(ring_with_chords(options.nodes));
}

void GraphSage::set_blocks(const std::vector<Graph>& blocks, Caller at) {
  if (blocks.size() != convs_.size())
    fail("GraphSage", at, "{} layers want a block each; got {}", convs_.size(), blocks.size());
  for (size_t i = 0; i + 1 < blocks.size(); ++i) {
    if (blocks[i].rows() != blocks[i + 1].columns()) {
      fail("GraphSage", at, "block {} is a {}, whose rows the next, a {}, cannot read", i,
           describe(blocks[i]), describe(blocks[i + 1]));
    }
  }
  for (size_t i = 0; i < blocks.size(); ++i) convs_[i]->set_graph(blocks[i]);
}

Tensor GraphSage::forward(const Tensor& x) {
  Tensor h = x;
  for (size_t i = 0; i < convs_.size(); ++i) {
    h = (*convs_[i])(dropout_(h));
    if (i + 1 == convs_.size()) break;
    h = relu(h);
    if (normalise_) h = h / maximum(norm(h, {1}, true), scalar(1e-12, h.dtype()));
    h = named(fmt::format("hidden{}", i + 1).c_str(), h);
  }
  return h;
}

std::vector<std::string> GraphSage::stages() const {
  std::vector<std::string> names;
  for (size_t i = 1; i < convs_.size(); ++i) names.push_back(fmt::format("hidden{}", i));
  names.push_back(fmt::format("sage{}", convs_.size()));
  return names;
}

int64_t graph_sage_parameter_count(const GraphSageOptions& options) {
  int64_t inputs = options.features, count = 0;
  auto layer = [&](int64_t outputs) {
    count += (2 * inputs + 1) * outputs;
    if (options.aggregator == SageAggregator::pool) count += inputs * inputs + inputs;
    inputs = outputs;
  };
  for (int64_t width : options.hidden) layer(width);
  layer(options.classes);
  return count;
}

}  // namespace strata
