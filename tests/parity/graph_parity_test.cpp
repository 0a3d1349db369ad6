// GCN, GraphSAGE and GAT against PyTorch with dense adjacency matrices (make_graph.py).
#include "models/graph/gat.h"
#include "models/graph/gcn.h"
#include "models/graph/graph_sage.h"
#include "tests/parity/follow.h"

namespace strata::test {
namespace {

void follow_graph(GraphModel& model, const std::string& name) {
  const StateDict wanted = fixture(name);
  const auto ends = wanted.at("edges").to_vector<int64_t>();
  Edges edges;
  for (size_t e = 0; e + 1 < ends.size(); e += 2) edges.emplace_back(ends[e], ends[e + 1]);
  model.set_graph(Graph::undirected(wanted.at("inputs").size(1), edges));
  Adam optimizer(model.named_parameters(), {.learning_rate = 0.02, .weight_decay = 5e-4});
  follow(model, optimizer, wanted, [](const Tensor& x) { return x; });
}

TEST(Parity, Gcn) {
  Gcn model({.features = 10, .classes = 3, .hidden = {8}, .dropout = 0});
  follow_graph(model, "gcn");
}

TEST(Parity, GraphSageWithMeans) {
  GraphSage model({.features = 10, .classes = 3, .hidden = {8}, .dropout = 0, .normalise = true});
  follow_graph(model, "graphsage");
}

TEST(Parity, GraphSageWithMaxima) {
  GraphSage model({.features = 10,
                   .classes = 3,
                   .hidden = {8},
                   .aggregator = SageAggregator::pool,
                   .dropout = 0,
                   .normalise = true});
  follow_graph(model, "graphsage_pool");
}

TEST(Parity, Gat) {
  Gat model({.features = 10, .classes = 3, .hidden = 4, .heads = 3, .last_heads = 2, .dropout = 0});
  follow_graph(model, "gat");
}

}  // namespace
}  // namespace strata::test
