#include "models/graph/gin.h"

#include <numeric>

#include "engine/ops/create.h"
#include "engine/ops/elementwise.h"

namespace strata {

GinConv::GinConv(int64_t inputs, int64_t outputs)
    : epsilon(add_parameter("epsilon", zeros({1}))),
      fc1(add<Linear>("fc1", inputs, outputs, false)),
      norm1(add<BatchNorm>("norm1", outputs, BatchNormOptions{.relu = true})),
      fc2(add<Linear>("fc2", outputs, outputs, false)),
      norm2(add<BatchNorm>("norm2", outputs, BatchNormOptions{.relu = true})) {}

std::string GinConv::kind() const {
  return fmt::format("GinConv({} -> {})", fc1.weight.size(1), fc1.weight.size(0));
}

Tensor GinConv::forward(const Tensor& x) {
  Tensor gathered = named("gathered", x + epsilon * x + aggregate(graph_for(x), x));
  return norm2(fc2(norm1(fc1(gathered))));
}

std::string GraphReadout::kind() const {
  static constexpr const char* names[] = {"none", "mean", "sum"};
  return fmt::format("GraphReadout({})", names[static_cast<size_t>(readout)]);
}

Tensor GraphReadout::forward(const Tensor& x) {
  if (readout == Readout::none) return x;
  return aggregate(graph_for(x), x, readout == Readout::mean ? Aggregate::mean : Aggregate::sum);
}

Gin::Gin(const GinOptions& options)
    : convs_([&] {
        if (options.layers < 1)
          fail("Gin", Caller{}, "there must be a layer; got layers = {}", options.layers);
        std::vector<GinConv*> convs;
        for (int64_t i = 1; i <= options.layers; ++i) {
          const int64_t inputs = i == 1 ? options.features : options.width;
          convs.push_back(&add<GinConv>(fmt::format("gin{}", i), inputs, options.width));
        }
        return convs;
      }()),
      readout_(add<GraphReadout>("readout", options.readout)),
      fc_(add<Linear>("fc", options.width, options.width)),
      head_(add<Linear>("head", options.width, options.classes)) {
  for (GinConv* conv : convs_) over_graph(*conv);
  set_graph(ring_with_chords(options.nodes));
}

void Gin::set_graph(const Graph& graph) { set_graphs(graph, {graph.rows()}); }

void Gin::set_graphs(const Graph& graph, const std::vector<int64_t>& sizes, Caller at) {
  const int64_t total = std::accumulate(sizes.begin(), sizes.end(), int64_t{0});
  if (total != graph.rows())
    fail("Gin", at, "the sizes of the graphs add up to {} nodes; the {} has {}", total,
         describe(graph), graph.rows());
  GraphModel::set_graph(graph);
  readout_.set_graph(Graph::groups(sizes));
}

Tensor Gin::forward(const Tensor& x) {
  Tensor h = x;
  for (GinConv* conv : convs_) h = (*conv)(h);
  return head_(named("hidden", relu(fc_(readout_(h)))));
}

std::vector<std::string> Gin::stages() const {
  std::vector<std::string> names;
  for (size_t i = 1; i <= convs_.size(); ++i) names.push_back(fmt::format("gin{}", i));
  for (const char* name : {"readout", "hidden", "head"}) names.push_back(name);
  return names;
}

int64_t gin_parameter_count(const GinOptions& o) {
  const int64_t W = o.width, layer = 2 * W * W + 4 * W + 1;
  return o.features * W + W * W + 4 * W + 1 + (o.layers - 1) * layer + W * W + W +
         (W + 1) * o.classes;
}

}  // namespace strata
