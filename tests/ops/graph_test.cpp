// The graph value: how edges become rows, loops, normalisation, groups; and what is refused.
#include "engine/ops/graph.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/support/expect.h"

namespace strata::test {
namespace {

TEST(Graph, SortsEdgesByTargetAndKeepsTheirOrder) {
  const Graph graph = Graph::directed(3, {{2, 1}, {0, 0}, {1, 2}, {0, 1}, {2, 1}});
  EXPECT_EQ(graph.edge_list(), (Edges{{0, 0}, {2, 1}, {0, 1}, {2, 1}, {1, 2}}));
  EXPECT_EQ(graph.offsets().to_vector<int64_t>(), (std::vector<int64_t>{0, 1, 4, 5}));
  EXPECT_EQ(describe(graph), "graph of 3 rows, 3 columns, 5 edges");
}

TEST(Graph, GoesBothWaysWhenUndirectedAndALoopOnce) {
  EXPECT_EQ(Graph::undirected(3, {{0, 1}, {2, 2}}).edge_list(), (Edges{{1, 0}, {0, 1}, {2, 2}}));
}

TEST(Graph, AddsLoopsWhereThereAreNone) {
  const Graph graph = Graph::directed(3, {{1, 1}, {0, 1}}).with_self_loops();
  EXPECT_EQ(graph.edge_list(), (Edges{{0, 0}, {1, 1}, {0, 1}, {2, 2}}));
  EXPECT_EQ(graph.with_self_loops().edges(), graph.edges());
}

// Against the dense D^-1/2 (A + I) D^-1/2 of a path of three nodes: degrees 2, 3, 2.
TEST(Graph, NormalisesSymmetrically) {
  const Graph graph = Graph::undirected(3, {{0, 1}, {1, 2}}).with_self_loops();
  Tensor dense = aggregate(graph, eye(3, DType::f64), Aggregate::sum,
                           graph.symmetric_normalisation(DType::f64));
  const double r = 1 / std::sqrt(6.0), h = 1.0 / 2, t = 1.0 / 3;
  expect_near(values(dense), {h, r, 0, r, t, r, 0, r, h});
}

TEST(Graph, TurnsRound) {
  const Graph graph = Graph::bipartite(2, 3, {{2, 0}, {0, 0}, {2, 1}});
  auto [back, order] = graph.transposed();
  EXPECT_EQ(back.rows(), 3);
  EXPECT_EQ(back.edge_list(), (Edges{{0, 0}, {0, 2}, {1, 2}}));
  EXPECT_EQ(order.to_vector<int64_t>(), (std::vector<int64_t>{1, 0, 2}));
  // Round once more, edges of a target are in the order of their sources.
  EXPECT_EQ(back.transposed().graph.edge_list(), (Edges{{0, 0}, {2, 0}, {2, 1}}));
}

TEST(Graph, JoinsAndGroups) {
  const Graph two = Graph::disjoint({Graph::directed(2, {{0, 1}}), Graph::directed(1, {{0, 0}})});
  EXPECT_EQ(two.edge_list(), (Edges{{0, 1}, {2, 2}}));
  Tensor x = vector_of({1, 2, 4});
  EXPECT_EQ(values(aggregate(Graph::groups({2, 0, 1}), x)), (std::vector<double>{3, 0, 4}));
}

TEST(Graph, IsTheSameOnTheGpu) {
  Generator generator(3);
  Edges edges;
  for (int i = 0; i < 40; ++i)
    edges.emplace_back(i, (7 * i + 3) % 40), edges.emplace_back(i / 2, i);
  const Graph graph = Graph::undirected(40, edges).with_self_loops();
  const Graph there = graph.to(Device::gpu);
  EXPECT_EQ(there.device(), Device::gpu);
  Tensor x = randn({40, 8}, 0, 1, DType::f32, &generator), w = graph.symmetric_normalisation();
  EXPECT_EQ(values(w), values(there.symmetric_normalisation()));
  expect_near(values(aggregate(there, x.to(Device::gpu), Aggregate::sum, w.to(Device::gpu))),
              values(aggregate(graph, x, Aggregate::sum, w)), 1e-6);
  EXPECT_EQ(there.transposed().graph.edge_list(), graph.transposed().graph.edge_list());
}

TEST(Graph, RefusesWhatIsNoGraph) {
  EXPECT_FAILS(Graph::directed(3, {{0, 1}, {1, 3}}),
               "edge 1 goes from 1 to 3; expected 0 <= from < 3 and 0 <= to < 3");
  EXPECT_FAILS(Graph::directed(3, {{-1, 0}}), "edge 0 goes from -1");
  EXPECT_FAILS(Graph::directed(-1, {}), "cannot be -1 rows");
  EXPECT_FAILS(Graph::bipartite(2, 3, {}).with_self_loops(), "not the same nodes");
  EXPECT_FAILS(Graph::bipartite(2, 3, {}).symmetric_normalisation(), "not the same nodes");
}

}  // namespace
}  // namespace strata::test
