// Generated graphs: records against the edges, degrees that say nothing, counterfactuals; and the
// claim that matters, that raw degrees fail where a graph network succeeds.
#include "engine/data/terrace_graph.h"

#include <gtest/gtest.h>

#include <map>
#include <queue>
#include <set>

#include "engine/ops.h"
#include "engine/optim.h"
#include "models/graph/gin.h"
#include "tests/support/expect.h"

namespace strata::test {
namespace {

using namespace terrace_graph;

std::vector<std::vector<int64_t>> neighbours_of(const Example& e) {
  std::vector<std::vector<int64_t>> out(static_cast<size_t>(e.nodes));
  for (auto [a, b] : e.edges) {
    out[static_cast<size_t>(a)].push_back(b);
    out[static_cast<size_t>(b)].push_back(a);
  }
  return out;
}

TEST(TerraceGraph, GivesSimpleConnectedGraphsAndTheSameOnesAgain) {
  const TerraceGraph data({}, 3);
  for (uint64_t index = 0; index < 50; ++index) {
    const Example e = data.example(index), again = data.example(index);
    EXPECT_EQ(e.edges, again.edges);
    std::set<std::pair<int64_t, int64_t>> seen;
    for (auto [a, b] : e.edges) {
      EXPECT_NE(a, b);
      EXPECT_TRUE(seen.insert(std::minmax(a, b)).second) << "an edge twice";
    }
    const auto next = neighbours_of(e);
    std::vector<bool> reached(next.size());
    std::queue<int64_t> queue({0});
    reached[0] = true;
    int64_t count = 0;
    for (; !queue.empty(); queue.pop(), ++count) {
      for (int64_t node : next[static_cast<size_t>(queue.front())]) {
        if (!reached[static_cast<size_t>(node)]) queue.push(node);
        reached[static_cast<size_t>(node)] = true;
      }
    }
    EXPECT_EQ(count, e.nodes);
  }
}

// Each motif is told by what its edges are: triangles and squares among its six nodes, and how its
// cores lie.
TEST(TerraceGraph, RecordsTheMotifsThatAreThere) {
  const TerraceGraph data({}, 4);
  for (uint64_t index = 0; index < 50; ++index) {
    const Example e = data.example(index);
    const auto next = neighbours_of(e);
    for (size_t v = 0; v < next.size(); ++v) {
      if (e.position[v] < 0) {
        EXPECT_EQ(e.motif[v], -1);
        continue;
      }
      const size_t degree = next[v].size();
      const size_t wanted[] = {3, 2, 1, 3};  // core, inner, leaf, anchor
      EXPECT_EQ(degree, wanted[e.position[v]]);
      if (e.position[v] != core) continue;
      // Whether a core touches the other core, and is in a triangle; sorted, by kind.
      bool beside_core = false, in_triangle = false;
      int leaves = 0;
      for (int64_t a : next[v]) {
        beside_core |= e.position[static_cast<size_t>(a)] == core;
        leaves += e.position[static_cast<size_t>(a)] == Position::leaf;
        for (int64_t b : next[static_cast<size_t>(a)])
          for (int64_t c : next[static_cast<size_t>(b)])
            in_triangle |= b != static_cast<int64_t>(v) && c == static_cast<int64_t>(v);
      }
      EXPECT_EQ(beside_core, e.motif[v] != 2);
      EXPECT_EQ(in_triangle, e.motif[v] == 0 || (e.motif[v] == 3 && leaves == 0));
    }
  }
}

TEST(TerraceGraph, DerivesRolesCommunitiesAndClassFromTheTables) {
  const TerraceGraph data({}, 5);
  const terrace::Table table = terrace::make_table(terrace::Rule::staircase, 0);
  for (uint64_t index = 0; index < 30; ++index) {
    const Example e = data.example(index);
    EXPECT_EQ(e.factors[hub_community], table(e.factors[hub_near], e.factors[hub_far]));
    EXPECT_EQ(e.factors[plain_community], table(e.factors[plain_near], e.factors[plain_far]));
    EXPECT_EQ(e.factors[graph_class], table(e.factors[hub_community], e.factors[plain_community]));
    for (size_t v = 0; v < e.role.size(); ++v) {
      EXPECT_EQ(e.role[v], e.motif[v] < 0 ? -1 : table(e.motif[v], e.position[v]));
      EXPECT_EQ(e.community[v], e.factors[static_cast<size_t>(hub_community + e.part[v])]);
    }
  }
}

// The counts of degrees do not change when a motif, and with it the class, does.
TEST(TerraceGraph, HasDegreesThatDoNotDependOnAnyFactor) {
  const TerraceGraph data({}, 6);
  for (uint64_t index = 0; index < 20; ++index) {
    std::set<std::vector<int64_t>> sorted_degrees;
    std::set<int8_t> classes;
    for (int factor = 0; factor < drawn_count; ++factor) {
      for (int8_t value = 0; value < 4; ++value) {
        const Example e = data.counterfactual(index, factor, value);
        EXPECT_EQ(e.factors[static_cast<size_t>(factor)], value);
        auto degrees = e.degrees();
        std::sort(degrees.begin(), degrees.end());
        sorted_degrees.insert(degrees);
        classes.insert(e.factors[graph_class]);
      }
    }
    EXPECT_EQ(sorted_degrees.size(), 1u);
    EXPECT_GT(classes.size(), 1u);
  }
}

TEST(TerraceGraph, ChangesOneMotifAndNothingElse) {
  const TerraceGraph data({}, 7);
  const Example a = data.example(1);
  const int8_t other = static_cast<int8_t>((a.factors[plain_far] + 1) % 4);
  const Example b = data.counterfactual(1, plain_far, other);
  ASSERT_EQ(a.nodes, b.nodes);
  EXPECT_EQ(a.part, b.part);
  EXPECT_EQ(a.position, b.position);
  std::set<std::pair<int64_t, int64_t>> before(a.edges.begin(), a.edges.end()),
      after(b.edges.begin(), b.edges.end());
  for (auto [u, v] : before) {
    if (!after.count({u, v})) {
      EXPECT_EQ(a.motif[static_cast<size_t>(u)], a.factors[plain_far]);
      EXPECT_EQ(a.part[static_cast<size_t>(v)], 1);
    }
  }
  EXPECT_NE(before, after);
}

// Staircases: one community says one bit of the two, both say all. Latin squares: any three of the
// four motifs say nothing.
TEST(TerraceGraph, TellsWhatFactorsSayAboutTheClass) {
  const TerraceGraph staircase({}, 1),
      latin({.community_rule = terrace::Rule::latin, .class_rule = terrace::Rule::latin}, 1);
  EXPECT_NEAR(staircase.information(graph_class, {0, 1, 2, 3}), 2, 1e-9);
  EXPECT_NEAR(staircase.information(graph_class, {hub_community, plain_community}), 2, 1e-9);
  EXPECT_NEAR(staircase.information(graph_class, {hub_community}), 1, 1e-9);
  EXPECT_NEAR(latin.information(graph_class, {0, 1, 2}), 0, 1e-9);
  EXPECT_NEAR(latin.information(graph_class, {0, 1, 2, 3}), 2, 1e-9);
  EXPECT_STREQ(name_of(graph_class), "class");
  EXPECT_EQ(level_of(hub_community), 4);
}

// Counts of degrees 0..9 of each graph: all that raw degrees say.
Tensor degree_counts(const TerraceGraph& data, uint64_t first, int64_t count) {
  std::vector<float> rows(static_cast<size_t>(count) * 10);
  for (int64_t i = 0; i < count; ++i) {
    for (int64_t d : data.example(first + static_cast<uint64_t>(i)).degrees())
      rows[static_cast<size_t>(i * 10 + std::min<int64_t>(d, 9))] += 0.1f;
  }
  return from_vector(rows, {count, 10});
}

TEST(TerraceGraph, IsReadByAGraphNetworkAndNotByRawDegrees) {
  const TerraceGraph data({}, 8);
  constexpr int64_t train = 512, test = 256;
  constexpr int target = hub_community;
  manual_seed(1);
  auto right = [](const Tensor& logits, const Tensor& labels) {
    return mean(equal(argmax(logits, -1), labels).to(DType::f32)).item();
  };
  const GraphBatch held_out = batch_of(data, 1'000'000, test);
  const Tensor held_out_labels = held_out.factors.select(1, target).contiguous();

  Linear linear(10, 4);
  Tensor x = degree_counts(data, 0, train), x_test = degree_counts(data, 1'000'000, test);
  Tensor labels = batch_of(data, 0, train).factors.select(1, target).contiguous();
  AdamW fit(linear.named_parameters(), {.learning_rate = 0.03});
  for (int step = 0; step < 300; ++step) {
    fit.zero_grad();
    cross_entropy(linear(x), labels).backward();
    fit.step();
  }
  EXPECT_LT(right(linear(x_test), held_out_labels), 0.25 + 3 * std::sqrt(0.25 * 0.75 / test));

  Gin gin({.features = 1, .classes = 4, .width = 24, .layers = 4});
  constexpr int64_t steps = 200, batch = 32;
  AdamW optimizer(gin.named_parameters(), {.learning_rate = 1e-2});
  Scheduler scheduler(optimizer, one_cycle(steps));
  for (int64_t step = 0; step < steps; ++step, scheduler.step()) {
    const GraphBatch b = batch_of(data, static_cast<uint64_t>(step * batch), batch);
    gin.set_graphs(b.graph, b.sizes);
    optimizer.zero_grad();
    cross_entropy(gin(b.features), b.factors.select(1, target).contiguous()).backward();
    optimizer.step();
  }
  gin.eval();
  gin.set_graphs(held_out.graph, held_out.sizes);
  EXPECT_GT(right(gin(held_out.features), held_out_labels), 0.9);
}

TEST(TerraceGraph, RefusesWhatIsNotDrawn) {
  const TerraceGraph data({}, 1);
  EXPECT_FAILS(data.counterfactual(0, graph_class, 1), "factor 6 is not drawn; those are 0 to 3");
  EXPECT_FAILS(data.counterfactual(0, hub_near, 4), "a motif is 0 to 3; got 4");
}

TEST(StochasticBlockModel, JoinsWithItsProbabilities) {
  const BlockModel model = stochastic_block_model({60, 40}, 0.3, 0.05, 9);
  EXPECT_EQ(model.graph.rows(), 100);
  EXPECT_EQ(std::count(model.block.begin(), model.block.end(), 1), 40);
  double within = 0, between = 0;
  for (auto [a, b] : model.graph.edge_list()) {
    EXPECT_NE(a, b);
    (model.block[static_cast<size_t>(a)] == model.block[static_cast<size_t>(b)] ? within
                                                                                : between) += 0.5;
  }
  const double pairs = 60 * 59 / 2 + 40 * 39 / 2, across = 60 * 40;
  EXPECT_NEAR(within / pairs, 0.3, 4 * std::sqrt(0.3 * 0.7 / pairs));
  EXPECT_NEAR(between / across, 0.05, 4 * std::sqrt(0.05 * 0.95 / across));
  EXPECT_EQ(stochastic_block_model({60, 40}, 0.3, 0.05, 9).graph.edge_list(),
            model.graph.edge_list());
  EXPECT_EQ(stochastic_block_model({3, 2}, 1, 0, 1).graph.edges(), 2 * (3 + 1));
  EXPECT_FAILS(stochastic_block_model({3}, 1.5, 0, 1), "between 0 and 1; got 1.5");
  EXPECT_FAILS(stochastic_block_model({3, -1}, 1, 0, 1), "block 1 cannot have -1 nodes");
}

}  // namespace
}  // namespace strata::test
