// The graph models, by name. Option "nodes" is the size of the graph a model holds until
// set_graph() gives it one.
#include "models/graph/gat.h"
#include "models/graph/gcn.h"
#include "models/graph/gin.h"
#include "models/graph/graph_sage.h"
#include "models/registry.h"

namespace strata::catalogue {
namespace {

using nlohmann::json;

// The one of `names` that the option holds.
int64_t choice(const json& options, const char* key, const std::vector<std::string>& names) {
  const std::string value = options.at(key);
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == value) return static_cast<int64_t>(i);
  }
  fail("make_model", Caller{}, "option '{}' is one of {}; got '{}'", key, listed(names), value);
}

template <class M, class Options>
std::unique_ptr<Model> make(Options options, const json& o) {
  options.features = o.at("features");
  options.classes = o.at("classes");
  options.nodes = o.at("nodes");
  return std::make_unique<M>(options);
}

ModelEntry gcn(std::string name, std::string about, bool edges) {
  auto make_gcn = [edges](const json& o) {
    return make<Gcn>(GcnOptions{.hidden = o.at("hidden").get<std::vector<int64_t>>(),
                                .dropout = o.at("dropout"),
                                .edges = edges},
                     o);
  };
  return {std::move(name),
          std::move(about),
          Domain::graph,
          {{"hidden", {16}}, {"dropout", 0.5}},
          {{"hidden", {8}}},
          make_gcn,
          {}};
}

std::unique_ptr<Model> make_sage(const json& o) {
  return make<GraphSage>(GraphSageOptions{.hidden = o.at("hidden").get<std::vector<int64_t>>(),
                                          .aggregator = static_cast<SageAggregator>(
                                              choice(o, "aggregator", {"mean", "pool"})),
                                          .dropout = o.at("dropout"),
                                          .normalise = o.at("normalise")},
                         o);
}

std::unique_ptr<Model> make_gat(const json& o) {
  return make<Gat>(GatOptions{.hidden = o.at("hidden"),
                              .heads = o.at("heads"),
                              .layers = o.at("layers"),
                              .last_heads = o.at("last_heads"),
                              .dropout = o.at("dropout")},
                   o);
}

std::unique_ptr<Model> make_gin(const json& o) {
  return make<Gin>(
      GinOptions{.width = o.at("width"),
                 .layers = o.at("layers"),
                 .readout = static_cast<Readout>(choice(o, "readout", {"none", "mean", "sum"}))},
      o);
}

Tensor features(const json& options, int64_t, Generator& generator) {
  return randn({options.at("nodes"), options.at("features")}, 0, 1, DType::f32, &generator);
}

}  // namespace

std::vector<ModelEntry> graph() {
  std::vector<ModelEntry> list = {
      gcn("gcn", "graph convolutions with fixed normalised weights (Kipf and Welling 2017)", true),
      gcn("node_mlp", "the layers of gcn without edges, the control", false),
      {"graphsage",
       "a node beside the mean or maximum of its neighbours (Hamilton et al. 2017)",
       Domain::graph,
       {{"hidden", {64}}, {"aggregator", "mean"}, {"dropout", 0.5}, {"normalise", false}},
       {{"hidden", {8}}, {"aggregator", "pool"}},
       make_sage,
       {}},
      {"gat",
       "attention over edges (Velickovic et al. 2018)",
       Domain::graph,
       {{"hidden", 8}, {"heads", 8}, {"layers", 2}, {"last_heads", 1}, {"dropout", 0.6}},
       {{"hidden", 4}, {"heads", 2}},
       make_gat,
       {}},
      {"gin",
       "sums over neighbours, and a class for each graph (Xu et al. 2019)",
       Domain::graph,
       {{"width", 64}, {"layers", 4}, {"readout", "sum"}},
       {{"width", 8}, {"layers", 2}, {"readout", "none"}},
       make_gin,
       {}}};
  for (ModelEntry& entry : list) {
    entry.defaults.update({{"features", 1433}, {"classes", 7}, {"nodes", 12}});
    entry.tiny.update({{"features", 6}, {"classes", 3}});
    entry.example = features;
  }
  return list;
}

}  // namespace strata::catalogue
