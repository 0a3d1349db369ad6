// The graph networks: published sizes, gradients, what edges do, attention by name, sampling.
#include <gtest/gtest.h>

#include "engine/optim.h"
#include "models/graph/gat.h"
#include "models/graph/gcn.h"
#include "models/graph/gin.h"
#include "models/graph/graph_sage.h"
#include "models/graph/neighbour_sampler.h"
#include "tests/models/model_checks.h"

namespace strata::test {
namespace {

Graph small_graph() {
  return Graph::undirected(7, {{0, 1}, {1, 2}, {2, 3}, {3, 0}, {3, 4}, {4, 5}, {5, 6}, {1, 5}});
}

// Cora's sizes. Kipf and Welling: 1433 x 16 and 16 x 7 weights with biases. GAT: (1433 + 2 + 1) x
// 64, (64 + 2) x 7 + 7, as the authors' network counts.
TEST(GraphModels, HaveThePublishedNumbersOfParameters) {
  EXPECT_EQ(gcn_parameter_count({}), 1433 * 16 + 16 + 16 * 7 + 7);
  EXPECT_EQ(gat_parameter_count({}), 1433 * 64 + 3 * 64 + 64 * 7 + 2 * 7 + 7);
  EXPECT_EQ(graph_sage_parameter_count({}), 184'391);
  EXPECT_EQ(gcn_parameter_count({}), Gcn().parameter_count());
  EXPECT_EQ(gat_parameter_count({}), Gat().parameter_count());
  EXPECT_EQ(graph_sage_parameter_count({}), GraphSage().parameter_count());
  const GcnOptions gcn{.features = 5, .classes = 2, .hidden = {7, 3}};
  EXPECT_EQ(gcn_parameter_count(gcn), Gcn(gcn).parameter_count());
  const GatOptions gat{.features = 5, .hidden = 3, .heads = 2, .layers = 3, .last_heads = 4};
  EXPECT_EQ(gat_parameter_count(gat), Gat(gat).parameter_count());
  const GraphSageOptions sage{.features = 5, .hidden = {4, 6}, .aggregator = SageAggregator::pool};
  EXPECT_EQ(graph_sage_parameter_count(sage), GraphSage(sage).parameter_count());
  const GinOptions gin{.features = 5, .width = 6, .layers = 3};
  EXPECT_EQ(gin_parameter_count(gin), Gin(gin).parameter_count());
}

TEST(GraphModels, HaveTheGradientsOfFiniteDifferences) {
  manual_seed(4);
  Tensor x = random({7, 5}, 2);
  auto check = [&](GraphModel& model) {
    SCOPED_TRACE(model.kind());
    model.set_graph(small_graph());
    expect_gradients(model, x);
  };
  Gcn gcn({.features = 5, .classes = 3, .hidden = {4}, .dropout = 0});
  check(gcn);
  Gat gat({.features = 5, .classes = 3, .hidden = 3, .heads = 2, .last_heads = 2, .dropout = 0});
  check(gat);
  for (SageAggregator aggregator : {SageAggregator::mean, SageAggregator::pool}) {
    GraphSage sage({.features = 5,
                    .classes = 3,
                    .hidden = {4},
                    .aggregator = aggregator,
                    .dropout = 0,
                    .normalise = aggregator == SageAggregator::mean});
    check(sage);
  }
  for (Readout readout : {Readout::none, Readout::mean, Readout::sum}) {
    Gin gin({.features = 5, .classes = 3, .width = 4, .layers = 2, .readout = readout});
    check(gin);
  }
}

// Two layers see two steps: on a path, node 0 hears of node 2 and not of node 3; without edges, of
// itself only.
TEST(GraphModels, SeeAsFarAsTheyHaveLayers) {
  const Graph path = Graph::undirected(5, {{0, 1}, {1, 2}, {2, 3}, {3, 4}});
  auto reach = [&](GraphModel& model) {
    model.eval();
    model.set_graph(path);
    Tensor x = randn({5, 4}).set_requires_grad();
    sum(square(model(x).select(0, 0))).backward();
    std::vector<bool> heard;
    for (int i = 0; i < 5; ++i) heard.push_back(sum(abs(x.grad().select(0, i))).item() > 0);
    return heard;
  };
  manual_seed(5);
  const std::vector<bool> two_steps = {true, true, true, false, false};
  Gcn gcn({.features = 4}), mlp({.features = 4, .edges = false});
  Gat gat({.features = 4});
  GraphSage sage({.features = 4});
  Gin gin({.features = 4, .layers = 2, .readout = Readout::none});
  EXPECT_EQ(reach(gcn), two_steps);
  EXPECT_EQ(reach(gat), two_steps);
  EXPECT_EQ(reach(sage), two_steps);
  EXPECT_EQ(reach(gin), two_steps);
  EXPECT_EQ(reach(mlp), (std::vector<bool>{true, false, false, false, false}));
}

TEST(GraphModels, DoNotDependOnTheOrderOfNodes) {
  manual_seed(6);
  const std::vector<int64_t> place = {3, 0, 6, 2, 5, 1, 4};
  Edges moved;
  for (auto [a, b] : small_graph().edge_list())
    moved.emplace_back(place[static_cast<size_t>(a)], place[static_cast<size_t>(b)]);
  Tensor x = randn({7, 4}), where = from_vector(place, {7});
  Tensor x_moved = index_add(zeros({7, 4}), 0, where, x);
  auto check = [&](GraphModel& model, bool whole) {
    SCOPED_TRACE(model.kind());
    model.eval();
    model.set_graph(small_graph());
    Tensor want = model(x);
    model.set_graph(Graph::directed(7, moved));
    Tensor got = model(x_moved);
    expect_near(values(whole ? got : index_select(got, 0, where)), values(want), 1e-5);
  };
  Gcn gcn({.features = 4});
  check(gcn, false);
  Gat gat({.features = 4});
  check(gat, false);
  GraphSage sage({.features = 4, .aggregator = SageAggregator::pool});
  check(sage, false);
  Gin gin({.features = 4});
  check(gin, true);
}

TEST(Gat, ShowsCoefficientsThatAddUpToOne) {
  manual_seed(7);
  Gat gat({.features = 4, .heads = 3});
  gat.eval();
  gat.set_graph(small_graph());
  std::map<std::string, Tensor> seen;
  {
    ActivationObserver observer([&](const std::string& name, const Tensor& value) {
      seen[name] = value;
      return Tensor();
    });
    gat(randn({7, 4}));
  }
  ASSERT_TRUE(seen.count("gat1.coefficients"));
  const Tensor coefficients = seen.at("gat1.coefficients");
  const Graph graph = small_graph().with_self_loops();
  EXPECT_EQ(coefficients.shape(), (Dims{graph.edges(), 3}));
  expect_near(values(aggregate(graph.incidence(), coefficients)), std::vector<double>(21, 1.0),
              1e-6);
  EXPECT_TRUE(seen.count("gat2.scores"));
}

TEST(Gin, ReadsEachGraphForItself) {
  manual_seed(8);
  Gin gin({.features = 2, .classes = 3, .width = 8, .readout = Readout::sum});
  gin.eval();
  Tensor a = randn({7, 2}), b = randn({12, 2});
  gin.set_graph(small_graph());
  Tensor of_a = gin(a);
  gin.set_graph(ring_with_chords(12));
  Tensor of_b = gin(b);
  gin.set_graphs(Graph::disjoint({small_graph(), ring_with_chords(12)}), {7, 12});
  Tensor both = gin(concatenate({a, b}));
  expect_near(values(both), values(concatenate({of_a, of_b})), 1e-5);
  EXPECT_FAILS(gin.set_graphs(small_graph(), {3, 3}), "add up to 6 nodes; the graph of 7 rows");
}

// With as many neighbours as there are, a batch of a few nodes gets what the whole graph gives.
TEST(NeighbourSampler, GivesTheLogitsOfTheWholeGraphWhenAllAreTaken) {
  manual_seed(9);
  GraphSage sage({.features = 4, .classes = 3, .hidden = {6}});
  sage.eval();
  sage.set_graph(small_graph());
  Tensor x = randn({7, 4}), all = sage(x);
  const std::vector<int64_t> targets = {6, 2};
  SampledBlocks s = sample_neighbours(small_graph(), targets, {10, 10}, 1);
  EXPECT_EQ(s.blocks[1].rows(), 2);
  EXPECT_EQ(s.blocks[0].rows(), s.blocks[1].columns());
  EXPECT_EQ(static_cast<size_t>(s.blocks[0].columns()), s.nodes.size());
  sage.set_blocks(s.blocks);
  Tensor some = sage(index_select(x, 0, from_vector(s.nodes, {s.blocks[0].columns()})));
  expect_near(values(some), values(index_select(all, 0, from_vector(targets, {2}))), 1e-5);
}

TEST(NeighbourSampler, TakesAFewWithoutRepeatsAndEachAsOften) {
  Edges star;
  for (int64_t i = 1; i <= 10; ++i) star.emplace_back(i, 0);
  const Graph graph = Graph::directed(11, star);
  std::vector<int> taken(11);
  const std::vector<int64_t> centre = {0};
  for (uint64_t seed = 0; seed < 2000; ++seed) {
    SampledBlocks s = sample_neighbours(graph, centre, {3}, seed);
    ASSERT_EQ(s.blocks[0].edges(), 3);
    ASSERT_EQ(s.nodes.size(), 4u);
    for (int64_t node : s.nodes) ++taken[static_cast<size_t>(node)];
  }
  EXPECT_EQ(taken[0], 2000);
  for (size_t i = 1; i <= 10; ++i) EXPECT_NEAR(taken[i], 600, 5 * std::sqrt(600 * 0.7)) << i;
  const auto a = sample_neighbours(graph, centre, {3}, 5),
             b = sample_neighbours(graph, centre, {3}, 5);
  EXPECT_EQ(a.nodes, b.nodes);
}

TEST(GraphModels, ComputeTheSameOnTheGpu) {
  manual_seed(10);
  Tensor x = randn({7, 4});
  auto check = [&](GraphModel& model) {
    SCOPED_TRACE(model.kind());
    model.eval();
    model.set_graph(small_graph());
    const auto want = values(model(x));
    model.to(Device::gpu);
    expect_near(values(model(x.to(Device::gpu))), want, 1e-5);
  };
  Gcn gcn({.features = 4});
  check(gcn);
  Gat gat({.features = 4, .heads = 2});
  check(gat);
  GraphSage sage({.features = 4, .hidden = {8}, .aggregator = SageAggregator::pool});
  check(sage);
  Gin gin({.features = 4, .width = 8});
  check(gin);
}

TEST(GraphModels, GoRoundAsState) {
  Tensor x = randn({12, 4});
  expect_state_goes_round([] { return std::make_unique<Gat>(GatOptions{.features = 4}); }, x);
  expect_state_goes_round([] { return std::make_unique<Gin>(GinOptions{.features = 4}); }, x);
}

TEST(GraphModels, SayWhatIsWrong) {
  Gcn gcn({.features = 4});
  EXPECT_FAILS(gcn(zeros({5, 4})), R"(f32\[5,4\] must be \[nodes, C\] with the 12 nodes)");
  EXPECT_FAILS(Gat({.layers = 0}), "must be a layer; got layers = 0");
  EXPECT_FAILS(GraphAttention(4, 4, {.heads = 0}), "must be a head and a feature");
  EXPECT_FAILS(GraphSage().set_blocks({small_graph()}), "2 layers want a block each; got 1");
  EXPECT_FAILS(GraphSage().set_blocks({small_graph(), ring_with_chords(12)}), "cannot read");
  EXPECT_FAILS(make_model("graphsage", {{"aggregator", "lstm"}}), "one of mean, pool; got 'lstm'");
  const std::vector<int64_t> twice = {1, 1}, outside = {9};
  EXPECT_FAILS(sample_neighbours(small_graph(), twice, {2}, 1), "target 1 is given twice");
  EXPECT_FAILS(sample_neighbours(small_graph(), outside, {2}, 1), "target 9 is no node");
}

}  // namespace
}  // namespace strata::test
